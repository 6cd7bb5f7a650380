"""What tests of pushes work with."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Network, IPv6Network
from random import Random
from typing import Any

from pydantic import SecretStr
from sqlalchemy import select
from unit.calls.support import ACCOUNT, APP
from unit.support import soon

from controller.accounts.directory import Application
from controller.pushes.courier import Courier
from controller.pushes.guard import AddressGuard
from controller.pushes.http_sender import HttpSender
from controller.pushes.ledger import Ledger
from controller.pushes.push import Push
from controller.pushes.receiver import Delivery, Failure
from controller.settings import PushSettings
from controller.store.database import Database
from controller.store.tables import PushAttempt, Service

LOOPBACK: list[IPv4Network | IPv6Network] = [IPv4Network("127.0.0.0/8"), IPv6Network("::1/128")]
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class SetClock:
    """Stands still until it is moved."""

    def __init__(self, now: datetime | None = None) -> None:
        self._now = now or datetime(2026, 11, 24, 8, 0, tzinfo=UTC)

    def now(self) -> datetime:
        return self._now

    def move(self, **by: float) -> None:
        self._now += timedelta(**by)


def push_settings(**changes: Any) -> PushSettings:
    return PushSettings(**{"timeout": 2, "allowed_networks": LOOPBACK, **changes})


def push(url: str, number: int = 0, **changes: Any) -> Push:
    values: dict[str, Any] = {
        "app_key": APP,
        "url": url,
        "message_id": f"msg_{number}",
        "event_type": "answer",
        "body": b"{}",
        "call_ids": ("call",),
        "sequence": number,
        **changes,
    }
    return Push(**values)


def fee(url: str, number: int = 0, **changes: Any) -> Push:
    """A CDR push."""
    return push(url, number, event_type="fee", sequence=None, **changes)


@asynccontextmanager
async def http_sender(look_up: Any = None, **changes: Any) -> AsyncIterator[HttpSender]:
    settings = push_settings(**changes)
    guard = AddressGuard(settings.allowed_networks)
    async with HttpSender(settings, guard, look_up) as sender:
        yield sender


async def read_request(reader: asyncio.StreamReader) -> bytes:
    """One request, of any length; b"" when the client has closed."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return b""
    length = next(
        (int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), 0
    )
    return head + await reader.readexactly(length)


@asynccontextmanager
async def raw_server(serve: Serve, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """A server on loopback that does with each connection what `serve` says; yields its port."""
    tasks: set[asyncio.Task[Any]] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            await serve(reader, writer)
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            tasks.discard(task)
            writer.transport.abort()

    server = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in [*tasks]:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)


async def keep_saying_ok(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while await read_request(reader):
        writer.write(OK)
        await writer.drain()


@dataclass
class ScriptedServer:
    """Sends these pieces as the answer to each request, on as many connections as there are."""

    pieces: Sequence[bytes] = (OK,)
    requests: list[bytes] = field(default_factory=list)
    connections: int = 0
    said_all: asyncio.Event = field(default_factory=asyncio.Event)
    """All pieces of an answer are on their way."""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        while request := await read_request(reader):
            self.requests.append(request)
            try:
                for piece in self.pieces:
                    writer.write(piece)
                    await writer.drain()
                    await asyncio.sleep(0.001)
            finally:
                self.said_all.set()


class Scripted:
    """A sender that answers as it is told and remembers what it sent; the last answer stays."""

    def __init__(self, *answers: Delivery) -> None:
        self.answers = list(answers) or [Delivery(200)]
        self.sent: list[tuple[str, bytes, dict[str, str]]] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self._news = asyncio.Event()

    async def send(self, url: str, body: bytes, headers: Mapping[str, str]) -> Delivery:
        self.sent.append((url, body, dict(headers)))
        self._news.set()
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        await self.gate.wait()
        return answer

    async def until(self, count: int) -> None:
        """Wait until so many were sent."""
        async with asyncio.timeout(5):
            while len(self.sent) < count:
                self._news.clear()
                await self._news.wait()

    @property
    def sequences(self) -> list[int]:
        """The X-Call-Sequence of each."""
        return [int(headers["X-Call-Sequence"]) for _, _, headers in self.sent]


FAILS = Delivery(None, Failure.TIMEOUT, "no answer in 2 s")


def application(**changes: Any) -> Application:
    values: dict[str, Any] = {
        "key": APP,
        "account_id": ACCOUNT,
        "service": Service.NOTIFICATION,
        "active": True,
        "recording": False,
        "max_calls": 10,
        "secret": SecretStr("s3cret-APP-0001"),
        "status_url": None,
        "fee_url": None,
        **changes,
    }
    return Application(**values)


@dataclass
class Room:
    """Courier and ledger over a scripted sender and a real database."""

    database: Database
    sender: Any
    ledger: Ledger
    courier: Courier
    clock: SetClock
    application: Application


@asynccontextmanager
async def room(
    database: Database,
    sender: Any = None,
    clock: SetClock | None = None,
    app: Application | None = None,
    **settings: Any,
) -> AsyncIterator[Room]:
    clock, app, sender = clock or SetClock(), app or application(), sender or Scripted()
    async with Ledger(database, clock, timedelta(days=5)) as ledger:
        apps = {app.key: app}
        courier = Courier(sender, apps.get, ledger, clock, Random(1), push_settings(**settings))
        yield Room(database, sender, ledger, courier, clock, app)


def call_row(call_id: str, accepted_at: datetime, **more: Any) -> dict[str, Any]:
    """The row of a call, as the call service writes it."""
    return {
        "id": call_id,
        "session_id": f"{call_id}@host",
        "account_id": ACCOUNT,
        "app_key": APP,
        "service": "notification",
        "controller": "host",
        "node": "node1",
        "display_number": "+8657126880001",
        "callee": "+8613900001111",
        "accepted_at": accepted_at,
        **more,
    }


async def attempts(database: Database) -> list[PushAttempt]:
    """Those that are kept, the oldest first."""
    return await database.read(
        lambda session: list(session.execute(select(PushAttempt).order_by(PushAttempt.id)).scalars())  # type: ignore[arg-type]
    )


async def until_written(place: Room) -> None:
    """Wait until the ledger has written what it has gathered."""
    assert place.ledger._writing is not None
    await soon(place.ledger._writing)
