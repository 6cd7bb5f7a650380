"""Controllers of one database that use different nodes, by intention or by mistake."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from service.membership.support import NOW, Clock, Group, Member, call, owners
from sqlalchemy.exc import OperationalError
from sqlmodel import Session
from unit.calls.support import ACCOUNT, make_node
from unit.support import soon

from controller.ari.fake import FakeAsterisk
from controller.asterisk.node import Node
from controller.doctor.declared import namesakes
from controller.doctor.finding import Level
from controller.lifecycle import background
from controller.recordings.keeper import RecordingKeeper
from controller.settings import DatabaseSettings, Settings
from controller.store import controllers
from controller.store.errors import Fenced
from controller.store.recordings import RecordingState
from controller.store.tables import CallPush, Recording

pytestmark = [pytest.mark.requirement("E2"), pytest.mark.engine("postgresql")]


async def test_E2_given_calls_on_nodes_of_two_controllers_when_theirs_dies_then_each_has_those_on_its_own(
    group: Group,
) -> None:
    a, b, c = await _with_calls_on_two_nodes(group)
    b.live()
    c.live()

    await asyncio.wait_for(b.watch().wait(), 15)
    assert await b.database.read(owners) == {"one": "b", "over": "b", "three": "a"}
    with pytest.raises(Fenced):
        await a.database.write(lambda session: call(session, "late", "a"))
    assert await b.membership._silent() == [], "the rest is not its own"
    await asyncio.wait_for(c.watch().wait(), 15)

    assert await b.database.read(owners) == {"one": "b", "over": "b", "three": "c"}
    assert [(estate.nodes, estate.live, estate.behind) for estate in (*b.estates, *c.estates)] == [
        ({"node1"}, ("one",), ("one",)),
        ({"node3"}, ("three",), ("three",)),
    ]
    left = await b.database.read(lambda session: controllers.pulses(session, "b"))
    assert [pulse.name for pulse in left] == ["c"]


async def test_E2_given_calls_left_for_a_controller_that_dies_too_when_seen_then_another_has_them(
    group: Group,
) -> None:
    _a, b, c = await _with_calls_on_two_nodes(group)
    b.live()
    came = b.watch()
    await asyncio.wait_for(came.wait(), 15)
    await c.membership.leave()

    async with asyncio.timeout(15):
        while len(b.estates) < 3:
            came.clear()
            await came.wait()
    assert await b.database.read(owners) == dict.fromkeys(("one", "over", "three"), "b")


async def test_E2_given_a_commit_that_is_not_heard_of_when_part_of_an_estate_is_taken_then_it_is_gone_on_with(
    group: Group, monkeypatch: pytest.MonkeyPatch
) -> None:
    _a, b, _c = await _with_calls_on_two_nodes(group)
    write = b.database.write

    async def unheard(work: Any, **more: Any) -> Any:
        monkeypatch.setattr(b.database, "write", write)
        await write(work, **more)
        raise OperationalError("COMMIT", None, Exception("server closed the connection"))

    monkeypatch.setattr(b.database, "write", unheard)
    await asyncio.wait_for(b.watch().wait(), 15)

    assert [(estate.nodes, estate.live) for estate in b.estates] == [({"node1"}, ("one",))]


async def _with_calls_on_two_nodes(group: Group) -> tuple[Member, Member, Member]:
    """One that is gone and had calls on nodes of which neither of the two that live has both."""
    a = await group.member("a", "node1,node3")
    b, c = await group.member("b", "node1,node2"), await group.member("c", "node3")

    def calls(session: Session) -> None:
        call(session, "one", "a")
        call(session, "three", "a", node="node3")
        call(session, "over", "a", ended=True, node="node3")
        for name in ("one", "three", "over"):
            session.add(CallPush(call_id=name))

    await a.database.write(calls)
    await a.membership.leave()
    return a, b, c


# Two Asterisks under one name


async def test_E2_given_one_node_name_for_two_asterisks_when_both_are_used_then_the_second_one_is_not(
    group: Group, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("controller.membership.membership.NAME_PATIENCE", 0.0)
    a, b = await group.member("a"), await group.member("b")
    async with FakeAsterisk(entity_id="one") as one, FakeAsterisk(entity_id="two") as two:
        async with AsyncExitStack() as stack:
            # Without its keeper: that would see at once that its Asterisk has no such recording.
            of_a = await stack.enter_async_context(_node(a, one, tmp_path / "a"))
            await soon(of_a.ari.wait_ready())
            await a.database.write(_with_recording)
            of_b = await stack.enter_async_context(_kept_node(b, two, tmp_path / "b"))
            # It comes again and again, and is told so once.
            await two.requested("asterisk.getInfo", 3)
            assert (of_a.available, of_b.available) == (True, False)
            assert {request.operation for request in two.requests} <= {
                "applications.filter",
                "asterisk.getInfo",
                "channels.list",
                "bridges.list",
            }
            (told,) = [record for record in caplog.records if record.msg.startswith("Node is not used")]
            assert told.__dict__["controller"] == "a"
            assert await b.database.read(lambda session: session.get_one(Recording, "call").state) == (
                RecordingState.PENDING
            )

        # Nobody uses the first one any more, and says so.
        a.live()
        async with _kept_node(b, two, tmp_path / "b") as of_b:
            await soon(of_b.ari.wait_ready(), 10)


def _node(member: Member, asterisk: FakeAsterisk, directory: Path) -> Node:
    """The member's node1."""
    directory.mkdir(exist_ok=True)
    node = make_node(asterisk, directory)
    node.claim = partial(member.membership.claim, node.name)
    member.membership.is_connected = lambda _name: node.ari.connected
    return node


@asynccontextmanager
async def _kept_node(member: Member, asterisk: FakeAsterisk, directory: Path) -> AsyncIterator[Node]:
    """The member's node1 and the keeper of its recordings, put together as in a controller."""
    async with _node(member, asterisk, directory) as node:
        keeper = RecordingKeeper(
            member.database, node, Clock(), directory, timedelta(days=7), member.membership.name
        )
        async with background(keeper.run()):
            yield node


def _with_recording(session: Session) -> None:
    call(session, "call", "a", ended=True)
    recording = Recording(
        call_id="call",
        account_id=ACCOUNT,
        name="call.wav",
        node="node1",
        state=RecordingState.PENDING,
        started_at=NOW,
    )
    session.add(recording)


async def test_E2_given_an_asterisk_with_another_id_when_all_that_used_it_see_it_then_it_is_the_node(
    group: Group, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after a restart in a new container, or on a new machine."""
    monkeypatch.setattr("controller.membership.membership.NAME_PATIENCE", 0.0)
    a, b = await group.member("a"), await group.member("b")
    assert await a.membership.claim("node1", "old") is None
    assert await b.membership.claim("node1", "old") is None

    # Neither has said yet that it lost the old one: the first waits, the second need not.
    assert await a.membership.claim("node1", "new") == "b"
    assert await b.membership.claim("node1", "new") is None
    assert await a.membership.claim("node1", "new") is None


@pytest.mark.parametrize("how", ["it has left", "it is connected to none", "it was taken over"])
async def test_E2_given_a_name_that_another_had_when_that_one_has_it_no_more_then_it_stands_for_ours(
    group: Group, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    monkeypatch.setattr("controller.membership.membership.NAME_PATIENCE", 0.0)
    a, b = await group.member("a"), await group.member("b")
    assert await a.membership.claim("node1", "one") is None
    assert await b.membership.claim("node1", "two") == "a"

    if how == "it has left":
        await a.membership.leave()
    elif how == "it was taken over":
        (seen,) = await b.database.read(lambda session: controllers.pulses(session, "b"))
        await b.database.write(lambda session: controllers.take_over(session, seen, "b", NOW))
    else:
        a.membership.is_connected = lambda _node: False
        await a.database.write(a.membership._give_sign)

    assert await b.membership.claim("node1", "two") is None


async def test_E2_given_asterisks_of_one_machine_when_under_two_names_or_one_then_they_are_used(
    group: Group,
) -> None:
    """Their ids are the same, as they are made of the machine's MAC address; some say none."""
    a, b = await group.member("a"), await group.member("b")

    assert await a.membership.claim("node1", "same") is None
    assert await b.membership.claim("node2", "same") is None
    assert await b.membership.claim("node1", "same") is None
    assert await b.membership.claim("node1", "") is None


async def test_E2_given_one_node_name_for_two_asterisks_when_the_doctor_looks_then_it_names_who_has_it(
    group: Group, monkeypatch: pytest.MonkeyPatch
) -> None:
    a = await group.member("a")
    assert await a.membership.claim("node1", "one") is None
    settings = Settings(name="b", database=DatabaseSettings(url=group.url))
    assert await namesakes(settings, "node1", "one") == []
    monkeypatch.setattr("controller.doctor.declared.NAME_PATIENCE", 0.01)
    # One that has crashed is nobody's rival.
    assert await namesakes(settings, "node1", "two") == []
    monkeypatch.undo()

    a.live()
    (finding,) = await namesakes(settings, "node1", "two")

    assert finding.level is Level.FAULT
    assert "node1 is another Asterisk at a" in finding.text
