"""Two accounts, the operator, a user of each role in each of them, and the management API over real HTTP."""

import io
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from pathlib import Path
from random import Random
from typing import Any

import aiohttp
from argon2 import PasswordHasher
from engine import copy_database, database_at, engine_name
from pydantic import SecretStr
from sqlmodel import Session, delete

from controller.accounts.directory import LiveDirectory
from controller.accounts.spending import SpendingTerms
from controller.api.entrance import Gate
from controller.api.listener import listening
from controller.api.pacing import Pacer
from controller.api.remote import Remote
from controller.api.server import always_ready, make_app
from controller.api.wire.authentication import Lockout
from controller.asterisk.fleet import Fleet
from controller.asterisk.node import Node
from controller.billing.calendar import Calendar
from controller.billing.spending import Spending
from controller.capture.room import Captures
from controller.console.console import Console
from controller.console.pages.catalogue import PAGES
from controller.details.index import CallIndex, opened_index
from controller.details.one_call import CallDetails
from controller.details.search import CallSearch
from controller.management.catalogue import OPERATIONS
from controller.management.context import Services, management_services
from controller.management.desk import Desk
from controller.management.operations import PREFIX, Operation
from controller.management.passwords import Passwords, digest
from controller.management.roles import Role
from controller.management.server import REFUSALS, ManagementApi
from controller.prompts.library import PromptLibrary
from controller.pushes.guard import AddressGuard
from controller.pushes.room import opened_pushes
from controller.recordings.links import LinkSigner
from controller.review.queue import ReviewQueue
from controller.settings import AsteriskSettings, HttpSettings, Settings
from controller.sounds.reviewed import REVIEWED
from controller.sounds.room import opened_content
from controller.store.database import Database
from controller.store.management_tables import ApiToken, User
from controller.store.tables import Account, App

ALPHA, BETA = "alpha", "beta"
OPERATOR = None
SILENCE = b"\xd5" * 8000
"""The sound of every sound file that a test needs and doesn't hear."""
_CLOSED_PORT = 1
_QUICK = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


class Clock:
    """Stands still unless it is moved."""

    def __init__(self) -> None:
        self.time = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)

    def now(self) -> datetime:
        return self.time


@dataclass(frozen=True)
class Reply:
    """What the API said."""

    status: int
    headers: Mapping[str, str]
    text: str
    cookies: Mapping[str, Any] = field(default_factory=dict)

    @property
    def body(self) -> Any:
        return json.loads(self.text)

    @property
    def slug(self) -> str:
        """Which problem it is."""
        return str(self.body["type"]).partition("#")[2]

    @property
    def fields(self) -> list[str]:
        """The fields at fault."""
        return [fault["field"] for fault in self.body["errors"]]

    @property
    def etag(self) -> dict[str, str]:
        """For the change of what was read."""
        return {"If-Match": self.headers["ETag"]}


def token(role: Role, account: str | None) -> str:
    """The token of the user with this role in this account."""
    return f"vct_{account or 'operator'}_{role}"


def user_id(role: Role, account: str | None) -> str:
    return f"usr_{account or 'operator'}_{role}"


@dataclass
class World:
    """What a test has."""

    services: Services
    clock: Clock
    http: aiohttp.ClientSession
    url: str
    index: CallIndex
    hung_up: list[str]
    """Session ids of the calls that were to be hung up."""

    async def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        role: Role | None = Role.ADMINISTRATOR,
        of: str | None = OPERATOR,
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        """Ask as the user with this role in this account; role None: as nobody."""
        sent = {"Authorization": f"Bearer {token(role, of)}"} if role is not None else {}
        data: Any = io.BytesIO(body) if isinstance(body, bytes) else None
        if body is not None and data is None:
            sent["Content-Type"] = "application/json"
            data = json.dumps(body).encode()
        url = path if path.startswith("/api/") else PREFIX + path
        async with self.http.request(method, url, data=data, headers={**sent, **(headers or {})}) as answer:
            return Reply(answer.status, answer.headers, await answer.text("utf-8", "replace"), answer.cookies)

    async def write(self, work: Any) -> Any:
        return await self.services.database.write(work)

    async def read(self, work: Any) -> Any:
        return await self.services.database.read(work)


@asynccontextmanager
async def world(folder: Path, template: Path, **sections: Any) -> AsyncIterator[World]:
    """A world in `folder`; `template` is a migrated database."""
    copy_database(template, folder / "world.db")
    settings = Settings(
        data_dir=folder,
        http=HttpSettings(port=0),
        asterisk=AsteriskSettings(
            ari_url=f"http://127.0.0.1:{_CLOSED_PORT}",
            ari_password=SecretStr("x"),
            ami_password=SecretStr("x"),
            etc_dir=folder,
        ),
    ).model_copy(update=sections)
    clock = Clock()

    async def changed(_directory: object) -> None:
        pass

    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(
            Database(database_at(folder / "world.db"), synchronous="OFF")
        )
        await database.write(lambda session: _populate(session, clock.now()))
        directory = LiveDirectory(database, changed)
        await directory.refresh()
        fleet = Fleet([Node(settings.asterisk, phone=settings.phone, clock=clock)])
        terms = SpendingTerms(directory, settings.limits.daily_cap)
        calendar = Calendar(settings.billing.zone_info)
        spending = Spending(clock, calendar, terms, lambda _number: False)
        content = await opened_content(
            settings, database, list(fleet), None, clock, lambda _media: (), directory.refresh
        )
        PromptLibrary(settings.draft_dir).keep(SILENCE)
        for work in content.works:
            work.close()
        reviews = ReviewQueue(database, clock, REVIEWED)
        index = await stack.enter_async_context(opened_index(database, settings.call_index))
        pushes = await stack.enter_async_context(
            opened_pushes(
                settings,
                database,
                lambda key: directory.now.applications.get(key),
                AddressGuard([ip_network("127.0.0.0/8")]),
                clock,
                Random(1),
            )
        )
        for work in pushes.works:
            work.close()
        hung_up: list[str] = []

        async def hang_up(session_id: str, _app_key: str) -> bool:
            hung_up.append(session_id)
            return session_id.startswith("1200_live")

        made = management_services(
            settings,
            database,
            clock,
            directory,
            fleet,
            spending,
            content,
            reviews,
            CallSearch(database, index),
            CallDetails(
                database,
                settings,
                clock,
                LinkSigner(b"k" * 32, clock, timedelta(minutes=30)),
                Captures(settings.capture, None, clock),
            ),
            hang_up,
            pushes.resender,
        )
        services = replace(made, passwords=Passwords(_QUICK))
        remote = Remote(settings.http.trusted_proxies)
        api = ManagementApi(OPERATIONS, services, remote)
        nobody = Lockout(1000, timedelta(minutes=1), timedelta(minutes=1))
        gate = Gate(nobody, Pacer(), remote, clock, settings.http.read_timeout, REFUSALS)
        console = Console(PAGES, Desk(OPERATIONS, services), remote)
        app = make_app([*api.routes(), *console.routes()], always_ready, settings.http, gate)
        async with (
            listening(app, settings.http, gate, patience=0.1) as listener,
            aiohttp.ClientSession(listener.url, cookie_jar=aiohttp.DummyCookieJar()) as http,
        ):
            yield World(services, clock, http, listener.url, index, hung_up)


def _populate(session: Session, now: datetime) -> None:
    # The template is made for calls and has an account of its own.
    session.execute(delete(App))
    session.execute(delete(Account))
    for account in (ALPHA, BETA):
        session.add(Account(id=account, name=account))
    session.flush()
    for account in (OPERATOR, ALPHA, BETA):
        for role in Role:
            user = User(
                id=user_id(role, account),
                login=f"{role}@{account or 'operator'}",
                role=role,
                account_id=account,
                password_hash="none",
                created_at=now,
            )
            session.add(user)
            session.flush()
            session.add(
                ApiToken(
                    id=f"tok_{account or 'operator'}_{role}",
                    user_id=user.id,
                    name="test",
                    role=role,
                    digest=digest(token(role, account)),
                    created_at=now,
                    expires_at=now + timedelta(days=1),
                )
            )
    session.flush()


def named(operation: Operation) -> str:
    return operation.name


def tamper(session: Session, statement: str) -> None:
    """Change the audit trail as somebody could who may do anything in the database."""
    dropped = {
        "sqlite": ["DROP TRIGGER audit_entry_no_update", "DROP TRIGGER audit_entry_no_delete"],
        "postgresql": ["DROP TRIGGER audit_entry_no_change ON audit_entry"],
    }
    for one in (*dropped[engine_name()], statement):
        session.connection().exec_driver_sql(one)
