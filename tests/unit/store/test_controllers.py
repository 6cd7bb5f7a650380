"""Whose calls are whose: what is still to be told of a call belongs to a controller that is there."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from engine import copy_database, database_at
from sqlmodel import Session
from unit.store.support import NOW, call_row

from controller.store import calls as rows
from controller.store import controllers, outbox
from controller.store.calls import CdrDelivery
from controller.store.engines import make_engine
from controller.store.limits import Limits
from controller.store.tables import Call

pytestmark = pytest.mark.requirement("E2")


@pytest.fixture
def session(template: Path, tmp_path: Path) -> Iterator[Session]:
    copy_database(template, tmp_path / "test.db")
    engine = make_engine(database_at(tmp_path / "test.db"))
    with Session(engine) as opened:
        yield opened
    engine.dispose()


def live_call(session: Session, controller: str) -> str:
    row = call_row(controller=controller)
    rows.accept_call(session, row, None, Limits(100))
    return str(row["id"])


def ended_call(session: Session, controller: str) -> str:
    """A call that is over, whose CDR is to be pushed now."""
    row = call_row(controller=controller)
    rows.accept_call(session, row, None, Limits(100))
    entry = {"call_id": row["id"], "sequence": 1, "at": NOW, "kind": "disconnect", "leg": None}
    rows.end_call(
        session,
        row["id"],
        ended_at=NOW,
        state_code=0,
        last_entry=entry | {"detail": None},
        cdr={},
        app_key=row["app_key"],
        delivery=CdrDelivery("http://customer.test/fee", NOW),
    )
    return str(row["id"])


def join(session: Session, name: str, at: datetime = NOW) -> None:
    controllers.join(session, name, name, ["node1"], at)


def taken_over(session: Session, name: str, by: str, at: datetime = NOW) -> None:
    seen = controllers.pulse_of(session, name)
    assert seen is not None
    assert controllers.take_over(session, seen, by, at) is not None


def left_at(session: Session, call_id: str) -> datetime | None:
    session.expire_all()
    return session.get_one(Call, call_id).left_at


def due(session: Session, controller: str) -> list[str]:
    return [push.call_id for push in outbox.due_pushes(session, NOW + timedelta(days=1), 9, controller)]


def test_given_a_cdr_of_a_controller_that_is_gone_when_pushed_by_hand_then_one_that_is_there_pushes_it(
    session: Session,
) -> None:
    for name in "abc":
        join(session, name)
    call_id = ended_call(session, "a")
    # All attempts had failed when its controller went, and when the heir of that did.
    outbox.mark_filed(session, [call_id], NOW, "m1")
    taken_over(session, "a", "b")
    taken_over(session, "b", "c")
    outbox.push_again(session, [call_id], NOW)

    assert [due(session, name) for name in "abc"] == [[], [], [call_id]]


def test_given_a_cdr_of_a_controller_that_is_there_when_pushed_by_hand_then_that_one_pushes_it(
    session: Session,
) -> None:
    for name in "ab":
        join(session, name)
    call_id = ended_call(session, "b")
    outbox.mark_filed(session, [call_id], NOW, "m1")
    outbox.push_again(session, [call_id], NOW)

    assert [due(session, name) for name in "ab"] == [[], [call_id]]


def test_given_a_cdr_from_before_there_were_names_when_a_controller_joins_then_it_pushes_it(
    session: Session,
) -> None:
    call_id = ended_call(session, "host")
    for name in "ab":
        join(session, name)

    assert [due(session, name) for name in "ab"] == [[call_id], []]


@pytest.mark.parametrize(
    ("since", "possible"),
    [
        ((), False),
        (("back",), False),
        ("c", False),
        (("c", "back"), True),
        ("b", True),
        (("b", "back"), True),
    ],
)
def test_given_a_takeover_that_was_not_heard_of_when_asked_later_then_only_what_is_sure_is_ruled_out(
    session: Session, since: tuple[str, ...], possible: bool
) -> None:
    """Since it was seen a controller has been taken over by these, or has come back."""
    for name in "abc":
        join(session, name)
    seen = controllers.pulse_of(session, "a")
    assert seen is not None
    for event in since:
        if event == "back":
            join(session, "a")
        else:
            taken_over(session, "a", event)

    assert controllers.may_have_taken_over(session, seen, "b") == possible


MINUTE = timedelta(minutes=1)


@pytest.mark.requirement("E4")
@pytest.mark.parametrize("leaves", [False, True], ids=["killed", "ended"])
@pytest.mark.parametrize("heir", ["a", "b"])
def test_given_a_live_call_when_its_controller_goes_then_it_is_known_until_when_that_one_lived(
    session: Session, heir: str, leaves: bool
) -> None:
    for name in "abc":
        join(session, name)
    call_id, others = live_call(session, "a"), live_call(session, "c")
    over = ended_call(session, "a")
    controllers.beat(session, "a", NOW + MINUTE)
    if leaves:
        controllers.leave(session, "a", NOW + 2 * MINUTE)
    if heir == "a":
        join(session, "a", NOW + 60 * MINUTE)
    else:
        taken_over(session, "a", heir, NOW + 60 * MINUTE)

    assert left_at(session, call_id) == NOW + (2 if leaves else 1) * MINUTE
    assert left_at(session, others) is left_at(session, over) is None


@pytest.mark.requirement("E4")
def test_given_a_call_that_was_left_behind_when_its_heir_goes_too_then_it_counts_whether_that_one_ran_it(
    session: Session,
) -> None:
    for name in "abc":
        join(session, name)
    waits, goes_on = live_call(session, "a"), live_call(session, "a")
    taken_over(session, "a", "b", NOW + MINUTE)
    rows.go_on(session, [goes_on])
    controllers.beat(session, "b", NOW + 9 * MINUTE)
    taken_over(session, "b", "c", NOW + 10 * MINUTE)

    assert (left_at(session, waits), left_at(session, goes_on)) == (NOW, NOW + 9 * MINUTE)
