"""A small house for tests of calls: the fake Asterisk, a database, a node, the call service."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
from engine import copy_database, database_at, is_made
from pydantic import SecretStr
from sqlalchemy import select
from sqlmodel import Session
from unit.ari.raw import raw_client
from unit.support import soon

from controller.ari import Permission, RetryDecision, retry_unless_refused
from controller.ari.fake import Behaviour, FakeAsterisk
from controller.asterisk.fleet import Fleet
from controller.asterisk.node import Node
from controller.asterisk.routing import RouteConfiguration, RoutingTable
from controller.calls.call import CallRequest, LiveCall, Notification, PlayItem, Prompt
from controller.calls.collection import ReplayRule
from controller.calls.metering import Meter
from controller.calls.recovery import Recovery
from controller.calls.service import Accepted, CallService
from controller.calls.timeline import Entry, Kind
from controller.phone_number import PhoneNumber
from controller.settings import AsteriskSettings, CallSettings
from controller.store.database import Database
from controller.store.engines import make_engine
from controller.store.journal import Journal
from controller.store.limits import Limits, NonceUse
from controller.store.tables import Account, App, Call, Cdr, CdrPush, Service, TimelineEntry
from controller.store.turns import Turn, alone

HOST = "controller1.test"
ACCOUNT, APP = "account-1", "app-1"
SHOWN, CALLEE = PhoneNumber("+8657126880001"), PhoneNumber("+8613900001111")

QUICK = CallSettings(
    ring_timeout=5.0, first_digit_timeout=0.25, inter_digit_timeout=0.25, max_replays=3, drain_timeout=1.0
)
PATIENT = QUICK.model_copy(update={"first_digit_timeout": 60.0, "inter_digit_timeout": 60.0})
_CLOSED_PORT = 1


class SteadyClock:
    """Moves on by a millisecond each time it is read."""

    def __init__(self) -> None:
        self._now = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)

    def now(self) -> datetime:
        self._now += timedelta(milliseconds=1)
        return self._now

    def pass_(self, span: timedelta) -> None:
        """Time passes."""
        self._now += span


class Told:
    """What the customer would have been told; remembers instead of pushing."""

    def __init__(self) -> None:
        self.entries: list[tuple[str, Entry]] = []
        self.calls: list[tuple[LiveCall, Entry]] = []
        self._news = asyncio.Event()

    def tell(self, call: LiveCall, entry: Entry, after: "asyncio.Task[None] | None" = None) -> None:
        del after
        self.entries.append((call.session_id, entry))
        self.calls.append((call, entry))
        self._news.set()

    def of(self, session_id: str) -> list[Entry]:
        return [entry for told, entry in self.entries if told == session_id]

    async def until(self, session_id: str, kind: Kind, count: int = 1, *, limit: float = 5.0) -> Entry:
        """Wait until a call has told the first (or `count`th) entry of this kind."""
        while True:
            found = [entry for entry in self.of(session_id) if entry.kind is kind]
            if len(found) >= count:
                return found[count - 1]
            self._news.clear()
            await soon(self._news.wait(), limit)


@dataclass(frozen=True)
class Ended:
    """A call that is over: what was told, and the record that was kept."""

    kinds: list[Kind]
    state_code: int
    cdr: dict[str, Any]

    @property
    def cut_point(self) -> int:
        cut_point: int = self.cdr["cut_point"]
        return cut_point

    @property
    def keys(self) -> str:
        keys: str = self.cdr["keys"]
        return keys


@dataclass
class House:
    """Everything that a call needs."""

    asterisk: FakeAsterisk
    database: Database
    node: Node
    service: CallService
    told: Told
    clock: SteadyClock
    due_cdrs: list[datetime] = field(default_factory=list)

    def phone_does(self, behaviour: Behaviour) -> None:
        self.asterisk.phones = lambda _endpoint, _variables: behaviour

    async def start(
        self,
        *items: PlayItem,
        max_calls: int = 10,
        limits: Limits | None = None,
        nonce: NonceUse | None = None,
        **request: Any,
    ) -> Accepted:
        wanted = call_request(*items, **request)
        return await soon(self.service.start(wanted, nonce, limits or Limits(max_calls)))

    async def call(self, *items: PlayItem, behaviour: Behaviour | None = None) -> Ended:
        """A whole call."""
        if behaviour is not None:
            self.phone_does(behaviour)
        return await self.ended(await self.start(*items))

    async def ended(self, accepted: Accepted, *, limit: float = 5.0) -> Ended:
        """Wait for the end of a call."""
        session_id = accepted.session_id
        last = await self.told.until(session_id, Kind.DISCONNECT, limit=limit)
        kinds = [entry.kind for entry in self.told.of(session_id)]
        assert kinds.count(Kind.DISCONNECT) == 1
        return Ended(kinds, last.detail["state_code"], (await self.cdrs())[session_id])

    async def cdrs(self) -> dict[str, dict[str, Any]]:
        """The records kept, by session."""
        records = await self.rows(Cdr)
        return {row.record["session_id"]: row.record for row in records}

    async def rows(self, table: Any) -> list[Any]:
        """All rows of a table."""

        def read(session: Any) -> list[Any]:
            found = list(session.execute(select(table)).scalars())
            session.expunge_all()
            return found

        return await self.database.read(read)

    async def reconnect(self) -> None:
        """Cut the socket and wait until it is there again."""
        self.asterisk.drop_sockets()
        await soon(self.node.ari.wait_lost())
        await soon(self.node.ari.wait_ready())

    async def live_rows(self) -> int:
        return len([row for row in await self.rows(Call) if row.ended_at is None])

    async def timeline(self) -> list[str]:
        """The kinds of all entries written down, in order."""
        rows = await self.rows(TimelineEntry)
        return [row.kind for row in sorted(rows, key=lambda row: row.sequence)]

    async def pushes_due(self) -> int:
        return len(await self.rows(CdrPush))

    async def idle(self, *, limit: float = 5.0) -> None:
        """Wait until no channel is left."""
        await self.asterisk.until(lambda: not self.asterisk.channels, limit=limit)

    @property
    def asked(self) -> list[str]:
        """The operations that calls have asked for."""
        of_calls = ("channels", "playbacks", "bridges")
        names = [request.operation for request in self.asterisk.requests]
        return [name for name in names if name.split(".")[0] in of_calls and not name.endswith("list")]


def item(name: str, collect: int = 0, replay_on: str | None = None, *, replay_all: bool = False) -> PlayItem:
    """One item of a notification; its media is `sound:{name}`."""
    rule = ReplayRule(replay_all or replay_on is not None, replay_on)
    return PlayItem(Prompt(name, f"sound:{name}"), collect, rule)


def call_request(*items: PlayItem, **changes: Any) -> CallRequest:
    parts: Mapping[str, Any] = {
        "account_id": ACCOUNT,
        "app_key": APP,
        "display_number": SHOWN,
        "callee": CALLEE,
        "plan": Notification(items or (item("hello"),)),
        "fee_url": "http://customer.test/fee",
        **changes,
    }
    return CallRequest(**parts)


def add_account(path: Path) -> None:
    """Put an account and an app into an empty database."""
    engine = make_engine(database_at(path))
    with Session(engine) as session, session.begin():
        session.add(Account(id=ACCOUNT))
        session.flush()
        session.add(App(key=APP, account_id=ACCOUNT, service=Service.NOTIFICATION, secret="12345678"))
    engine.dispose()


def make_node(
    asterisk: FakeAsterisk,
    etc_dir: Path,
    turn: Turn = alone,
    permission: Permission | None = None,
    retry: RetryDecision = retry_unless_refused,
    **changes: Any,
) -> Node:
    address = asterisk.address
    settings = AsteriskSettings(
        **{
            "ari_url": address.url,
            "ari_user": address.user,
            "ari_password": SecretStr(address.password),
            "ami_port": _CLOSED_PORT,
            "etc_dir": etc_dir,
            **changes,
        }
    )
    node = Node(settings, random=Random(1), turn=turn, permission=permission, retry=retry)
    node.routing = RoutingTable([RouteConfiguration("+86", contact="sip:{number}@127.0.0.1:5070")])
    return node


@asynccontextmanager
async def running_house(
    asterisk: FakeAsterisk,
    template: Path,
    directory: Path,
    settings: CallSettings = QUICK,
    prepare: Callable[[House], Any] | None = None,
    ready_within: float = 5.0,
    meter: Meter | None = None,
    **node_changes: Any,
) -> AsyncIterator[House]:
    """A house whose node takes calls; `prepare` is awaited before the node connects."""
    path = directory / "test.db"
    if not is_made(path):
        copy_database(template, path)
    told, clock, due = Told(), SteadyClock(), []
    async with (
        Database(database_at(path), synchronous="NORMAL") as database,
        Journal(database) as journal,
    ):
        node = make_node(asterisk, directory, **node_changes)
        service = CallService(
            database,
            journal,
            Fleet([node]),
            told,
            due.append,
            lambda: None,
            clock,
            Random(2),
            settings,
            HOST,
            timedelta(seconds=1.2),
            meter=meter,
        )
        node.on_snapshot = Recovery(database, node, service, clock, HOST)
        house = House(asterisk, database, node, service, told, clock, due)
        if prepare is not None:
            await prepare(house)
        async with node:
            await soon(node.ari.wait_ready(), ready_within)
            try:
                yield house
            finally:
                await service.drain(0)


async def leave_channel(asterisk: FakeAsterisk, channel_id: str) -> None:
    """A channel as a controller that was killed leaves it in Asterisk."""
    async with raw_client(asterisk, "voicecall") as client:
        asked = {"endpoint": "PJSIP/100@trunk", "app": "voicecall", "channelId": channel_id}
        await client.ask("POST", "channels/create", None, **asked)
        await client.event("StasisStart")
        await client.ask("POST", f"channels/{channel_id}/dial")
        asterisk.phone(channel_id).answer()
    await asterisk.until(lambda: asterisk.connections == 0)


def held_ends(house: House, monkeypatch: pytest.MonkeyPatch) -> tuple[asyncio.Event, asyncio.Event]:
    """Ends of calls are not written before the second is set; the first is set when one waits for that."""
    write, closing, may_go_on = house.database.write, asyncio.Event(), asyncio.Event()

    async def slow(work: Any, patience: float = 0.0) -> Any:
        if "_close" in work.__qualname__:
            closing.set()
            await may_go_on.wait()
        return await write(work, patience=patience)

    monkeypatch.setattr(house.database, "write", slow)
    return closing, may_go_on


@asynccontextmanager
async def crowded(house: House) -> AsyncIterator[None]:
    """As many requests are under way as may be: whoever asks Asterisk for something waits for its turn."""
    places = house.node.ari._connection._places
    taken = 0
    while not places.locked():
        await places.acquire()
        taken += 1
    try:
        yield
    finally:
        for _ in range(taken):
            places.release()


async def until_somebody_waits(house: House) -> None:
    async with asyncio.timeout(5):
        while not house.node.ari._connection._waiting:  # noqa: ASYNC110
            await asyncio.sleep(0)
