"""The declarative file of `voicecall apply`: what there shall be. Applying it twice changes nothing twice."""

import contextlib
import tomllib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from sqlmodel import Session

from controller.accounts.changes import Change
from controller.accounts.declared import Declaration, DeclaredRoute, DeclaredTrunk
from controller.accounts.leaving_out import leave_out
from controller.accounts.number_rules import number_faults
from controller.accounts.people_declaration import PeopleDeclaration, declared_users
from controller.faults import in_words
from controller.prompts import templates
from controller.prompts.errors import PromptError, TemplateSyntaxError
from controller.prompts.library import StoredPrompt
from controller.store import directory as rows
from controller.store import reviews
from controller.store.declaring import Declaring
from controller.store.reviews import ReviewKind
from controller.store.tables import App, Number, NumberState, SoundFile, Trunk


class DeclarationError(ValueError):
    """The file says something that can't be; the text names each place. Nothing was changed."""


@dataclass
class Reading:
    """What a file declares, without what is wrong in it."""

    declaration: Declaration
    faults: list[str] = field(default_factory=list)
    left_out: frozenset[str] = frozenset()
    """Names of what is wrong: that they are missing is no fault of what needs them."""


def read_declaration(path: Path, reserved: Mapping[str, str] = {}) -> Declaration:
    """Read and check a declaration. Raises DeclarationError, OSError.

    `reserved`: prefixes of numbers that the platform keeps for itself, by the setting that says so.
    """
    reading = look_at(path, reserved)
    if reading.faults:
        raise DeclarationError("\n".join(reading.faults))
    return reading.declaration


def look_at(path: Path, reserved: Mapping[str, str] = {}) -> Reading:
    """As `read_declaration`, but what is wrong is left out, so that the rest can be looked at further.

    Raises DeclarationError for what is no TOML, OSError.
    """
    try:
        data = tomllib.loads(path.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DeclarationError(f"{path}: {error}") from None
    except RecursionError:
        raise DeclarationError(f"{path}: it is nested too deeply") from None
    faults: list[str] = []
    left_out: set[str] = set()
    while True:
        try:
            declaration = Declaration.model_validate(data)
        except ValidationError as error:
            found = error.errors()
            # What is only wrong because something was left out is not told.
            faults = faults or [
                f"{path}: {'.'.join(map(str, fault['loc']))} {in_words(fault, 'a table')}" for fault in found
            ]
            left_out |= leave_out(data, [fault["loc"] for fault in found])
        else:
            break
    faults += [f"{path}: {fault}" for fault in _whole_faults(declaration, reserved)]
    return Reading(declaration, faults, frozenset(left_out))


def _whole_faults(declaration: Declaration, reserved: Mapping[str, str]) -> Iterator[str]:
    """What no part can see alone."""
    parts: list[DeclaredTrunk | DeclaredRoute] = [*declaration.trunks, *(declaration.routes or [])]
    for part in parts:
        try:
            part.configuration()
        except ValueError as error:
            yield str(error)
    for account in declaration.accounts:
        for template in account.templates:
            try:
                templates.parse(template.text)
            except TemplateSyntaxError as error:
                yield f"template {template.id} of account {account.id}: {error}"
    accounts = declaration.accounts
    numbers = [its.number for account in accounts for its in account.numbers]
    prefixes = [route.prefix for route in declaration.routes or []]
    named = {
        "app": [app.key for account in accounts for app in account.apps],
        "number": numbers,
        "template": [
            f"{its.id} of account {account.id}" for account in accounts for its in account.templates
        ],
        "route": prefixes,
        "user": [user.login for _owner, user in declared_users(declaration)],
        "contact": [contact.id for account in accounts for contact in account.contacts],
        "enterprise": [enterprise.id for account in accounts for enterprise in account.enterprises],
    }
    for kind, names in named.items():
        yield from (f"{kind} {name} stands twice" for name in _twice(names))
    yield from reserved_clashes(reserved, numbers, prefixes)


_KEPT_FOR = {"calls.simulated_prefix": "simulated callees", "phone.prefix": "phones in browsers"}


def reserved_clashes(reserved: Mapping[str, str], numbers: Iterable[str], routes: Iterable[str]) -> list[str]:
    """What is wrong with display numbers, and routes to numbers, that the platform keeps for itself."""
    return [
        f"{kind} {name} lies in {setting} {prefix}, which is kept for {_KEPT_FOR[setting]}"
        for setting, prefix in reserved.items()
        for kind, names in (("number", numbers), ("route", routes))
        for name in names
        if name.startswith(prefix)
    ]


def _twice(names: list[str]) -> list[str]:
    return sorted(name for name, count in Counter(names).items() if count > 1)


def load_sounds(
    declaration: Declaration, folder: Path, keep: Callable[[bytes], StoredPrompt]
) -> tuple[list[SoundFile], list[str]]:
    """Check the declared sound files and `keep` them; also what is wrong with them."""
    faults: list[str] = []
    sounds: list[SoundFile] = []
    for account in declaration.accounts:
        for sound in account.sounds:
            path = folder / sound.file
            try:
                stored = keep(path.read_bytes())
            except (OSError, PromptError) as error:
                reason = error.strerror if isinstance(error, OSError) else error
                faults.append(f"{path}: {reason}")
                continue
            sounds.append(sound.row(account.id, stored))
    return sounds, faults


@dataclass(frozen=True)
class Thing:
    """Something that is declared, and its row."""

    kind: str
    name: str
    row: Any
    account_id: str | None = None
    """Whose it is; None: the operator's."""


def things_of(declaration: Declaration, sounds: Sequence[SoundFile]) -> list[Thing]:
    """All but people, each after what it refers to. Making so many rows takes time: do it before writing."""
    things: list[Thing] = []
    for its in declaration.accounts:
        owner = its.id
        things.append(Thing("account", owner, its.row(), owner))
        things += [Thing("app", app.key, app.row(owner), owner) for app in its.apps]
        things += [Thing("number", one.number, one.row(owner), owner) for one in its.numbers]
        things += [Thing("template", one.id, one.row(owner), owner) for one in its.templates]
    things += [Thing("sound", sound.name, sound, sound.account_id) for sound in sounds]
    things += [Thing("trunk", trunk.name, trunk.row()) for trunk in declaration.trunks]
    for route in declaration.routes or []:
        # What is wrong with one was told when the file was read.
        with contextlib.suppress(ValueError):
            things.append(Thing("route", route.prefix, route.row()))
    return things


def apply(
    session: Session,
    declaration: Declaration,
    sounds: list[SoundFile],
    people: PeopleDeclaration | None = None,
    *,
    things: Sequence[Thing] | None = None,
    known: Sequence[str] = (),
    left_out: frozenset[str] = frozenset(),
) -> list[Change]:
    """Make the database hold what is declared. Raises DeclarationError; then the session must be given up.

    :param people: how users, contacts and enterprises are declared.
    :param things: those of the declaration, if they have been made.
    :param known: faults that were found before; they are raised with those that are found here.
    :param left_out: names of what those are about.
    """
    people = people or PeopleDeclaration(session, {}, {}, datetime.now(UTC))
    things = things_of(declaration, sounds) if things is None else things
    there = Declaring(session)
    there.read_under([thing.row for thing in things])
    routes = [thing for thing in things if thing.kind == "route"]
    there.read(Trunk, [name for route in routes for name in route.row.trunks])
    people.read(declaration)
    changes: list[Change] = []
    faults: list[str] = []
    for thing in things:
        if fault := _fault(thing, there):
            faults.append(fault)
        else:
            done = there.declare(thing.row)
            changes.append(Change(thing.kind, thing.name, done.what, done.columns, thing.account_id))
    for account in declaration.accounts:
        people.of_account(account)
    there.write()
    people.users(declaration)
    if not faults and not left_out:
        # They go by apps and numbers that must all be there.
        faults += number_faults(session)
    trunks = {name for route in routes for name in route.row.trunks if there.get(Trunk, name) is not None}
    faults += [
        f"route {route.name}: there is no trunk {name}"
        for route in routes
        for name in route.row.trunks
        if name not in trunks | left_out
    ]
    reviews.withdraw_all(
        session,
        [(thing.row.account_id, thing.kind, thing.name) for thing in things if thing.kind in _REVIEWED],
    )
    if all_faults := [*known, *faults, *people.faults]:
        raise DeclarationError("\n".join(all_faults))
    changes += people.changes
    if declaration.routes is not None:
        kept = {route.prefix for route in declaration.routes}
        removed = rows.remove_routes_except(session, kept)
        changes.extend(Change("route", prefix, "removed") for prefix in removed)
    if any(change.what != "unchanged" for change in changes):
        rows.count_change(session)
    return changes


_REVIEWED = (ReviewKind.TEMPLATE, ReviewKind.SOUND)
"""Kinds of things that leave the queue when they are declared."""


def _fault(thing: Thing, there: Declaring) -> str | None:
    """A thing of one account can't be declared for another, unless it was given back; what an app is for is
    fixed.
    """
    if thing.kind not in ("app", "number"):
        return None
    found = there.under(thing.row)
    is_free = isinstance(found, Number) and found.state == NumberState.RELEASED
    if found is not None and found.account_id != thing.account_id and not is_free:
        return f"{thing.kind} {thing.name} belongs to another account"
    if isinstance(found, App) and found.service != thing.row.service:
        return f"app {thing.name} is for {found.service}, which can't be changed"
    return None
