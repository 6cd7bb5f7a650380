"""Several controllers on one PostgreSQL and one Asterisk: one is killed, paused or restarted under load."""

import asyncio
import os
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pytest
from engine import database_at, drop_databases
from integration.support import APP_KEY, CALLBACK_KEY, SECOND_SHOWN, SECRET, SHOWN, Bench, StartBench
from sqlmodel import Session, select

from controller.settings import CaptureSettings, DatabaseSettings, Settings
from controller.store import controllers
from controller.store.database import make_engine
from controller.store.tables import Call
from testbed.client import CALLSTOP, CLICK2CALL, ApiClient, encoded_url
from testbed.controller_process import ControllerProcess, controller_process
from testbed.push_receiver import Hang, Reply

pytestmark = [pytest.mark.requirement("E2", "E4"), pytest.mark.engine("postgresql")]

T = TypeVar("T")

TAKEN_OVER = 10.0
"""Seconds in which the calls of a controller that is gone must be another's."""


def callee(index: int, talk: int = 3) -> str:
    """Answers after a second and hangs up `talk` seconds later."""
    return f"+9990160{1}{talk:03}{index:03}"


@dataclass
class Member:
    """A controller in a process of its own, and a customer who asks it."""

    process: ControllerProcess
    client: ApiClient


@dataclass
class Group:
    """Controllers that share a database."""

    bench: Bench
    stack: AsyncExitStack
    url: str

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
        return Member(process, client)

    async def notify(self, member: Member, index: int, talk: int = 3) -> str | None:
        """Ask for a call that plays and ends; None if it was not accepted."""
        try:
            answer = await member.client.notify(
                self.bench.request({"notifyVoice": "one.wav"}, callee=callee(index, talk))
            )
        except OSError:
            return None
        return answer.session_id if answer.code == "0" else None

    async def call_back(self, member: Member, talk: int) -> str:
        """A callback whose phones talk for `talk` seconds."""
        body = {
            "displayNbr": SHOWN,
            "callerNbr": callee(901, talk),
            "displayCalleeNbr": SECOND_SHOWN,
            "calleeNbr": callee(902, talk),
            "statusUrl": encoded_url(self.bench.receiver.url("/status")),
            "feeUrl": encoded_url(self.bench.receiver.url("/fee")),
        }
        async with ApiClient.open(member.process.url, CALLBACK_KEY, SECRET) as client:
            answer = await client.post(CLICK2CALL, body)
        assert answer.code == "0", answer.text
        return answer.session_id

    async def talking(self, member: Member, talk: int) -> str:
        """A callback whose phones talk by now."""
        session = await self.call_back(member, talk)
        await self.bench.receiver.wait_for(
            lambda push: (
                push.json["eventType"] == "answer"
                and push.json["statusInfo"].get("sessionId") == session
                and push.json["statusInfo"].get("called") == callee(902, talk)
            )
        )
        return session

    async def stop(self, member: Member, session: str) -> str:
        """Ask a controller to end a callback; returns its answer's code."""
        body = {"sessionid": session, "signal": "call_stop"}
        async with ApiClient.open(member.process.url, CALLBACK_KEY, SECRET) as client:
            return (await client.post(CALLSTOP, body)).code

    def read(self, work: Callable[[Session], T]) -> T:
        engine = make_engine(self.url)
        with Session(engine) as session:
            found = work(session)
        engine.dispose()
        return found

    def accepted(self) -> list[str]:
        """The session ids of all calls that were written down."""
        return self.read(lambda session: list(session.exec(select(Call.session_id)).all()))

    def heir(self, name: str) -> str | None:
        """Who has taken over from a controller."""
        return self.read(lambda session: session.get_one(controllers.Controller, name).taken_by)

    async def all_over(self, sessions: list[str], timeout: float) -> None:
        """Every call has exactly one CDR and one disconnect."""
        for session in sessions:
            await self.bench.receiver.wait_cdr(session, timeout)
        for session in sessions:
            assert len(self.bench.receiver.cdrs(session)) == 1, session

    async def until(self, true: Callable[[], bool], timeout: float) -> float:
        """Wait until something is so; returns how long that took."""
        began = time.monotonic()
        while not await asyncio.to_thread(true):
            assert time.monotonic() - began < timeout
            await asyncio.sleep(0.1)
        return time.monotonic() - began


StartGroup = Callable[[], Awaitable[Group]]


@pytest.fixture
async def group(bench: StartBench, tmp_path: Path) -> AsyncIterator[Group]:
    url = database_at(tmp_path / "shared.db")
    b = await bench(
        sections={"database": DatabaseSettings(url=url)}, app={"max_calls": 200}, controller=False
    )
    async with AsyncExitStack() as stack:
        yield Group(b, stack, url)
    drop_databases(tmp_path)


async def test_E2_given_two_controllers_under_load_when_one_is_killed_then_the_other_goes_on_with_its_calls(
    group: Group,
) -> None:
    a, b = await asyncio.gather(group.start("a"), group.start("b"))
    talks = await group.talking(a, talk=25)
    async with asyncio.TaskGroup() as asking:
        for index in range(24):
            asking.create_task(group.notify((a, b)[index % 2], index))
    a.process.send(signal.SIGKILL)
    took = await group.until(lambda: group.heir("a") == "b", TAKEN_OVER)
    later = [await group.notify(b, index) for index in range(24, 28)]
    accepted = group.accepted()

    assert took < TAKEN_OVER
    assert None not in later
    await group.all_over([session for session in accepted if session != talks], 30)
    # The callback went on without a gap: it ended as its phones did, not when its controller did.
    assert group.bench.receiver.cdrs(talks) == []
    cdr = await group.bench.receiver.wait_cdr(talks, 40)
    assert len(group.bench.receiver.cdrs(talks)) == 1
    assert cdr["fwdAnswerTime"]
    assert len(accepted) == 29


async def test_E2_given_a_controller_that_was_paused_when_it_comes_back_then_it_ends_and_tells_nothing(
    group: Group,
) -> None:
    a, b = await asyncio.gather(group.start("a"), group.start("b"))
    sessions = [session for index in range(8) if (session := await group.notify(a, index, talk=20))]
    for session in sessions:
        await group.bench.receiver.wait_status(session, "answer")
    a.process.send(signal.SIGSTOP)
    try:
        await group.until(lambda: group.heir("a") == "b", TAKEN_OVER)
        await group.all_over(sessions, 20)
        before = len(group.bench.receiver.statuses())
    finally:
        a.process.send(signal.SIGCONT)

    status = await a.process.ended()

    assert status == os.EX_TEMPFAIL
    await group.bench.receiver.wait_status(sessions[0], "disconnect")
    assert len(group.bench.receiver.statuses()) == before
    assert {len(group.bench.receiver.cdrs(session)) for session in sessions} == {1}
    assert (await group.notify(b, 99)) is not None


async def test_E4_given_controllers_under_load_when_restarted_one_after_the_other_then_no_call_is_lost(
    group: Group,
) -> None:
    stop, asked = asyncio.Event(), Counter[bool]()
    members: dict[str, Member] = {}
    sessions: list[str] = []

    async def customer() -> None:
        """Asks one after the other, and the next one if one says no, as a balancer does."""
        index = 0
        while not stop.is_set():
            index += 1
            for member in list(members.values()):
                session = await group.notify(member, index % 900, talk=2)
                if session is not None:
                    sessions.append(session)
                    break
            asked[session is not None] += 1
            await asyncio.sleep(0.1)

    async with AsyncExitStack() as old:
        members |= {"a": await group.start("a", old), "b": await group.start("b", old)}
        load = asyncio.create_task(customer())
        for name in ("a", "b"):
            await asyncio.sleep(1)
            gone = members.pop(name)
            gone.process.send(signal.SIGTERM)
            assert await gone.process.ended() == 0
            members[name] = await group.start(name)
        stop.set()
        await load

    await group.all_over(sessions, 20)
    assert asked[False] == 0
    assert sorted(sessions) == sorted(group.accepted())


async def test_E2_given_a_call_at_one_controller_when_stopped_at_another_then_it_ends(group: Group) -> None:
    a, b = await asyncio.gather(group.start("a"), group.start("b"))
    session = await group.call_back(a, talk=60)
    await group.bench.receiver.wait_status(session, "answer")

    stopped = await group.stop(b, session)
    unknown = await group.stop(b, f"x{session}")
    began = time.monotonic()
    await group.bench.receiver.wait_cdr(session, 10)

    assert stopped == "0"
    assert unknown == "1020152"
    assert time.monotonic() - began < 8


async def test_E4_given_all_controllers_ended_at_once_when_a_receiver_hangs_then_they_end_and_talks_go_on(
    group: Group,
) -> None:
    """The first to be gone must not be taken over by one that is ending too, and waits for pushes."""
    pushes, calls = group.bench.home.settings.pushes, group.bench.home.settings.calls
    calls = calls.model_copy(update={"drain_timeout": 1})
    a, b = await asyncio.gather(
        group.start("a", calls=calls, pushes=pushes.model_copy(update={"timeout": 0.5})),
        group.start("b", calls=calls, pushes=pushes.model_copy(update={"timeout": 5})),
    )
    talks = await asyncio.gather(group.talking(a, talk=90), group.talking(b, talk=90))
    group.bench.receiver.plan(Hang())
    assert await group.notify(b, 1) is not None

    for member in (a, b):
        member.process.send(signal.SIGTERM)
    first = asyncio.create_task(a.process.ended())
    assert await b.process.ended() == 0
    assert first.done() and first.result() == 0
    assert group.heir("a") is None

    group.bench.receiver.plan(Reply())
    b = await group.start("b")
    await group.until(lambda: group.heir("a") == "b", TAKEN_OVER)
    assert [await group.stop(b, session) for session in talks] == ["0", "0"]
    await group.all_over(list(talks), 20)
