"""The database, and what is declared in it."""

import asyncio
from functools import partial
from typing import TypeVar

from sqlmodel import Session

from controller.accounts.declaration import reserved_clashes
from controller.accounts.dialling import DiallingPolicy
from controller.accounts.directory import Directory, directory_of
from controller.clock import SystemClock
from controller.doctor.clock import databases
from controller.doctor.finding import Finding, Level, fault, ok
from controller.membership.membership import NAME_PATIENCE
from controller.settings import Settings
from controller.store.controllers import rivals
from controller.store.database import Database, Work
from controller.store.directory import read_directory
from controller.store.errors import DatabaseUnusable
from controller.store.pushes import troubled_endpoints
from controller.store.schema import check_newest, revisions
from controller.store.server_clock import clock_ahead

T = TypeVar("T")


async def database(settings: Settings) -> Finding:
    """The database can be reached; nothing in it is touched."""
    try:
        present, newest = await asyncio.to_thread(revisions, settings.database_url)
    except DatabaseUnusable as error:
        return fault("database", str(error), "check database.url and the rights on the file or server")
    if present == newest:
        return ok("database", f"can be reached, schema {present}")
    return ok("database", f"can be reached; the next start brings its schema from {present} to {newest}")


async def database_clock(settings: Settings) -> list[Finding]:
    """The database server's clock is this one; nothing where there is no server, or it can't tell (yet)."""

    def look(session: Session) -> float | None:
        is_server = session.connection().dialect.name == "postgresql"
        return clock_ahead(session, SystemClock()) if is_server else None

    ahead = await _read(settings, look)
    return [] if ahead is None else [databases(ahead)]


async def endpoints(settings: Settings) -> list[Finding]:
    """No endpoint of a customer's is disabled, and receivers are who they say they are."""
    findings: list[Finding] = []
    if not settings.pushes.verify_tls:
        text = "certificates of receivers are not verified: anybody can take pushes in their name"
        findings.append(Finding("pushes", Level.WARNING, text, "set pushes.verify_tls, pushes.ca_file"))
    found = [row for row in await _read(settings, troubled_endpoints) or [] if row.disabled_at]
    if found:
        names = ", ".join(f"{row.url} of {row.app_key}" for row in found)
        text = f"{len(found)} disabled after days of failures, their CDRs are held: {names}"
        remedy = "when they work again: `voicecall cdr push`, or `voicecall pushes enable`"
        findings.append(Finding("pushes", Level.WARNING, text, remedy))
    return findings or [ok("pushes", "no endpoint is disabled")]


async def simulated_numbers(settings: Settings) -> Finding:
    """Nothing that was declared lies in the prefixes of simulated callees and of phones in browsers."""
    reserved, declared = settings.reserved_prefixes, await what_is_declared(settings)
    clashes = reserved_clashes(reserved, declared.numbers, [route.prefix for route in declared.routes])
    if clashes:
        remedy = f"set {' or '.join(reserved)} to another one"
        return fault("simulated numbers", "\n".join(clashes), remedy)
    prefix = settings.calls.simulated_prefix
    return ok("simulated numbers", f"begin with {prefix}" if prefix else "are switched off")


async def dialling(settings: Settings) -> Finding:
    """The policy lets numbers be called, and no route waits for numbers that it doesn't."""
    name, prefix = "dialling", settings.calls.simulated_prefix
    policy = DiallingPolicy(settings.dialling.allowed, settings.dialling.forbidden)
    if not settings.dialling.allowed:
        return Finding(name, Level.WARNING, "no number may be called", "fill dialling.allowed")
    routes = [route.prefix for route in (await what_is_declared(settings)).routes]
    dead = [route for route in routes if not policy.speaks_of(route[1:])]
    if dead:
        return Finding(
            name,
            Level.WARNING,
            f"routes {', '.join(dead)} lead to numbers that may not be called",
            "let dialling.allowed speak of them",
        )
    simulated = f", and simulated callees {prefix}" if prefix else ""
    return ok(name, f"{len(settings.dialling.allowed)} patterns say what may be called{simulated}")


async def namesakes(settings: Settings, node: str, entity_id: str) -> list[Finding]:
    """A fault if the node's name is another Asterisk than this one to a controller that lives."""
    find = partial(rivals, name=settings.controller, node=node, entity_id=entity_id)
    if not entity_id or not (before := await _read(settings, find)):
        return []
    await asyncio.sleep(NAME_PATIENCE)
    after = await _read(settings, find) or {}
    living = sorted(name for name, beat in after.items() if name in before and beat != before[name])
    if not living:
        return []
    return [
        fault(
            "node name",
            f"{node} is another Asterisk at {', '.join(living)}: only the one that was first is used",
            "give each Asterisk a name of its own: asterisk.name",
        )
    ]


async def what_is_declared(settings: Settings) -> Directory:
    """What was declared; nothing if the database can't tell (yet)."""
    rows = await _read(settings, read_directory)
    return Directory() if rows is None else directory_of(rows)


async def _read(settings: Settings, work: Work[T]) -> T | None:
    """What the database tells; None if it can't (yet), of which `database` speaks."""
    try:
        await asyncio.to_thread(check_newest, settings.database_url)
        async with Database.of(settings) as base:
            return await base.read(work)
    except DatabaseUnusable:
        return None
