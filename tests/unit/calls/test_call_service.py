"""The call service: what is accepted, what is written down, what is told, how it ends."""

import asyncio
import math
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from unit.calls.support import (
    APP,
    CALLEE,
    HOST,
    PATIENT,
    House,
    call_request,
    item,
    running_house,
)
from unit.support import lose_commit_answers, soon

from controller.ari.fake import ANSWERS, WAITS, Behaviour, FakeAsterisk
from controller.asterisk.errors import NodeUnavailable, NoRoute
from controller.calls import service as service_module
from controller.calls.cdr import CallDetailRecord
from controller.calls.service import Accepted, ShuttingDown
from controller.calls.timeline import Kind
from controller.phone_number import PhoneNumber
from controller.store import persistent
from controller.store.errors import LimitReached, Replayed
from controller.store.limits import Limits, NonceUse
from controller.store.tables import Call, Cdr


async def taken_back(house: House) -> None:
    """Wait until no call is live; nobody tells when a refused one no longer is."""
    async with asyncio.timeout(5):
        while house.service.live_ids:  # noqa: ASYNC110
            await asyncio.sleep(0)


def lose_answers(house: House, monkeypatch: pytest.MonkeyPatch, times: int) -> None:
    """The next writes are done, and look as if they had failed."""
    left, write = [None] * times, house.database.write

    async def done_and_lost(work: Any, *, patience: float = 0.0) -> Any:
        result = await write(work, patience=patience)
        if left:
            left.pop()
            raise OSError("connection lost")
        return result

    monkeypatch.setattr(house.database, "write", done_and_lost)


class FailingWrites:
    """A database whose writes fail, or wait, for as long as the test wants."""

    def __init__(self, house: House, monkeypatch: pytest.MonkeyPatch) -> None:
        self.failures = 0
        self.seen = asyncio.Event()
        self.may_go_on = asyncio.Event()
        self.may_go_on.set()
        self._write = house.database.write
        monkeypatch.setattr(house.database, "write", self.write)

    async def write(self, work: Any, patience: float = 0.0) -> Any:
        self.seen.set()
        await self.may_go_on.wait()
        if self.failures:
            self.failures -= 1
            raise OSError("disk full")
        return await self._write(work, patience=patience)


@pytest.mark.requirement("A4.1")
async def test_given_a_request_when_accepted_then_it_is_written_down_before_it_is_made(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    writes = FailingWrites(house, monkeypatch)
    writes.may_go_on.clear()
    accepting = asyncio.ensure_future(house.start())
    await soon(writes.seen.wait())
    assert house.asked == []
    writes.may_go_on.set()
    accepted = await soon(accepting)
    (row,) = await house.rows(Call)
    assert (row.session_id, row.ended_at, row.controller) == (accepted.session_id, None, HOST)
    assert row.session_id == f"{row.id}@{HOST}"
    await house.asterisk.requested("channels.originate")


async def test_given_a_call_when_it_ends_then_row_record_push_and_timeline_are_written_and_its_end_is_told(
    house: House,
) -> None:
    ended = await house.call(item("hello", collect=1), behaviour=Behaviour(digits=((0.01, "1"),)))
    (row,) = await house.rows(Call)
    assert (row.state_code, row.ended_at is None) == (0, False)
    record = CallDetailRecord.from_json(ended.cdr)
    assert record.to_json() == ended.cdr
    assert (record.app_key, record.callee, record.host_name) == (APP, CALLEE.e164, HOST)
    times = record.first_leg
    assert times.dialled is not None
    assert times.ringing is not None
    assert times.answered is not None
    assert times.dialled < times.ringing < times.answered < record.ended_at
    assert record.collection_started_at is not None
    assert await house.pushes_due() == 1
    (due_at,) = house.due_cdrs
    assert due_at - record.ended_at.replace(microsecond=0) == timedelta(seconds=1.2)
    kinds = [entry.kind for _session, entry in house.told.entries]
    assert kinds == ended.kinds
    sequences = [entry.sequence for _session, entry in house.told.entries]
    assert sequences == sorted(set(sequences))


async def test_given_nobody_wants_the_record_when_a_call_ends_then_it_is_kept_and_not_pushed(
    house: House,
) -> None:
    house.phone_does(ANSWERS)
    await house.ended(await house.start(fee_url=None))
    assert len(await house.cdrs()) == 1
    assert await house.pushes_due() == 0
    assert house.due_cdrs == []


@pytest.mark.requirement("A4.4")
async def test_given_as_many_calls_as_allowed_when_one_more_is_asked_for_then_the_limit_is_reached(
    house: House,
) -> None:
    first = await house.start(max_calls=2)
    second = await house.start(max_calls=2)
    assert (first.idle, second.idle) == (1, 0)
    with pytest.raises(LimitReached):
        await house.start(max_calls=2)
    assert len(await house.rows(Call)) == 2
    assert len(house.service.live_ids) == 2


@pytest.mark.requirement("A4.4")
@pytest.mark.parametrize(
    "behaviour",
    [ANSWERS, Behaviour(sip_status=486), Behaviour(hang_up_after=0.0)],
    ids=["normal", "busy", "hung up"],
)
async def test_given_a_full_quota_when_a_call_ends_then_its_place_is_free_at_once(
    house: House, behaviour: Behaviour
) -> None:
    house.phone_does(behaviour)
    for _ in range(5):
        accepted = await house.start(max_calls=1)
        assert accepted.idle == 0
        await house.ended(accepted)
    assert len(await house.cdrs()) == 5
    assert await house.live_rows() == 0


@pytest.mark.requirement("A4.4")
async def test_given_many_requests_at_once_when_the_quota_is_small_then_no_more_calls_than_that_are_made(
    house: House,
) -> None:
    asked = await asyncio.gather(*(house.start(max_calls=3) for _ in range(20)), return_exceptions=True)
    refused = [answer for answer in asked if isinstance(answer, LimitReached)]
    assert (len(refused), await house.live_rows(), len(house.service.live_ids)) == (17, 3, 3)
    for number in range(1, 4):
        await house.asterisk.requested("channels.originate", number)
    assert house.asked.count("channels.originate") == 3


@pytest.mark.requirement("A4.5")
async def test_given_a_nonce_that_was_used_when_used_again_then_it_is_refused_and_no_call_is_made(
    house: House,
) -> None:
    nonce = NonceUse(APP, "n-1", house.clock.now() + timedelta(minutes=10))
    await house.start(nonce=nonce)
    with pytest.raises(Replayed):
        await house.start(nonce=nonce)
    await house.start(nonce=NonceUse(APP, "n-2", nonce.expires_at))
    assert len(await house.rows(Call)) == 2


@pytest.mark.requirement("A4.5")
async def test_given_one_nonce_twice_when_both_are_written_together_then_one_call_is_made(
    house: House,
) -> None:
    nonce = NonceUse(APP, "n-1", house.clock.now() + timedelta(minutes=10))
    outcomes = await asyncio.gather(*(house.start(nonce=nonce) for _ in range(2)), return_exceptions=True)
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["Accepted", "Replayed"]
    assert len(await house.rows(Call)) == 1


async def test_given_the_limit_was_reached_when_refused_then_its_nonce_may_be_used_again(
    house: House,
) -> None:
    nonce = NonceUse(APP, "n-1", house.clock.now() + timedelta(minutes=10))
    with pytest.raises(LimitReached):
        await house.start(nonce=nonce, max_calls=0)
    await house.start(nonce=nonce)


async def test_given_a_number_that_no_route_leads_to_when_asked_for_then_nothing_has_happened(
    house: House,
) -> None:
    with pytest.raises(NoRoute):
        await house.start(callee=PhoneNumber("+4912345678"))
    assert await house.rows(Call) == []
    assert house.service.live_ids == frozenset()


@pytest.mark.requirement("E4")
async def test_given_the_node_is_away_when_a_call_is_asked_for_then_nothing_has_happened(
    house: House,
) -> None:
    house.asterisk.kill()
    await soon(house.node.ari.wait_lost())
    with pytest.raises(NodeUnavailable):
        await house.start()
    assert await house.rows(Call) == []


async def test_given_the_database_fails_when_a_call_is_asked_for_then_no_call_is_made(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    writes = FailingWrites(house, monkeypatch)
    writes.failures = 1
    with pytest.raises(OSError, match="disk full"):
        await house.start()
    await taken_back(house)
    assert house.asked == []
    assert await house.rows(Cdr) == []
    assert (await house.call(behaviour=ANSWERS)).state_code == 0


async def test_E4_given_a_commit_whose_answer_is_lost_when_a_call_is_asked_for_then_its_place_is_free_again(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    lose_answers(house, monkeypatch, 1)
    with pytest.raises(OSError, match="connection lost"):
        await house.start()
    await taken_back(house)
    assert house.asked == []
    assert await house.live_rows() == 0
    assert len(await house.rows(Cdr)) == 1


@pytest.mark.requirement("E2")
async def test_E4_given_a_group_whose_commit_is_not_answered_when_calls_are_asked_for_then_no_place_is_kept(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    lose_commit_answers(house.database, monkeypatch, 1)
    expires = house.clock.now() + timedelta(minutes=5)
    asked = [house.start(nonce=NonceUse(APP, nonce, expires)) for nonce in ("one", "other")]
    refused = await asyncio.gather(*asked, return_exceptions=True)
    await taken_back(house)

    assert [str(error) for error in refused] == ["connection lost"] * 2
    assert house.asked == []
    assert await house.live_rows() == 0
    assert len(await house.rows(Cdr)) == 2


async def test_E4_given_a_commit_whose_answer_is_lost_when_a_call_ends_then_it_is_told_of_once(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.phone_does(ANSWERS)
    accepted = await house.start()
    lose_answers(house, monkeypatch, 5)
    ended = await house.ended(accepted, limit=20)

    assert ended.kinds.count(Kind.DISCONNECT) == 1
    assert len(await house.rows(Cdr)) == 1
    assert await house.pushes_due() == 1


async def test_given_who_asked_goes_away_when_the_call_is_being_accepted_then_it_is_made_all_the_same(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    writes = FailingWrites(house, monkeypatch)
    writes.may_go_on.clear()
    asking = asyncio.ensure_future(house.service.start(call_request(), None, Limits(10)))
    await soon(writes.seen.wait())
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    writes.may_go_on.set()
    await house.asterisk.requested("channels.originate")
    assert await house.live_rows() == 1


@pytest.mark.requirement("E4", "B2")
async def test_given_the_database_fails_when_a_call_ends_then_its_end_is_written_again_until_it_stands(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(persistent, "_RETRY", (0.001, 0.01))
    house.phone_does(ANSWERS)
    house.asterisk.sounds = lambda _media: math.inf
    accepted = await house.start()
    await house.told.until(accepted.session_id, Kind.PROMPT)
    writes = FailingWrites(house, monkeypatch)
    writes.failures = 5
    (channel_id,) = house.asterisk.channels
    house.asterisk.phone(channel_id).hang_up()
    ended = await house.ended(accepted)
    assert ended.state_code == 0
    assert await house.live_rows() == 0
    assert len(await house.cdrs()) == 1
    assert await house.pushes_due() == 1


async def test_given_a_bug_in_a_flow_when_it_raises_then_the_call_is_closed_as_an_internal_error(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> Any:
        raise ZeroDivisionError

    monkeypatch.setattr(service_module, "notify", broken)
    ended = await house.call()
    assert (ended.state_code, ended.cut_point) == (8000, 8000)
    assert house.service.live_ids == frozenset()


@pytest.mark.requirement("E4")
async def test_given_a_call_when_drained_then_it_may_end_and_no_new_one_is_taken(house: House) -> None:
    house.phone_does(ANSWERS)
    house.asterisk.sounds = lambda _media: 0.1
    accepted = await house.start()
    draining = asyncio.ensure_future(house.service.drain(5.0))
    await asyncio.sleep(0)
    with pytest.raises(ShuttingDown):
        await house.start()
    await soon(draining)
    assert (await house.ended(accepted)).state_code == 0


@pytest.mark.requirement("E4")
@pytest.mark.parametrize("behaviour", [WAITS, ANSWERS], ids=["while dialling", "while playing"])
async def test_given_calls_that_go_on_when_the_time_to_drain_is_up_then_each_is_hung_up_and_closed(
    house: House, behaviour: Behaviour
) -> None:
    house.phone_does(behaviour)
    house.asterisk.sounds = lambda _media: math.inf
    accepted = [await house.start() for _ in range(3)]
    for each in accepted:
        await house.told.until(each.session_id, Kind.PROMPT if behaviour is ANSWERS else Kind.CALLOUT)
    await soon(house.service.drain(0.01))
    for each in accepted:
        ended = await house.ended(each)
        assert (ended.state_code, ended.cut_point) == (8000, 8000)
    assert house.asterisk.channels == {}
    assert await house.live_rows() == 0
    assert house.service.live_ids == frozenset()


@pytest.mark.requirement("E4")
async def test_E4_given_an_end_that_is_just_being_written_when_drained_then_it_is_told_of_all_the_same(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    accepted, writes = await being_closed(house, monkeypatch)
    draining = asyncio.ensure_future(house.service.drain(0.0))
    await asyncio.sleep(0.05)
    writes.may_go_on.set()
    await soon(draining)

    assert house.told.of(accepted.session_id)[-1].kind is Kind.DISCONNECT
    assert await house.live_rows() == 0


@pytest.mark.requirement("E4")
async def test_E4_given_an_end_that_cannot_be_written_when_drained_then_it_is_left_to_the_next_start(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service_module, "_LAST_WRITES", 0.1)
    accepted, writes = await being_closed(house, monkeypatch)
    writes.failures = 1_000_000
    writes.may_go_on.set()
    await soon(house.service.drain(0.0))

    assert not closes(accepted)
    writes.failures = 0
    assert await house.live_rows() == 1


async def being_closed(house: House, monkeypatch: pytest.MonkeyPatch) -> tuple[Accepted, "FailingWrites"]:
    """A call whose phone has hung up; the database takes its time."""
    house.phone_does(ANSWERS)
    house.asterisk.sounds = lambda _media: math.inf
    accepted = await house.start()
    await house.told.until(accepted.session_id, Kind.PROMPT)
    writes = FailingWrites(house, monkeypatch)
    writes.may_go_on.clear()
    (channel_id,) = house.asterisk.channels
    house.asterisk.phone(channel_id).hang_up()
    async with asyncio.timeout(5):
        while not closes(accepted):  # noqa: ASYNC110
            await asyncio.sleep(0)
    return accepted, writes


def closes(accepted: Accepted) -> bool:
    """Whether the end of the call is being written."""
    name = f"close {accepted.session_id.partition('@')[0]}"
    return any(task.get_name() == name for task in asyncio.all_tasks())


async def test_given_no_calls_when_drained_then_it_is_done_at_once(house: House) -> None:
    await soon(house.service.drain(60.0))


@pytest.mark.requirement("A4.1")
async def test_given_many_calls_at_once_when_made_then_none_disturbs_another(
    asterisk: FakeAsterisk, template: Path, tmp_path: Path
) -> None:
    behaviours: dict[str, Behaviour] = {}
    expected: dict[str, tuple[int, str]] = {}
    choices = [
        (Behaviour(ring_after=0.0, answer_after=0.01, digits=((0.01, "4"), (0.01, "2"))), (0, "42")),
        (Behaviour(sip_status=486), (8102, "")),
        (Behaviour(answer_after=0.02, hang_up_after=0.0), (0, "")),
        (Behaviour(answer_after=0.01, sip_status=404), (8100, "")),
    ]
    for number in range(40):
        callee = f"+86139000{number:05}"
        behaviours[callee], expected[callee] = choices[number % len(choices)]

    def phones(endpoint: str, _variables: Any) -> Behaviour:
        return behaviours[endpoint.partition("sip:")[2].partition("@")[0]]

    asterisk.phones = phones
    async with running_house(asterisk, template, tmp_path, PATIENT) as house:
        accepted = {
            callee: await house.start(item("ask", collect=2), callee=PhoneNumber(callee), max_calls=100)
            for callee in behaviours
        }
        ended = {callee: await house.ended(each) for callee, each in accepted.items()}
    assert {callee: (it.state_code, it.keys) for callee, it in ended.items()} == expected
