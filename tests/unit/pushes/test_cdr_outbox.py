"""CDR pushes: batching, retry, the file; with a sender that does as it is told."""

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest

from controller.calls.cdr import CallDetailRecord
from controller.calls.timeline import LegTimes
from controller.clock import SystemClock
from controller.pushes import cdr_outbox
from controller.pushes.cdr_outbox import CdrOutbox, append_to_file, batches
from controller.pushes.push import Push
from controller.pushes.receiver import Delivery
from controller.pushes.retry import RetryPolicy
from controller.pushes.wire import fee_info, fee_message
from controller.store import persistent
from controller.store.outbox import DuePush

MOMENT = datetime(2026, 11, 23, 4, 0, 0, 250000, tzinfo=UTC)


def record(**changes: Any) -> CallDetailRecord:
    values: dict[str, Any] = {
        "record_id": "CAE-1",
        "session_id": "1200_1_2_20261123040000@host",
        "account_id": "sp",
        "app_key": "app",
        "service": "notification",
        "host_name": "host",
        "display_number": "+8657126880001",
        "callee": "+8613900001111",
        "second_display_number": None,
        "second_callee": None,
        "recording_name": None,
        "recording_started_at": None,
        "first_leg": LegTimes(MOMENT, MOMENT, MOMENT),
        "second_leg": LegTimes(),
        "ended_at": MOMENT,
        "state_code": 0,
        "cut_point": 0,
        "sip_status": 0,
        "first_leg_cause": 0,
        "second_leg_cause": 0,
        "collection_started_at": None,
        "keys": "",
        "tts_plays": 0,
        "user_data": None,
        **changes,
    }
    return CallDetailRecord(**values)


def push(
    call_id: str,
    *,
    app: str = "app",
    url: str = "http://x/fee",
    at: datetime = MOMENT,
    attempts: int = 0,
    message_id: str | None = None,
) -> DuePush:
    return DuePush(call_id, app, url, at, attempts, {}, message_id)


class Troubled:
    """A database with one CDR that is due; the next writes fail."""

    def __init__(self, failures: int) -> None:
        self.failures = failures
        self.delivered = asyncio.Event()

    async def read(self, work: Callable[[Any], Any]) -> Any:
        return work(self)

    async def write(self, work: Callable[[Any], Any], *, patience: float) -> Any:
        if self.failures:
            self.failures -= 1
            raise OSError("the server closed the connection")
        return work(self)


class Receiver:
    """Takes every push."""

    pushed = 0

    async def deliver(self, _push: Push) -> Delivery:
        self.pushed += 1
        return Delivery(200)


@pytest.mark.requirement("B2", "E2")
async def test_B2_given_a_database_that_is_away_when_a_record_was_taken_then_it_is_not_pushed_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    due = [DuePush("c1", "app", "http://x/fee", MOMENT, 0, record().to_json())]
    database, receiver = Troubled(3), Receiver()
    rows = cdr_outbox.outbox
    monkeypatch.setattr(persistent, "_RETRY", (0.01, 0.01))
    monkeypatch.setattr(rows, "due_pushes", lambda *_, **__: [] if database.delivered.is_set() else due)
    monkeypatch.setattr(rows, "next_due", lambda *_, **__: datetime.now(UTC))
    monkeypatch.setattr(rows, "count_waiting", lambda *_: 1)
    monkeypatch.setattr(rows, "mark_delivered", lambda *_: database.delivered.set())
    policy = RetryPolicy(5, timedelta(minutes=1), Random(1))
    parts: Any = (database, receiver, lambda _key: None, SystemClock(), policy)
    running = asyncio.create_task(CdrOutbox(*parts, 50, tmp_path).run())
    async with asyncio.timeout(5):
        await database.delivered.wait()
    running.cancel()

    assert receiver.pushed == 1


@pytest.mark.requirement("B2")
def test_B2_given_records_that_end_in_the_same_second_when_batched_then_they_travel_together() -> None:
    later = MOMENT + timedelta(seconds=1)
    due = [
        push("1"),
        push("2", at=MOMENT + timedelta(milliseconds=700)),
        push("3", at=later),
        push("4", app="other"),
        push("5", url="http://y/fee"),
        push("6", attempts=1),
    ]

    ids = [[item.call_id for item in batch] for batch in batches(due, 50)]

    assert sorted(ids) == [["1", "2"], ["3"], ["4"], ["5"], ["6"]]


@pytest.mark.requirement("B2")
def test_B2_given_records_that_were_pushed_before_when_batched_then_just_the_same_ones_together() -> None:
    later = MOMENT + timedelta(seconds=1)
    due = [
        push("1", attempts=1, message_id="m1"),
        push("2", attempts=1, message_id="m2"),
        push("3", attempts=1, message_id="m1", at=later),
    ]

    assert [[item.call_id for item in batch] for batch in batches(due, 50)] == [["1", "3"], ["2"]]


@pytest.mark.requirement("B2")
def test_B2_given_more_than_fifty_records_when_batched_then_no_message_has_more_than_fifty() -> None:
    sizes = [len(batch) for batch in batches([push(str(index)) for index in range(120)], 50)]

    assert sizes == [50, 50, 20]


@pytest.mark.requirement("B2")
def test_B2_given_records_when_written_to_the_file_then_each_is_a_line_in_wire_form(tmp_path: Path) -> None:
    append_to_file(tmp_path, [record()], MOMENT)
    path = append_to_file(tmp_path, [record(session_id="x")], MOMENT)

    lines = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    assert path.name == "cdr-20261123.jsonl"
    assert [line["sessionId"] for line in lines] == [record().session_id, "x"]


def test_given_a_record_when_stored_as_json_then_it_comes_back_the_same() -> None:
    made = record(user_data="u", collection_started_at=MOMENT, second_leg=LegTimes(MOMENT))

    assert CallDetailRecord.from_json(json.loads(json.dumps(made.to_json()))) == made


@pytest.mark.requirement("B2")
def test_B2_given_an_answered_notification_when_put_on_the_wire_then_just_the_fields_that_apply() -> None:
    info = fee_info(record(keys="023", collection_started_at=MOMENT, user_data="job-1"))

    assert info == {
        "direction": 0,
        "spId": "sp",
        "appKey": "app",
        "icid": "CAE-1",
        "bindNum": "+8657126880001",
        "sessionId": "1200_1_2_20261123040000@host",
        "callerNum": "+8657126880001",
        "calleeNum": "+8613900001111",
        "fwdUnaswRsn": 0,
        "ulFailReason": 0,
        "sipStatusCode": 0,
        "callOutUnaswRsn": 0,
        "callOutStartTime": "2026-11-23 04:00:00",
        "callOutAlertingTime": "2026-11-23 04:00:00",
        "callOutAnswerTime": "2026-11-23 04:00:00",
        "callEndTime": "2026-11-23 04:00:00",
        "dynIVRStartTime": "2026-11-23 04:00:00",
        "dynIVRPath": "0-2-3",
        "recordFlag": 0,
        "ttsPlayTimes": 0,
        "ttsTransDuration": 0,
        "serviceType": "001",
        "hostName": "host",
        "userData": "job-1",
    }


def test_given_records_when_made_into_a_message_then_it_is_of_type_fee() -> None:
    message = fee_message([record(), record()])

    assert message["eventType"] == "fee"
    assert len(message["feeLst"]) == 2
