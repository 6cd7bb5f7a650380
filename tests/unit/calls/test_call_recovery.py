"""Recovery: after a start or a lost connection nothing is left behind, and nothing else is touched."""

import asyncio
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from unit.ari.raw import raw_client
from unit.calls.support import (
    ACCOUNT,
    APP,
    CALLEE,
    HOST,
    SHOWN,
    House,
    held_ends,
    item,
    leave_channel,
    running_house,
)
from unit.support import LateReads, soon

from controller.ari.fake import ANSWERS, FakeAsterisk
from controller.calls.recovery import Recovery
from controller.calls.timeline import Kind
from controller.pushes.wire import status_push
from controller.store import calls as rows
from controller.store import controllers
from controller.store.limits import Limits
from controller.store.tables import Call

LEFT = "1200_1_7_20261123070000"
STRAY = f"{LEFT}.a"


async def leave_call(house: House, call_id: str = LEFT, controller: str = HOST, *kinds: Kind) -> None:
    """A call as a controller that was killed leaves it in the database."""
    row = {
        "id": call_id,
        "session_id": f"{call_id}@{controller}",
        "account_id": ACCOUNT,
        "app_key": APP,
        "service": "notification",
        "controller": controller,
        "node": "node1",
        "display_number": SHOWN.e164,
        "bind_number": "+8657126880009",
        "callee": CALLEE.e164,
        "user_data": "job-7",
        "status_url": "http://customer.test/status",
        "fee_url": "http://customer.test/fee",
        "accepted_at": house.clock.now(),
    }
    entries = [
        {
            "call_id": call_id,
            "sequence": sequence,
            "at": house.clock.now(),
            "kind": kind,
            "leg": "a",
            "detail": {"digits": "12"} if kind is Kind.COLLECTED else None,
        }
        for sequence, kind in enumerate(kinds, 1)
    ]
    await house.database.write(lambda session: rows.accept_call(session, row, None, Limits(100)))
    if entries:
        await house.database.write(lambda session: rows.add_entries(session, entries))


@asynccontextmanager
async def started_after(
    asterisk: FakeAsterisk, template: Path, tmp_path: Path, *kinds: Kind, **node_changes: Any
) -> AsyncIterator[House]:
    """A controller that starts after one that was killed during a call."""

    async def prepare(house: House) -> None:
        await leave_call(house, LEFT, HOST, *kinds)

    async with running_house(asterisk, template, tmp_path, prepare=prepare, **node_changes) as house:
        yield house


@pytest.mark.requirement("E4", "B2")
async def test_given_a_call_left_behind_when_started_then_it_is_closed_with_all_that_is_known_of_it(
    asterisk: FakeAsterisk, template: Path, tmp_path: Path
) -> None:
    known = (Kind.CALLOUT, Kind.ALERTING, Kind.ANSWER, Kind.COLLECTED)
    async with started_after(asterisk, template, tmp_path, *known) as house:
        last = await house.told.until(f"{LEFT}@{HOST}", Kind.DISCONNECT)
        assert last.detail["state_code"] == 8000
        # Beyond what the lost controller may have told of and not written.
        assert last.sequence > len(known) + 1
        (cdr,) = (await house.cdrs()).values()
        assert (cdr["state_code"], cdr["keys"], cdr["user_data"]) == (8000, "12", "job-7")
        assert cdr["bind_number"] == "+8657126880009"
        assert cdr["first_leg"]["answered"] is not None
        assert await house.pushes_due() == 1
        assert await house.live_rows() == 0
        assert await house.timeline() == [*known, Kind.DISCONNECT]


async def test_given_a_call_left_behind_before_anything_happened_when_started_then_it_is_closed_too(
    asterisk: FakeAsterisk, template: Path, tmp_path: Path
) -> None:
    async with started_after(asterisk, template, tmp_path) as house:
        await house.told.until(f"{LEFT}@{HOST}", Kind.DISCONNECT)
        assert await house.live_rows() == 0


@pytest.mark.requirement("E4")
async def test_given_a_call_left_behind_when_connected_again_and_again_then_it_is_closed_once(
    asterisk: FakeAsterisk, template: Path, tmp_path: Path
) -> None:
    async with started_after(asterisk, template, tmp_path) as house:
        for _ in range(3):
            await house.reconnect()
        assert [entry.kind for _session, entry in house.told.entries] == [Kind.DISCONNECT]
        assert len(await house.cdrs()) == 1


@pytest.mark.requirement("E2")
@pytest.mark.parametrize("is_back", [False, True])
async def test_given_an_estate_when_its_controller_is_back_or_not_then_its_application_is_taken_or_left(
    asterisk: FakeAsterisk, template: Path, tmp_path: Path, is_back: bool
) -> None:
    async with running_house(asterisk, template, tmp_path) as house:
        recovery = house.node.on_snapshot
        assert isinstance(recovery, Recovery)
        now = house.clock.now()
        await house.database.write(partial(controllers.join, name="a", application="a", nodes=[], now=now))
        pulse = await house.database.read(partial(controllers.pulse_of, name="a"))
        assert pulse is not None
        await house.database.write(partial(controllers.take_over, seen=pulse, name=HOST, now=now))
        if is_back:
            await house.database.write(
                partial(controllers.join, name="a", application="a", nodes=[], now=now)
            )
        async with raw_client(asterisk, "a") as other:
            await recovery.take_over("a")
            await other.ask("GET", "asterisk/ping")
        assert other.types().count("ApplicationReplaced") == (not is_back)


@pytest.mark.requirement("E2")
async def test_E2_given_a_takeover_in_the_midst_of_a_connect_when_connected_then_its_calls_are_seen_to(
    asterisk: FakeAsterisk, template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def prepare(house: House) -> None:
        await leave_call(house, LEFT, "a")

    def give_to_us(session: Any) -> None:
        session.get(Call, LEFT).controller = HOST

    await leave_channel(asterisk, STRAY)
    async with running_house(asterisk, template, tmp_path, prepare=prepare) as house:
        recovery = house.node.on_snapshot
        assert isinstance(recovery, Recovery)
        look, takeovers, channels = recovery._left_behind, list[asyncio.Task[None]](), list[list[str]]()

        async def just_before() -> Any:
            left = await look()
            channels.append(list(asterisk.channels))
            if not takeovers:
                await house.database.write(give_to_us)
                takeovers.append(asyncio.create_task(recovery.take_over("a")))
            return left

        monkeypatch.setattr(recovery, "_left_behind", just_before)
        asterisk.drop_sockets()
        await house.told.until(f"{LEFT}@a", Kind.DISCONNECT)
        await soon(takeovers[0])

        # Not hung up for one that nobody knows, by a recovery that saw it as another controller's.
        assert channels == [[STRAY], [STRAY]]
        assert await house.live_rows() == 0
    assert list(asterisk.channels) == []


@pytest.mark.requirement("E2")
async def test_given_a_live_call_of_another_controller_when_started_then_it_is_left_alone(
    asterisk: FakeAsterisk, template: Path, tmp_path: Path
) -> None:
    async def prepare(house: House) -> None:
        await leave_call(house, LEFT, "controller2.test")

    async with running_house(asterisk, template, tmp_path, prepare=prepare) as house:
        assert house.told.entries == []
        assert await house.live_rows() == 1


@pytest.mark.requirement("E4")
async def test_given_channels_when_started_then_those_of_dead_calls_are_hung_up_and_no_others(
    asterisk: FakeAsterisk, template: Path, tmp_path: Path
) -> None:
    await leave_channel(asterisk, f"{LEFT}.a")
    await leave_channel(asterisk, f"{LEFT}.b")
    await leave_channel(asterisk, "of somebody else")
    async with running_house(asterisk, template, tmp_path):
        assert list(asterisk.channels) == ["of somebody else"]


@pytest.mark.requirement("E4")
async def test_given_entries_that_a_crash_took_when_the_end_is_told_then_no_number_is_used_twice(
    asterisk: FakeAsterisk, template: Path, tmp_path: Path
) -> None:
    async with started_after(asterisk, template, tmp_path, Kind.CALLOUT) as house:
        last = await house.told.until(f"{LEFT}@{HOST}", Kind.DISCONNECT)
        (call,) = [told for told, entry in house.told.calls if entry is last]

    # Of the call-out, and of as many as may have been told and not written.
    assert status_push(call, last).sequence == 1 + 20


@pytest.mark.requirement("E4")
async def test_given_bridges_when_started_then_those_of_dead_calls_are_destroyed_and_no_others(
    asterisk: FakeAsterisk, template: Path, tmp_path: Path
) -> None:
    async with raw_client(asterisk, "voicecall") as client:
        for bridge in (f"{LEFT}.bridge", "of-somebody-else"):
            await client.ask("POST", f"bridges/{bridge}")
    async with running_house(asterisk, template, tmp_path):
        assert asterisk.left["bridges"] == ["of-somebody-else"]


@pytest.mark.requirement("E4")
async def test_given_a_live_call_when_connected_again_then_it_is_neither_closed_nor_hung_up(
    house: House,
) -> None:
    house.phone_does(ANSWERS)
    house.asterisk.sounds = lambda _media: math.inf
    accepted = await house.start()
    await house.told.until(accepted.session_id, Kind.PROMPT)
    await house.reconnect()
    assert len(house.asterisk.channels) == 1
    assert await house.live_rows() == 1
    (channel_id,) = house.asterisk.channels
    house.asterisk.phone(channel_id).hang_up()
    assert (await house.ended(accepted)).state_code == 0


@pytest.mark.requirement("E4")
async def test_E4_given_a_call_that_ends_while_live_ones_are_read_when_recovered_then_it_is_not_left_behind(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    recovery = house.node.on_snapshot
    assert isinstance(recovery, Recovery)
    house.phone_does(ANSWERS)
    house.asterisk.sounds = lambda _media: math.inf
    accepted = await house.start()
    await house.told.until(accepted.session_id, Kind.PROMPT)
    with monkeypatch.context() as late:
        reads = LateReads(house.database, late)
        found = asyncio.create_task(recovery._left_behind())
        await reads.read.wait()
    (channel_id,) = house.asterisk.channels
    (call,) = house.service._tasks.values()
    house.asterisk.phone(channel_id).hang_up()
    await soon(call)
    assert not house.service.live_ids
    reads.gate.set()
    assert await found == []


async def test_given_a_stray_channel_that_is_gone_when_it_is_to_be_hung_up_then_the_node_takes_calls(
    asterisk: FakeAsterisk, template: Path, tmp_path: Path
) -> None:
    await leave_channel(asterisk, STRAY)
    asterisk.faults.answer("channels.hangup", 404, after_doing=True)
    async with running_house(asterisk, template, tmp_path) as house:
        assert house.node.available


async def test_given_a_stray_channel_that_asterisk_cannot_hang_up_when_started_then_the_node_takes_calls(
    asterisk: FakeAsterisk, template: Path, tmp_path: Path
) -> None:
    await leave_channel(asterisk, STRAY)
    asterisk.faults.answer("channels.hangup", 500, times=1_000_000)
    async with running_house(asterisk, template, tmp_path, ready_within=2.0) as house:
        assert house.node.available


async def test_given_a_stray_channel_that_asterisk_fails_to_hang_up_once_when_started_then_it_is_asked_again(
    asterisk: FakeAsterisk, template: Path, tmp_path: Path
) -> None:
    await leave_channel(asterisk, STRAY)
    asterisk.faults.answer("channels.hangup", 500)
    async with running_house(asterisk, template, tmp_path, ready_within=2.0):
        assert STRAY not in asterisk.channels


async def test_given_a_database_that_fails_when_recovering_then_it_is_tried_again(
    asterisk: FakeAsterisk, template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failures = 2

    async def prepare(house: House) -> None:
        await leave_call(house)
        read = house.database.read

        async def unreliable(work: Any, patience: float = 0.0) -> Any:
            nonlocal failures
            if failures:
                failures -= 1
                raise OSError("disk I/O error")
            return await read(work)

        monkeypatch.setattr(house.database, "read", unreliable)

    async with running_house(asterisk, template, tmp_path, prepare=prepare) as house:
        assert await house.live_rows() == 0


@pytest.mark.requirement("B1", "E4")
async def test_given_the_socket_is_lost_while_a_call_left_behind_is_closed_when_over_then_its_end_was_told(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    await leave_call(house)
    write, closing, may_go_on = house.database.write, asyncio.Event(), asyncio.Event()

    async def slow(work: Any, patience: float = 0.0) -> Any:
        result = await write(work)
        closing.set()
        await may_go_on.wait()
        return result

    monkeypatch.setattr(house.database, "write", slow)
    house.asterisk.drop_sockets()
    await soon(closing.wait())
    house.asterisk.drop_sockets()
    await house.asterisk.until(lambda: house.asterisk.connections == 1)
    may_go_on.set()
    await house.told.until(f"{LEFT}@{HOST}", Kind.DISCONNECT, limit=2.0)
    assert len(house.told.entries) == 1


@pytest.mark.requirement("E4")
async def test_given_a_call_that_could_not_hang_up_when_connected_while_it_is_closed_then_it_is_hung_up(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.phone_does(ANSWERS)
    accepted = await house.start(item("ask", collect=1))
    await house.asterisk.told("PlaybackFinished")
    closing, may_go_on = held_ends(house, monkeypatch)
    # No digits come while the socket is down, so at its end the call can't hang up its phone.
    house.asterisk.refuse_connections()
    house.asterisk.drop_sockets()
    await soon(closing.wait())
    assert len(house.asterisk.channels) == 1
    house.asterisk.refuse_connections(False)
    await soon(house.node.ari.wait_ready())
    may_go_on.set()
    await house.ended(accepted)
    await house.idle(limit=2.0)


async def test_given_two_controllers_of_one_database_when_both_close_a_call_then_it_has_one_record(
    asterisk: FakeAsterisk, template: Path, tmp_path: Path
) -> None:
    async with started_after(asterisk, template, tmp_path) as house:
        await house.told.until(f"{LEFT}@{HOST}", Kind.DISCONNECT)
        ended = await house.database.write(
            lambda session: rows.end_call(
                session,
                LEFT,
                ended_at=house.clock.now(),
                state_code=0,
                last_entry={},
                cdr={},
                app_key=APP,
                delivery=None,
            )
        )
        assert ended is False
        (row,) = await house.rows(Call)
        assert row.state_code == 8000
