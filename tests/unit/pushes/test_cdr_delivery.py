"""CDRs on their way: no trouble loses one, and what is left is delivered by hand, each once."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import select
from unit.calls.support import APP
from unit.pushes.support import (
    FAILS,
    Room,
    Scripted,
    SetClock,
    application,
    call_row,
    fee,
    push_settings,
    room,
)
from unit.pushes.test_cdr_outbox import record
from unit.support import LateReads

from controller.lifecycle import let_go
from controller.observability.metrics import Metrics
from controller.observability.room import Observability
from controller.pushes.cdr_outbox import CdrOutbox
from controller.pushes.guard import AddressGuard
from controller.pushes.push import Endpoint
from controller.pushes.receiver import Delivery, Failure
from controller.pushes.retry import RetryPolicy
from controller.pushes.room import opened_pushes
from controller.settings import Settings
from controller.store import calls as call_rows
from controller.store import outbox as outbox_rows
from controller.store import pushes as push_rows
from controller.store.calls import CdrDelivery
from controller.store.database import Database
from controller.store.limits import Limits
from controller.store.tables import CdrPush, PushProfile

pytestmark = pytest.mark.virtual_time

URL = "http://customer.test/fee"
ENDPOINT = Endpoint(APP, URL)


@dataclass
class Desk:
    """An outbox over a scripted sender."""

    place: Room
    outbox: CdrOutbox
    sender: Any

    async def end_call(self, number: int, url: str = URL, controller: str = "host") -> str:
        """A call that was made and is over; its CDR is due."""
        call_id, now = f"1200_{number}_1_x", self.place.clock.now()
        row = call_row(call_id, now, controller=controller)
        cdr = record(record_id=call_id, session_id=f"{call_id}@host", app_key=APP, ended_at=now).to_json()
        entry = {"call_id": call_id, "sequence": 1, "at": now, "kind": "disconnect", "leg": None}

        def work(session: Any) -> None:
            call_rows.accept_call(session, row, None, Limits(100_000))
            call_rows.end_call(
                session,
                call_id,
                ended_at=now,
                state_code=0,
                last_entry={**entry, "detail": None},
                cdr=cdr,
                app_key=APP,
                delivery=CdrDelivery(url, now),
            )

        await self.place.database.write(work)
        return call_id

    async def work(self) -> None:
        """Everything that is due now is pushed; returns when that is over."""
        await self.outbox._start_due(self.place.clock.now())
        while self.outbox._deliveries:
            await asyncio.wait(self.outbox._deliveries)

    async def rows(self) -> list[CdrPush]:
        return await self.place.database.read(
            lambda session: list(
                session.execute(select(CdrPush).order_by(CdrPush.call_id)).scalars()  # type: ignore[arg-type]
            )
        )

    async def until_written(self) -> None:
        """Wait until what became of pushes is in the database."""
        if self.place.ledger._writing is not None:
            await self.place.ledger._writing

    async def push_by_hand(self) -> None:
        """As `voicecall cdr push` does."""
        now = self.place.clock.now()

        def work(session: Any) -> None:
            found = outbox_rows.undelivered(session, APP)
            outbox_rows.push_again(session, [row.call_id for row in found], now)
            push_rows.enable_endpoint(session, *ENDPOINT)

        await self.place.database.write(work)


@asynccontextmanager
async def desk(
    database: Database, sender: Any, directory: Path, profile: PushProfile = PushProfile.COMPAT
) -> AsyncIterator[Desk]:
    app = application(push_profile=profile)
    async with room(database, sender, SetClock(), app) as place:
        policy = RetryPolicy(7, timedelta(hours=1), Random(1))
        apps = {APP: app}
        outbox = CdrOutbox(database, place.courier, apps.get, place.clock, policy, 50, directory)
        yield Desk(place, outbox, sender)


def delivered(sender: Scripted) -> list[str]:
    """The records in what was sent, by their ids."""
    return [fee["icid"] for _, body, _ in sender.sent for fee in json.loads(body)["feeLst"]]


@pytest.mark.requirement("E3")
async def test_E3_given_a_cdr_when_a_receiver_has_taken_it_then_its_lag_is_from_when_it_was_due_at_first(
    database: Database, tmp_path: Path
) -> None:
    metrics = Metrics("host")
    count, total = (f'voicecall_push_lag_seconds_{it}{{event="fee"}}' for it in ("count", "sum"))

    def lag(name: str) -> float:
        lines = metrics.exposition().decode().splitlines()
        return next((float(line.split()[-1]) for line in lines if line.startswith(f"{name} ")), 0.0)

    async with desk(database, Scripted(FAILS, Delivery(200)), tmp_path / "cdr") as own:
        own.place.courier._observer = Observability(metrics, None)
        own.place.clock.move(seconds=0.7)
        await own.end_call(1)
        # Half a second after the others of its second were gathered.
        own.place.clock.move(seconds=1.0)
        await own.work()
        assert lag(count) == 0
        own.place.clock.move(hours=1)
        await own.work()

    assert lag(count) == 1
    assert lag(total) == pytest.approx(3600.5)


@pytest.mark.requirement("B2")
async def test_B2_given_seven_failures_when_the_last_is_over_then_filed_and_pushed_by_hand_just_once(
    database: Database, tmp_path: Path
) -> None:
    sender = Scripted(*[FAILS] * 7, Delivery(200))
    async with desk(database, sender, tmp_path / "cdr") as own:
        call_id = await own.end_call(1)
        for _ in range(10):
            await own.work()
            own.place.clock.move(hours=1, seconds=1)
        assert len(sender.sent) == 7
        [filed] = await own.rows()
        assert filed.filed_at is not None

        for _ in range(3):
            await own.push_by_hand()
            await own.work()

        [row] = await own.rows()
    assert delivered(sender) == [call_id] * 8
    assert row.delivered_at is not None
    lines = (tmp_path / "cdr" / "cdr-20261124.jsonl").read_text("utf-8").splitlines()
    assert [json.loads(line)["icid"] for line in lines] == [call_id]


@pytest.mark.requirement("B2", "E2")
async def test_B2_given_controllers_with_a_common_folder_when_cdrs_are_given_up_then_each_has_its_own_file(
    database: Database, tmp_path: Path
) -> None:
    filed = {}
    for number, name in enumerate(("a", "b", "")):
        settings = Settings(name=name, data_dir=tmp_path, pushes=push_settings(cdr_attempts=1))
        clock, sender, apps = SetClock(), Scripted(FAILS), {APP: application()}
        guard = AddressGuard([])
        async with opened_pushes(settings, database, apps.get, guard, clock, Random(1), sender) as pushes:
            place = Room(database, sender, pushes.ledger, pushes.courier, clock, apps[APP])
            own = Desk(place, pushes.outbox, sender)
            filed[name] = await own.end_call(number, controller=settings.controller)
            await own.work()
            let_go(pushes.works)

    found = {path.name: path.read_text("utf-8") for path in (tmp_path / "cdr").iterdir()}
    assert {
        name: [json.loads(line)["icid"] for line in text.splitlines()] for name, text in found.items()
    } == {
        "cdr-20261124-a.jsonl": [filed["a"]],
        "cdr-20261124-b.jsonl": [filed["b"]],
        "cdr-20261124.jsonl": [filed[""]],
    }


@pytest.mark.requirement("B2")
async def test_B2_given_a_receiver_that_hangs_and_many_records_for_it_when_others_end_then_they_are_told(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("controller.pushes.cdr_outbox._PAGE", 20)
    monkeypatch.setattr("controller.pushes.cdr_outbox._MANY", 10)
    hangs, told = asyncio.Event(), []

    async def send(url: str, body: bytes, headers: Any) -> Delivery:
        told.append(url)
        if url == URL:
            await hangs.wait()
        return Delivery(200)

    sender = SimpleNamespace(send=send)
    async with desk(database, sender, tmp_path) as own:
        for number in range(60):
            await own.end_call(number)
        own.place.clock.move(seconds=1)
        for number in (60, 61):
            await own.end_call(number, "http://other.test/fee")
        running = asyncio.create_task(own.outbox.run())
        await asyncio.sleep(1)
        while_it_hangs = list(told)
        hangs.set()
        await asyncio.sleep(20)
        running.cancel()
        rows = await own.rows()
    assert while_it_hangs.count("http://other.test/fee") == 1
    assert all(row.delivered_at is not None for row in rows)
    assert own.outbox._at == {}


@pytest.mark.requirement("B2", "E2")
async def test_B2_given_a_record_that_is_taken_while_due_ones_are_read_when_they_come_then_it_goes_once(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sender = Scripted()
    sender.gate.clear()
    async with desk(database, sender, tmp_path) as own:
        call_id = await own.end_call(1)
        await own.outbox._start_due(own.place.clock.now())
        await sender.until(1)
        with monkeypatch.context() as late:
            reads = LateReads(database, late)
            look = asyncio.create_task(own.work())
            await reads.read.wait()
        sender.gate.set()
        await asyncio.wait(own.outbox._deliveries)
        reads.gate.set()
        await look
        assert (await own.rows())[0].delivered_at is not None
    assert delivered(sender) == [call_id]


@pytest.mark.requirement("E3")
async def test_E3_given_records_that_are_not_delivered_when_looked_at_then_it_is_known_how_many_wait(
    database: Database, tmp_path: Path
) -> None:
    sender = Scripted(FAILS, Delivery(200))
    async with desk(database, sender, tmp_path) as own:
        for number in (1, 2):
            await own.end_call(number)
        await own.work()
        waiting = [own.outbox.waiting]
        own.place.clock.move(hours=1, seconds=1)
        await own.work()
        own.place.clock.move(seconds=11)
        await own.work()
        waiting.append(own.outbox.waiting)
    assert waiting == [2, 0]


@pytest.mark.requirement("B2")
async def test_B2_given_a_push_of_several_records_when_repeated_then_the_same_records_under_the_same_id(
    database: Database, tmp_path: Path
) -> None:
    sender = Scripted(FAILS, FAILS, Delivery(200))
    async with desk(database, sender, tmp_path) as own:
        first = [await own.end_call(number) for number in (1, 2)]
        await own.work()
        late = await own.end_call(3)
        await own.work()
        own.place.clock.move(hours=2)
        await own.work()

    assert [sorted(fee["icid"] for fee in json.loads(body)["feeLst"]) for _, body, _ in sender.sent] == [
        first,
        [late],
        first,
        [late],
    ]
    kept = [
        await database.read(lambda session, own_id=call_id: push_rows.attempts_of(session, own_id))
        for call_id in (*first, late)
    ]
    ids = [{attempt.message_id for attempt in attempts} for attempts in kept]
    assert ids[0] == ids[1] != ids[2]
    assert [len(found) for found in ids] == [1, 1, 1]
    assert [[attempt.attempt for attempt in attempts] for attempts in kept] == [[1, 2]] * 3


async def test_given_the_durable_profile_when_the_receiver_is_gone_then_filed_at_once(
    database: Database, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with desk(database, Scripted(Delivery(410)), tmp_path, PushProfile.DURABLE) as own:
        await own.end_call(1)
        await own.work()
        [row] = await own.rows()

    assert row.filed_at is not None
    assert "410" in str([record.__dict__.get("why") for record in caplog.records])


async def test_given_the_durable_profile_when_asked_to_wait_then_the_next_attempt_waits(
    database: Database, tmp_path: Path
) -> None:
    busy = Delivery(503, None, retry_after=900)
    async with desk(database, Scripted(busy), tmp_path, PushProfile.DURABLE) as own:
        await own.end_call(1)
        await own.work()
        [row] = await own.rows()
        assert row.due_at is not None
        assert row.due_at - own.place.clock.now() == timedelta(seconds=900)


async def test_given_an_endpoint_dead_for_six_days_when_it_is_back_then_every_cdr_is_delivered_once(
    database: Database, tmp_path: Path
) -> None:
    sender = Scripted(FAILS)
    async with desk(database, sender, tmp_path) as own:
        made: list[str] = []
        disabled_after: float | None = None
        began = own.place.clock.now()
        for hour in range(6 * 24):
            if hour % 4 == 0:
                made.append(await own.end_call(hour))
            await own.work()
            own.place.clock.move(hours=1)
            if disabled_after is None and own.place.ledger.is_disabled(ENDPOINT):
                disabled_after = (own.place.clock.now() - began) / timedelta(days=1)
                sent_until_then = len(sender.sent)
        assert disabled_after == pytest.approx(5, abs=0.2)
        assert len(sender.sent) == sent_until_then
        await own.until_written()
        await own.work()
        rows = await own.rows()
        assert len(rows) == len(made)
        assert {row.due_at for row in rows} == {None}
        assert any(row.filed_at is None for row in rows)

        sender.answers, sender.sent = [Delivery(200)], []
        for _ in range(2):
            await own.push_by_hand()
            await own.place.ledger.refresh()
            await own.work()

    assert sorted(delivered(sender)) == sorted(made)


async def test_given_a_disabled_endpoint_when_enabled_elsewhere_then_what_is_due_is_not_held_back(
    database: Database, tmp_path: Path
) -> None:
    """The endpoint is enabled between our last look and the push."""
    async with desk(database, Scripted(FAILS), tmp_path) as own:
        for _ in range(7):
            await own.place.courier.deliver(fee(URL))
            own.place.clock.move(days=1)
        assert own.place.ledger.is_disabled(ENDPOINT)
        await own.until_written()
        await own.end_call(1)
        await own.push_by_hand()

        await own.work()

        [row] = await own.rows()
        assert row.due_at is not None


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        ({}, [1, 2, 3]),
        ({"since": datetime(2026, 11, 24, 9, tzinfo=UTC)}, [2, 3]),
        ({"call_id": "1200_2_1_x"}, [2]),
        ({"app_key": APP}, [1, 2, 3]),
        ({"app_key": "other"}, []),
    ],
)
async def test_given_conditions_when_listed_then_just_those_that_meet_them(
    database: Database, tmp_path: Path, conditions: dict[str, Any], expected: list[int]
) -> None:
    async with desk(database, Scripted(FAILS), tmp_path) as own:
        for number in (1, 2, 3):
            await own.end_call(number)
            own.place.clock.move(hours=1)

    found = await database.read(lambda session: outbox_rows.undelivered(session, **conditions))
    assert [row.call_id for row in found] == [f"1200_{number}_1_x" for number in expected]


async def test_given_the_line_is_full_when_pushed_then_the_cdr_is_tried_again_later(
    database: Database, tmp_path: Path
) -> None:
    async with desk(database, Scripted(Delivery(None, Failure.BUSY)), tmp_path) as own:
        await own.end_call(1)
        await own.work()
        [row] = await own.rows()

    assert (row.attempts, row.due_at, row.filed_at) == (1, own.place.clock.now() + timedelta(hours=1), None)
