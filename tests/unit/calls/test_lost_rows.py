"""Calls in progress whose rows are lost, as in a failover of PostgreSQL to a standby that lagged behind."""

from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import delete
from sqlmodel import Session, col, select
from unit.calls.support import APP, SHOWN, House

from controller.ari.fake import ANSWERS
from controller.calls.call import Callback
from controller.calls.service import Accepted
from controller.calls.timeline import Kind
from controller.phone_number import PhoneNumber
from controller.store import calls as rows
from controller.store.limits import Place
from controller.store.tables import App, Call, CallPush, CdrPush, PushProfile, Recording, TimelineEntry

pytestmark = pytest.mark.requirement("E4")

STATUS_URL = "http://customer.test/status"


def lose_the_call(session: Session) -> None:
    for table in (TimelineEntry, CallPush, Call):
        session.execute(delete(table))


def lose_the_application_too(session: Session) -> None:
    lose_the_call(session)
    session.execute(delete(App).where(col(App.key) == APP))


def said(caplog: pytest.LogCaptureFixture, words: str) -> list[Any]:
    """The calls of which the log says this."""
    return [getattr(record, "call", None) for record in caplog.records if record.message.startswith(words)]


async def talking(house: House, **request: Any) -> tuple[Accepted, str]:
    """A recorded callback whose phones talk, and its id."""
    house.phone_does(ANSWERS)
    plan = Callback(callee=PhoneNumber("+8613900002222"), display_number=SHOWN, record=True)
    accepted = await house.start(plan=plan, **request)
    await house.told.until(accepted.session_id, Kind.RECORDING)
    return accepted, accepted.session_id.partition("@")[0]


async def test_E4_given_a_call_in_progress_that_the_database_has_lost_when_over_then_it_has_its_record(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    accepted, call_id = await talking(house)
    [before] = await house.rows(Call)
    await house.database.write(lose_the_call)

    house.asterisk.phone(f"{call_id}.b").hang_up()
    ended = await house.ended(accepted)

    assert ended.state_code == 0
    assert ended.cdr["first_leg"]["answered"] and ended.cdr["second_leg"]["answered"]
    [row] = await house.rows(Call)
    same = before.model_dump(exclude={"ended_at", "state_code"})
    assert row.model_dump(exclude={"ended_at", "state_code"}) == same
    assert (row.ended_at, row.state_code) == (datetime.fromisoformat(ended.cdr["ended_at"]), 0)
    told = [entry.kind for entry in house.told.of(accepted.session_id)]
    assert await house.timeline() == told
    assert [push.call_id for push in await house.rows(CdrPush)] == [call_id]
    assert [recording.call_id for recording in await house.rows(Recording)] == [call_id]
    assert call_id in said(caplog, "The database had lost a call in progress")


@pytest.mark.requirement("B1")
async def test_B1_given_a_durable_call_that_the_database_has_lost_when_over_then_its_pushes_are_due_later(
    house: House,
) -> None:
    """They may be told from the database, and it doesn't know how far they have come."""
    accepted, call_id = await talking(house, status_url=STATUS_URL, push_profile=PushProfile.DURABLE)
    await house.database.write(lose_the_call)

    house.asterisk.phone(f"{call_id}.b").hang_up()
    await house.ended(accepted)

    [push] = await house.rows(CallPush)
    [row] = await house.rows(Call)
    assert (push.call_id, push.delivered, push.attempts) == (call_id, -1, 0)
    assert push.due_at > row.ended_at


async def test_given_a_call_that_the_database_has_lost_with_its_application_when_over_then_it_is_said_once(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    accepted, call_id = await talking(house)
    await house.database.write(lose_the_application_too)

    house.service.stop(accepted.session_id, APP)
    await house.idle()
    await house.service.drain(1.0)

    assert house.service.live_ids == house.service.closing_ids == frozenset()
    assert await house.rows(Call) == []
    assert said(caplog, "A call is lost") == [call_id]


async def test_given_an_ended_call_when_it_ends_once_more_then_it_is_not_written_anew(house: House) -> None:
    accepted, call_id = await talking(house)

    def ends_elsewhere(session: Session) -> None:
        row = session.execute(select(Call)).scalar_one()
        row.ended_at, row.state_code = row.accepted_at, 8000

    await house.database.write(ends_elsewhere)
    house.asterisk.phone(f"{call_id}.b").hang_up()
    await house.idle()
    await house.service.drain(1.0)

    [row] = await house.rows(Call)
    assert (row.state_code, await house.cdrs()) == (8000, {})
    assert house.told.of(accepted.session_id)[-1].kind is not Kind.DISCONNECT


async def test_given_a_call_that_could_not_be_written_down_when_taken_back_then_it_is_not_written_anew(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody was promised it: it must not be billed."""

    def fails(*_anything: Any, **_more: Any) -> Place:
        raise OSError("disk I/O error")

    with monkeypatch.context() as trouble, pytest.raises(OSError, match="disk"):
        trouble.setattr(rows, "accept_call", fails)
        await house.start()
    await house.service.drain(5.0)

    assert house.service.live_ids == house.service.closing_ids == frozenset()
    assert (await house.rows(Call), await house.cdrs(), house.told.entries) == ([], {}, [])
