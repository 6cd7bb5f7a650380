"""Durable calls: every push arrives, in order, whatever fails and however often we are restarted."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from random import Random
from typing import Any

import pytest
from sqlalchemy import select
from unit.calls.support import APP, call_request
from unit.pushes.support import FAILS, Room, Scripted, SetClock, application, call_row, room
from unit.support import LateReads

from controller.calls.call import LiveCall
from controller.calls.timeline import Entry, Kind
from controller.pushes.durable import DurableStatuses
from controller.pushes.receiver import Delivery, Failure
from controller.pushes.retry import RetryPolicy
from controller.pushes.status import StatusPushes
from controller.store import calls as call_rows
from controller.store.database import Database
from controller.store.journal import Journal
from controller.store.limits import Limits
from controller.store.tables import CallPush, PushAttempt, PushProfile

HOST, URL = "controller1.test", "http://customer.test/status"
OK, GONE = Delivery(200), Delivery(410)
pytestmark = pytest.mark.virtual_time

_DISCONNECT = {"state_code": 0, "text": "over", "cut_point": 0, "party": None}


@dataclass
class House:
    """A run of the controller, as far as pushes are concerned."""

    place: Room
    journal: Journal
    durable: DurableStatuses
    statuses: StatusPushes

    @property
    def database(self) -> Database:
        return self.place.database

    async def begin(self, number: int = 1, profile: PushProfile = PushProfile.DURABLE) -> LiveCall:
        """A call that was accepted."""
        request = call_request(status_url=URL, push_profile=profile)
        call_id = f"1200_{number}_1_20261124080000"
        call = LiveCall(call_id, f"{call_id}@{HOST}", request, self.place.clock, self._on_entry)
        call.timeline.add(Entry(0, self.place.clock.now(), Kind.ACCEPTED))
        own = {"controller": HOST, "status_url": URL, "push_profile": profile}
        row = call_row(call.id, call.accepted_at, session_id=call.session_id, **own)
        await self.database.write(lambda session: call_rows.accept_call(session, row, None, Limits(100_000)))
        return call

    def _on_entry(self, call: LiveCall, entry: Entry) -> None:
        self.statuses.tell(call, entry, self.journal.add(_row(call, entry)))

    async def end(self, call: LiveCall) -> None:
        last = Entry(call.timeline.next_sequence, self.place.clock.now(), Kind.DISCONNECT, None, _DISCONNECT)
        await self.database.write(
            lambda session: call_rows.end_call(
                session,
                call.id,
                ended_at=last.at,
                state_code=0,
                last_entry=_row(call, last),
                cdr={},
                app_key=APP,
                delivery=None,
            )
        )
        call.timeline.add(last)
        self.statuses.tell(call, last)

    async def later(self, **by: float) -> None:
        """Time goes by; what is due then is looked for."""
        self.place.clock.move(**by)
        self.durable._loop.wake(datetime.min.replace(tzinfo=UTC))

    async def rows(self) -> list[CallPush]:
        return await self.database.read(lambda session: list(session.execute(select(CallPush)).scalars()))

    async def until_rows(self, wanted: int) -> None:
        """Wait until so many calls have something left to tell."""
        async with asyncio.timeout(5):
            while True:
                if len(await self.rows()) == wanted:
                    return
                await asyncio.sleep(0.01)

    async def until_put_off(self, attempts: int) -> CallPush:
        async with asyncio.timeout(5):
            while True:
                found = [row for row in await self.rows() if row.attempts == attempts]
                if found and (found[0].due_at or found[0].given_up_at):
                    return found[0]
                await asyncio.sleep(0.01)


def _row(call: LiveCall, entry: Entry) -> dict[str, Any]:
    return {
        "call_id": call.id,
        "sequence": entry.sequence,
        "at": entry.at,
        "kind": entry.kind,
        "leg": entry.leg,
        "detail": entry.detail or None,
    }


@asynccontextmanager
async def house(
    database: Database, sender: Scripted, clock: SetClock | None = None, *, kill: bool = False
) -> AsyncIterator[House]:
    """A controller until the end of the block; with `kill` it ends without cleaning up."""
    app = application(push_profile=PushProfile.DURABLE)
    async with AsyncExitStack() as stack:
        place = await stack.enter_async_context(room(database, sender, clock, app))
        journal = await stack.enter_async_context(Journal(database))
        policy = RetryPolicy(7, timedelta(hours=1), Random(3))
        durable = DurableStatuses(place.courier, database, place.clock, policy, HOST)
        await durable.resume()
        running = asyncio.create_task(durable.run())
        statuses = StatusPushes(place.courier, durable)
        try:
            yield House(place, journal, durable, statuses)
        finally:
            running.cancel()
            if kill:
                for task in [*durable._tasks]:
                    task.cancel()
            else:
                await statuses.drain(5)


def events(sender: Scripted) -> list[str]:
    return [json.loads(body)["eventType"] for _, body, _ in sender.sent]


async def test_given_a_durable_call_when_all_goes_well_then_told_in_order_and_nothing_is_left(
    database: Database,
) -> None:
    sender = Scripted()
    async with house(database, sender) as run:
        call = await run.begin()
        for kind in (Kind.CALLOUT, Kind.ALERTING, Kind.PROMPT, Kind.ANSWER):
            call.tell(kind, "a")
        await run.end(call)
        await sender.until(4)
        await run.until_rows(0)

    assert events(sender) == ["callout", "alerting", "answer", "disconnect"]
    assert sender.sequences == [0, 1, 2, 3]


async def test_given_a_push_fails_when_more_happens_then_it_waits_and_follows_in_order(
    database: Database,
) -> None:
    sender = Scripted(OK, FAILS, FAILS, OK)
    async with house(database, sender) as run:
        call = await run.begin()
        call.tell(Kind.CALLOUT, "a")
        call.tell(Kind.ALERTING, "a")
        put_off = await run.until_put_off(1)
        call.tell(Kind.ANSWER, "a")
        assert put_off.due_at is not None
        assert 5 <= (put_off.due_at - run.place.clock.now()).total_seconds() <= 5.5
        await run.later(seconds=6)
        put_off = await run.until_put_off(2)
        assert put_off.due_at is not None
        assert 300 <= (put_off.due_at - run.place.clock.now()).total_seconds() <= 330
        assert sender.sequences == [0, 1, 1]

        await run.later(seconds=331)
        await sender.until(5)
        await caught_up(run, call)
        call.tell(Kind.COLLECTED, "a", {"digits": "1"})
        await sender.until(6)
        await run.end(call)
        await sender.until(7)
        await run.until_rows(0)

    assert sender.sequences == [0, 1, 1, 1, 2, 3, 4]
    assert events(sender)[-3:] == ["answer", "collectInfo", "disconnect"]
    kept = await database.read(lambda session: list(session.execute(select(PushAttempt)).scalars()))
    assert [row.attempt for row in sorted(kept, key=lambda row: row.id or 0)] == [1, 1, 2, 3, 1, 1, 1]


async def caught_up(run: House, call: LiveCall) -> None:
    async with asyncio.timeout(5):
        while True:
            if call.id not in run.durable._behind:
                return
            await asyncio.sleep(0.01)


async def test_given_a_call_that_ended_while_behind_when_the_receiver_comes_back_then_all_is_told(
    database: Database,
) -> None:
    sender = Scripted(FAILS, OK)
    async with house(database, sender) as run:
        call = await run.begin()
        call.tell(Kind.CALLOUT, "a")
        await run.until_put_off(1)
        call.tell(Kind.ALERTING, "a")
        await run.end(call)
        await run.later(seconds=6)
        await run.until_rows(0)
        assert not run.durable._behind

    assert sender.sequences == [0, 0, 1, 2]


async def test_given_a_call_that_was_told_to_its_end_when_another_is_due_then_it_is_not_told_again(
    database: Database,
) -> None:
    sender = Scripted(FAILS, OK)
    async with house(database, sender) as run:
        call = await run.begin()
        call.tell(Kind.CALLOUT, "a")
        await run.until_put_off(1)
        await run.end(call)
        await run.later(seconds=6)
        await sender.until(3)
        await run.durable._start_due(run.place.clock.now())
        await asyncio.sleep(0.05)
        assert await run.rows()
        await run.until_rows(0)

    assert sender.sequences == [0, 0, 1]


async def test_given_a_call_that_caught_up_while_due_ones_are_read_when_they_come_then_nothing_is_told_twice(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    sender = Scripted(FAILS, OK)
    async with house(database, sender) as run:
        call = await run.begin()
        call.tell(Kind.CALLOUT, "a")
        await run.until_put_off(1)
        sender.gate.clear()
        await run.later(seconds=6)
        await sender.until(2)
        with monkeypatch.context() as late:
            reads = LateReads(database, late)
            look = asyncio.create_task(run.durable._start_due(run.place.clock.now()))
            await reads.read.wait()
        sender.gate.set()
        await caught_up(run, call)
        call.tell(Kind.ALERTING, "a")
        await sender.until(3)
        reads.gate.set()
        await look
        await run.end(call)
        await run.until_rows(0)

    assert sender.sequences == [0, 0, 1, 2]


async def test_given_a_restart_when_calls_are_behind_then_the_next_run_goes_on_in_order(
    database: Database,
) -> None:
    clock, first, second = SetClock(), Scripted(OK, FAILS), Scripted()
    async with house(database, first, clock) as run:
        ended, live = await run.begin(1), await run.begin(2)
        ended.tell(Kind.CALLOUT, "a")
        await first.until(1)
        ended.tell(Kind.ALERTING, "a")
        live.tell(Kind.CALLOUT, "a")
        await first.until(3)
        await run.end(ended)
    clock.move(hours=1)
    async with house(database, second, clock) as run:
        await second.until(3)
        await caught_up(run, live)
        # The same call, as recovery closes it.
        revived = LiveCall(live.id, live.session_id, live.request, clock, lambda _call, _entry: None)
        revived.timeline = live.timeline
        await run.end(revived)
        await second.until(4)
        await run.until_rows(0)

    told = {call.session_id: [] for call in (ended, live)}
    for _, body, headers in second.sent:
        told[json.loads(body)["statusInfo"]["sessionId"]].append(int(headers["X-Call-Sequence"]))
    assert told == {ended.session_id: [1, 2], live.session_id: [0, 1]}


async def test_given_a_kill_while_all_goes_well_when_started_again_then_the_rest_is_told(
    database: Database,
) -> None:
    clock, first, second = SetClock(), Scripted(), Scripted()
    async with house(database, first, clock, kill=True) as run:
        call = await run.begin()
        call.tell(Kind.CALLOUT, "a")
        await first.until(1)
        first.gate.clear()
        call.tell(Kind.ALERTING, "a")
        await first.until(2)
        await run.end(call)
    async with house(database, second, clock) as run:
        await run.until_rows(0)

    assert second.sequences[-2:] == [1, 2]
    ids = {headers["X-Call-Sequence"]: json.loads(body) for _, body, headers in first.sent}
    again = {headers["X-Call-Sequence"]: json.loads(body) for _, body, headers in second.sent}
    assert all(again[number] == message for number, message in ids.items() if number in again)


@pytest.mark.parametrize("answer", [GONE, Delivery(None, Failure.DISABLED)], ids=["410", "disabled"])
async def test_given_a_receiver_that_is_gone_when_told_then_given_up_at_once_and_marked(
    database: Database, answer: Delivery, caplog: pytest.LogCaptureFixture
) -> None:
    sender = Scripted(answer)
    async with house(database, sender) as run:
        call = await run.begin()
        call.tell(Kind.CALLOUT, "a")
        given_up = await run.until_put_off(1)
        call.tell(Kind.ALERTING, "a")
        await run.end(call)
        await run.later(days=1)

    assert given_up.given_up_at is not None
    assert given_up.due_at is None
    assert len(sender.sent) == 1
    assert "given up" in caplog.text


async def test_given_three_days_of_failures_when_the_last_attempt_fails_then_given_up(
    database: Database,
) -> None:
    sender = Scripted(FAILS)
    async with house(database, sender) as run:
        call = await run.begin()
        call.tell(Kind.CALLOUT, "a")
        await run.end(call)
        for failed in range(1, 10):
            due_at = (await run.until_put_off(failed)).due_at
            assert due_at is not None
            await run.later(seconds=(due_at - run.place.clock.now()).total_seconds())
        last = await run.until_put_off(10)

    assert last.given_up_at is not None
    assert len(sender.sent) == 10


async def test_given_a_compat_call_when_a_push_fails_then_the_next_follows_and_nothing_is_repeated(
    database: Database,
) -> None:
    sender = Scripted(FAILS, OK)
    async with house(database, sender) as run:
        call = await run.begin(profile=PushProfile.COMPAT)
        call.tell(Kind.CALLOUT, "a")
        call.tell(Kind.ALERTING, "a")
        await run.end(call)
        await sender.until(3)
        assert await run.rows() == []

    assert sender.sequences == [0, 1, 2]


async def test_given_an_answer_that_is_not_written_yet_when_told_then_its_push_and_the_next_wait_for_it(
    database: Database,
) -> None:
    sender = Scripted()
    async with house(database, sender) as run:
        call = await run.begin(profile=PushProfile.COMPAT)
        written: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        run.statuses.tell(call, Entry(1, call.accepted_at, Kind.ANSWER, "a"), written)
        run.statuses.tell(call, Entry(2, call.accepted_at, Kind.ALERTING, "a"))
        await asyncio.sleep(0)
        assert sender.sent == []
        written.set_result(None)
        await sender.until(2)


class Unreliable(Scripted):
    """Fails as a seed says, until it is told to get well."""

    def __init__(self, random: Random) -> None:
        super().__init__()
        self.random = random
        self.well = False
        self.accepted: dict[str, list[int]] = {}

    async def send(self, url: str, body: bytes, headers: Any) -> Delivery:
        await asyncio.sleep(self.random.random() * 0.003)
        if not self.well and self.random.random() < 0.4:
            return FAILS
        session_id = json.loads(body)["statusInfo"]["sessionId"]
        self.accepted.setdefault(session_id, []).append(int(headers["X-Call-Sequence"]))
        return OK


@pytest.mark.parametrize("seed", range(12))
async def test_given_failures_and_kills_at_random_when_all_is_over_then_every_push_came_in_order(
    database: Database, seed: int
) -> None:
    random, clock = Random(seed), SetClock()
    sender = Unreliable(random)
    calls: list[tuple[LiveCall, int]] = []
    for run_number in range(3):
        async with house(database, sender, clock, kill=True) as run:
            for number in range(4):
                call = await run.begin(10 * run_number + number)
                entries = random.randrange(1, 5)
                calls.append((call, entries + 1))
                for _ in range(entries):
                    call.tell(Kind.ALERTING, "a")
                    await asyncio.sleep(random.random() * 0.01)
                    if random.random() < 0.3:
                        await run.later(seconds=random.choice((6, 400, 4000)))
                await run.end(call)
            await asyncio.sleep(random.random() * 0.2)
    sender.well = True
    async with house(database, sender, clock) as run:
        async with asyncio.timeout(10):
            while await run.rows():
                await run.later(hours=3)
                await asyncio.sleep(0.02)

    for call, count in calls:
        came = sender.accepted[call.session_id]
        firsts = sorted(set(came), key=came.index)
        assert firsts == list(range(count)), (seed, came)
        # What is repeated after a kill begins at some push and goes on in order.
        assert all(later <= earlier + 1 for earlier, later in pairwise(came)), (seed, came)
