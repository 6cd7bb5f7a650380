"""What tests of several controllers on one database work with."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import aiohttp
from engine import database_at, drop_databases
from integration.support import (
    APP_KEY,
    CALLBACK_KEY,
    CALLED,
    SECOND,
    SECOND_SHOWN,
    SECRET,
    SHOWN,
    Bench,
    StartBench,
)
from sqlmodel import Session, col, func, select

from controller.calls.conversation import bridge_id
from controller.settings import AsteriskSettings, CaptureSettings, DatabaseSettings, Settings
from controller.store import controllers
from controller.store.engines import make_engine
from controller.store.tables import Call, CallPush, CdrPush
from testbed.client import CALLSTOP, CLICK2CALL, ApiClient, encoded_url, patiently
from testbed.controller_process import ControllerProcess, controller_process
from testbed.phone_call import PhoneCall
from testbed.softphone_plan import Plan

T = TypeVar("T")

TAKEN_OVER = 10.0
"""Seconds in which what a controller that is gone had must be another's."""

A_TONE, B_TONE = 700, 900
"""What the two phones play for as long as they talk."""

RINGS = "+99901999000"
"""Rings, and does not answer."""


def callee(index: int, talk: int = 3) -> str:
    """Answers after a second and hangs up `talk` seconds later, if what it hears is not over before."""
    return f"+9990160{1}{talk:03}{index:03}"


def call_of(session: str) -> str:
    """The id of a call."""
    return session.partition("@")[0]


@dataclass
class Member:
    """A controller in a process of its own, and a customer who asks it."""

    process: ControllerProcess
    client: ApiClient


@dataclass
class Group:
    """Controllers that share a database and their nodes."""

    bench: Bench
    stack: AsyncExitStack
    url: str
    asterisks: list[aiohttp.ClientSession]
    """Ask each Asterisk itself, whatever controllers think of it."""
    members: list[Member] = field(default_factory=list)

    def settings(self, name: str, **sections: Any) -> Settings:
        # Node and controllers share a machine, and one port can be listened on by one of them.
        own = {"name": name, "capture": CaptureSettings(port=0), **sections}
        return self.bench.home.settings.model_copy(update=own)

    async def start(self, name: str, stack: AsyncExitStack | None = None, **sections: Any) -> Member:
        stack = stack or self.stack
        folder = self.bench.home.directory / f"controller-{name}"
        settings = self.settings(name, **sections)
        process = await stack.enter_async_context(controller_process(settings, folder))
        client = await stack.enter_async_context(ApiClient.open(process.url, APP_KEY, SECRET))
        member = Member(process, client)
        self.members.append(member)
        return member

    @contextmanager
    def paused(self, member: Member) -> Iterator[None]:
        """A controller that does nothing until the end of the block, and knows nothing of that."""
        member.process.send(signal.SIGSTOP)
        try:
            yield
        finally:
            member.process.send(signal.SIGCONT)

    async def has_all_nodes(self, member: Member) -> bool:
        """Whether all nodes take calls of this controller."""
        async with aiohttp.ClientSession() as http, http.get(f"{member.process.url}/metrics") as answer:
            lines = (await answer.text()).splitlines()
        up = [line.rpartition(" ")[2] for line in lines if line.startswith("voicecall_node_up{")]
        return up == ["1.0"] * len(self.asterisks)

    # Asking for calls

    async def notify(self, member: Member, index: int, talk: int = 3, prompt: str = "one.wav") -> str | None:
        """Ask for a call that plays, a second or `long.wav` six, and ends; None if it was not accepted."""
        try:
            request = self.bench.request({"notifyVoice": prompt}, callee=callee(index, talk))
            answer = await patiently(lambda: member.client.notify(request))
        except (OSError, aiohttp.ClientError):
            return None
        return answer.session_id if answer.code == "0" else None

    async def call_back(self, member: Member, caller: str = CALLED, called: str = SECOND, **more: str) -> str:
        """A callback between the two phones, or other numbers; `more` are fields of the request."""
        body = {
            "displayNbr": SHOWN,
            "callerNbr": caller,
            "displayCalleeNbr": SECOND_SHOWN,
            "calleeNbr": called,
            "statusUrl": encoded_url(self.bench.receiver.url("/status")),
            "feeUrl": encoded_url(self.bench.receiver.url("/fee")),
            **more,
        }
        async with ApiClient.open(member.process.url, CALLBACK_KEY, SECRET) as client:
            answer = await patiently(lambda: client.post(CLICK2CALL, body))
        assert answer.code == "0", answer.text
        return answer.session_id

    async def talking(self, member: Member, caller: str = CALLED, called: str = SECOND, **more: str) -> str:
        """A callback whose phones talk by now."""
        session = await self.call_back(member, caller, called, **more)
        await self.told(session, "answer", called)
        return session

    async def told(self, session: str, event: str, called: str) -> None:
        """Wait until the customer knows this of a leg."""
        await self.bench.receiver.wait_for(
            lambda push: (
                push.json["eventType"] == event
                and push.json["statusInfo"].get("sessionId") == session
                and push.json["statusInfo"].get("called") == called
            )
        )

    async def stop(self, member: Member, session: str) -> str:
        """Ask a controller to end a callback; returns its answer's code."""
        body = {"sessionid": session, "signal": "call_stop"}
        async with ApiClient.open(member.process.url, CALLBACK_KEY, SECRET) as client:
            return (await client.post(CALLSTOP, body)).code

    # What the database and Asterisk have

    def read(self, work: Callable[[Session], T]) -> T:
        engine = make_engine(self.url)
        with Session(engine) as session:
            found = work(session)
        engine.dispose()
        return found

    def accepted(self) -> list[str]:
        """The session ids of all calls that were written down."""
        return self.read(lambda session: list(session.exec(select(Call.session_id)).all()))

    def ended_at(self, session: str) -> datetime:
        """When a call that is over ended."""
        ended = self.read(lambda rows: rows.get_one(Call, call_of(session)).ended_at)
        assert ended is not None
        return ended

    def node_of(self, session: str) -> str:
        """The node that a call is on."""
        return self.read(lambda rows: rows.get_one(Call, call_of(session)).node)

    def heir(self, name: str) -> str | None:
        """Who has taken over from a controller."""
        return self.read(lambda session: session.get_one(controllers.Controller, name).taken_by)

    def beat(self, name: str) -> int:
        """How often a controller has shown that it is alive."""
        return self.read(lambda session: session.get_one(controllers.Controller, name).beat)

    async def has_beaten(self, name: str, since: int) -> bool:
        return await asyncio.to_thread(self.beat, name) > since

    async def taken_over(self, name: str, by: str) -> bool:
        return await asyncio.to_thread(self.heir, name) == by

    async def heir_of(self, name: str, timeout: float) -> str:
        """Wait until somebody has taken over from a controller, and return who."""
        async with asyncio.timeout(timeout):
            while (heir := await asyncio.to_thread(self.heir, name)) is None:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        return heir

    def to_be_done(self) -> int:
        """Calls that go on, CDRs in the outbox, and durable calls of which something is still to be told."""
        return self.read(
            lambda session: sum(
                session.exec(select(func.count()).select_from(table).where(still)).one()
                for table, still in (
                    (Call, col(Call.ended_at).is_(None)),
                    (CdrPush, col(CdrPush.due_at).is_not(None)),
                    (CallPush, col(CallPush.given_up_at).is_(None)),
                )
            )
        )

    async def ask_asterisks(self, path: str) -> list[Any]:
        """The answers of all nodes."""

        async def ask(asterisk: aiohttp.ClientSession) -> Any:
            async with asterisk.get(f"/ari/{path}") as answer:
                return await answer.json()

        return await asyncio.gather(*(ask(asterisk) for asterisk in self.asterisks))

    async def in_asterisk(self) -> tuple[set[str], set[str]]:
        """Ids of the channels and of the bridges that there are, on any node."""
        channels, bridges = [
            {found["id"] for its in await self.ask_asterisks(path) for found in its}
            for path in ("channels", "bridges")
        ]
        return channels, bridges

    async def only_talks(self, *sessions: str) -> bool:
        """Whether Asterisk has the two legs of each of these callbacks, talking, and nothing else."""
        expected = {bridge_id(call_of(session)) for session in sessions}
        return await self.in_asterisk() == (set().union(*map(legs, sessions)), expected)

    async def hears_of(self, name: str, session: str) -> bool:
        """Whether a controller's application gets the events of a callback."""
        return any(
            legs(session) <= set(application.get("channel_ids", ()))
            and bridge_id(call_of(session)) in application.get("bridge_ids", ())
            for application in await self.ask_asterisks(f"applications/voicecall-{name}")
        )

    async def until(self, true: Callable[[], Awaitable[bool]], timeout: float) -> float:
        """Wait until something is so; returns by `time.monotonic()` since when."""
        began = time.monotonic()
        while not await true():
            assert time.monotonic() - began < timeout, true
            await asyncio.sleep(0.1)
        return time.monotonic()

    # What customers were told

    async def all_told(self, sessions: Collection[str], timeout: float = 30) -> None:
        """Wait until nothing is left to be told or done, and end all controllers.

        What has not come by then never comes: what has can be counted. Asterisk has nothing left either.
        """
        for session in sessions:
            await self.bench.receiver.wait_cdr(session, timeout)

        async def nothing_is_left() -> bool:
            return await asyncio.to_thread(self.to_be_done) == 0 and await self.in_asterisk() == (
                set(),
                set(),
            )

        await self.until(nothing_is_left, timeout)
        running = [member.process for member in self.members if member.process.process.returncode is None]
        for process in running:
            process.send(signal.SIGTERM)
        assert [await process.ended() for process in running] == [0] * len(running)
        assert await self.in_asterisk() == (set(), set())

    def numbers(self, session: str) -> list[int]:
        """The numbers of a call's status pushes (X-Call-Sequence), as they came."""
        return [
            int(status.push.header("X-Call-Sequence") or -1)
            for status in self.bench.receiver.statuses(session)
        ]

    def disconnects(self, session: str) -> int:
        """How often the customer was told that a call is over, which is the last that is told."""
        events = [status.event_type for status in self.bench.receiver.statuses(session)]
        count = events.count("disconnect")
        assert events[len(events) - count :] == ["disconnect"] * count, (session, events)
        return count

    def told_once(self, sessions: Collection[str]) -> bool:
        """Whether of each call everything came once and in order, its end and its CDR among it."""
        counts = {
            session: (self.disconnects(session), len(self.bench.receiver.cdrs(session)))
            for session in sessions
        }
        assert counts == dict.fromkeys(sessions, (1, 1)), counts
        for session in sessions:
            numbers = self.numbers(session)
            assert numbers == sorted(set(numbers)), session
        return True


def legs(session: str) -> set[str]:
    """The ids of the channels of a callback."""
    return {f"{call_of(session)}.{leg}" for leg in "ab"}


async def talk(first: PhoneCall, second: PhoneCall) -> None:
    """Each hears what the other does now."""
    for speaks, hears in ((first, second), (second, first)):
        before = len(hears.digits)
        await speaks.send_digits("7")
        assert (await hears.heard_digits(before + 1))[before:] == "7"


@asynccontextmanager
async def several_controllers(
    bench: StartBench,
    folder: Path,
    *plan: Plan,
    phones: Mapping[str, Plan],
    app: Mapping[str, object],
    nodes: Iterable[AsteriskSettings] = (),
) -> AsyncIterator[Group]:
    """A group without members yet; `nodes` are there beside the bench's own."""
    url = database_at(folder / "shared.db")
    b = await bench(
        *plan,
        phones=phones,
        sections={"database": DatabaseSettings(url=url)},
        app={"max_calls": 200, **app},
        controller=False,
    )
    own = b.home.settings.asterisk
    settings = [own, *nodes]
    if len(settings) > 1:
        whole = AsteriskSettings(nodes=tuple(settings))
        b.home.settings = b.home.settings.model_copy(update={"asterisk": whole})
    async with AsyncExitStack() as stack:
        asterisks = []
        for its in settings:
            login = aiohttp.encode_basic_auth(its.ari_user, its.ari_password.get_secret_value())
            session = aiohttp.ClientSession(its.ari_url, headers={"Authorization": login})
            asterisks.append(await stack.enter_async_context(session))
        yield Group(b, stack, url, asterisks)
    drop_databases(folder)
