"""The controllers that share this database: who is there, and what one that is gone leaves to another.

A controller's row says how often it was started (`epoch`) and that it lives (`beat` counts up). The calls
whose row names it are its own, with their pushes; whoever takes over puts its own name there. An epoch that
has moved on is the fence: who still has the one before may write nothing more.

`alive_at` is its last sign of life by its own clock. Nobody is judged by it, as clocks differ: it says until
when it looked after the calls that it left behind.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from sqlalchemy import BigInteger, Column, ColumnElement, bindparam, delete, or_, select, update
from sqlmodel import Field, Session, SQLModel, col

from controller.rules.amounts import from_units
from controller.store import pushes
from controller.store.prepared import Prepared
from controller.store.spent import Spent
from controller.store.tables import Call, CallPush, CdrPush, UtcDateTime


class Controller(SQLModel, table=True):
    """A controller of this platform, running or not."""

    name: str = Field(primary_key=True, max_length=128)
    epoch: int
    """Counts its starts, and its ends that others saw."""
    beat: int = Field(default=0, sa_column=Column(BigInteger, nullable=False))
    application: str
    """Its Stasis application."""
    node: str
    """The Asterisk nodes that it uses, their names joined by commas."""
    started_at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))
    alive_at: datetime | None = Field(default=None, sa_column=Column(UtcDateTime, nullable=True))
    """Unknown of one that was last there before this was kept."""
    left_at: datetime | None = Field(default=None, sa_column=Column(UtcDateTime, nullable=True))
    taken_by: str | None = None
    """Who has what it left."""


class StopWish(SQLModel, table=True):
    """A call that somebody asked another controller to end than the one that has it."""

    __tablename__ = "stop_wish"

    call_id: str = Field(primary_key=True, max_length=64)
    at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))


_SEPARATOR = ","

_CONTROLLER = cast(Any, Controller).__table__
_EPOCH = Prepared(select(_CONTROLLER.c.epoch).where(_CONTROLLER.c.name == bindparam("controller")))


@dataclass(frozen=True)
class Pulse:
    """What can be seen of another controller."""

    name: str
    epoch: int
    beat: int
    nodes: frozenset[str]
    left: bool


@dataclass(frozen=True)
class Estate:
    """What a controller that is gone has left."""

    name: str
    application: str
    nodes: frozenset[str]
    live: tuple[str, ...]
    """Its calls that were not ended."""
    behind: tuple[str, ...]
    """Those of them whose durable pushes are told from the database."""


def join(session: Session, name: str, application: str, nodes: Iterable[str], now: datetime) -> int:
    """Be there under this name, in the place of whoever had it; returns the epoch."""
    node = _SEPARATOR.join(nodes)
    row = session.get(Controller, name)
    if row is None:
        row = Controller(name=name, epoch=0, application=application, node=node, started_at=now)
        session.add(row)
    _leave_calls(session, row)
    row.epoch += 1
    row.beat += 1
    row.application, row.node, row.started_at, row.alive_at = application, node, now, now
    row.left_at = row.taken_by = None
    session.flush()
    # Calls of a controller that was never here under its name, as before it had one.
    _move_untold(session, col(Call.controller).not_in(select(col(Controller.name))), name)
    return row.epoch


def _leave_calls(session: Session, gone: Controller) -> None:
    """Note until when a controller that is gone looked after the calls that go on."""
    if gone.alive_at is not None:
        # Those that it had from another one, and did not come to run, have been without anybody for longer.
        session.execute(
            update(Call)
            .where(
                col(Call.controller) == gone.name, col(Call.ended_at).is_(None), col(Call.left_at).is_(None)
            )
            .values(left_at=gone.alive_at)
            .execution_options(synchronize_session=False)
        )


def _move_untold(session: Session, whose: ColumnElement[bool], name: str) -> None:
    """Give `name` the calls that go on, and those of which something is still to be told."""
    for untold in (
        col(Call.ended_at).is_(None),
        col(Call.id).in_(select(col(CdrPush.call_id)).where(col(CdrPush.due_at).is_not(None))),
        col(Call.id).in_(select(col(CallPush.call_id))),
    ):
        session.execute(
            update(Call)
            .where(whose, untold)
            .values(controller=name)
            .execution_options(synchronize_session=False)
        )


def keep_owned(session: Session, call_ids: Collection[str]) -> None:
    """Give calls whose controller is gone to one that is not: more is to be told of them after all."""
    gone = select(col(Controller.name)).where(col(Controller.taken_by).is_not(None))
    heir = (
        select(col(Controller.name))
        .where(col(Controller.taken_by).is_(None))
        .order_by(col(Controller.left_at).is_not(None), col(Controller.name))
        .limit(1)
    )
    name = session.execute(heir).scalar_one_or_none()
    if name is not None:
        session.execute(
            update(Call)
            .where(col(Call.id).in_(call_ids), col(Call.controller).in_(gone))
            .values(controller=name)
            .execution_options(synchronize_session=False)
        )


def epoch_of(session: Session, name: str) -> int | None:
    """The epoch of a controller; None: there is none of this name."""
    found = _EPOCH.run(session, {"controller": name}).fetchone()
    return None if found is None else found[0]


def beat(session: Session, name: str, now: datetime) -> None:
    """Say that a controller lives."""
    session.execute(
        update(Controller)
        .where(col(Controller.name) == name)
        .values(beat=col(Controller.beat) + 1, alive_at=now)
        .execution_options(synchronize_session=False)
    )


def leave(session: Session, name: str, now: datetime) -> None:
    """A controller goes away by itself; others have what is still to be done."""
    session.execute(
        update(Controller)
        .where(col(Controller.name) == name)
        .values(left_at=now, alive_at=now)
        .execution_options(synchronize_session=False)
    )


def pulses(session: Session, name: str) -> list[Pulse]:
    """Every other controller whose estate nobody has."""
    found = session.execute(
        select(Controller).where(col(Controller.name) != name, col(Controller.taken_by).is_(None))
    )
    return [_pulse(row) for row in found.scalars()]


def pulse_of(session: Session, name: str) -> Pulse | None:
    """What can be seen of whoever has a name; None: nobody ever had it."""
    row = session.get(Controller, name)
    return None if row is None else _pulse(row)


def _pulse(row: Controller) -> Pulse:
    return Pulse(row.name, row.epoch, row.beat, _nodes(row), row.left_at is not None)


def _nodes(row: Controller) -> frozenset[str]:
    return frozenset(row.node.split(_SEPARATOR))


def take_over(session: Session, seen: Pulse, name: str, now: datetime) -> Estate | None:
    """Give `name` all that the other controller has, and fence that one off.

    None if it has given a sign of life since it was seen, or another was faster.
    """
    row = session.get(Controller, seen.name)
    if row is None or (row.epoch, row.beat) != (seen.epoch, seen.beat) or row.taken_by is not None:
        return None
    behind = tuple(pushes.take_over(session, seen.name, now))
    _leave_calls(session, row)
    row.epoch += 1
    row.left_at = row.left_at or now
    row.taken_by = name
    session.flush()
    live = session.execute(
        select(col(Call.id)).where(col(Call.controller) == seen.name, col(Call.ended_at).is_(None))
    )
    estate = Estate(row.name, row.application, _nodes(row), tuple(live.scalars()), behind)
    _move_untold(session, col(Call.controller) == seen.name, name)
    # Its live calls are counted by who has them now.
    session.execute(
        update(Spent)
        .where(col(Spent.controller) == seen.name)
        .values(live=from_units(0))
        .execution_options(synchronize_session=False)
    )
    return estate


def has_taken_over(session: Session, seen: Pulse, name: str) -> bool:
    """Whether `name` has what the other controller had when it was seen, and that one is not back."""
    row = session.get(Controller, seen.name)
    return row is not None and (row.epoch, row.taken_by) == (seen.epoch + 1, name)


def is_there(session: Session, application: str) -> bool:
    """Whether a controller has this Stasis application whose estate nobody has."""
    found = session.execute(
        select(col(Controller.name)).where(
            col(Controller.application) == application, col(Controller.taken_by).is_(None)
        )
    )
    return found.first() is not None


def wish_stop(session: Session, session_id: str, app_key: str, now: datetime) -> bool:
    """Have whoever has it end a call of an app; False if the app has no such call that goes on."""
    found = session.execute(
        select(col(Call.id)).where(
            col(Call.session_id) == session_id, col(Call.app_key) == app_key, col(Call.ended_at).is_(None)
        )
    ).scalar_one_or_none()
    if found is not None:
        session.merge(StopWish(call_id=found, at=now))
        session.flush()
    return found is not None


def stop_wishes(session: Session, name: str) -> list[str]:
    """The calls of a controller that go on and that others were asked to end."""
    found = session.execute(
        select(col(StopWish.call_id))
        .join(Call, col(Call.id) == col(StopWish.call_id))
        .where(col(Call.controller) == name, col(Call.ended_at).is_(None))
    )
    return list(found.scalars())


def forget_wishes(session: Session, call_ids: list[str], before: datetime) -> None:
    """These were heard; older ones than `before` nobody can hear any more."""
    session.execute(
        delete(StopWish)
        .where(or_(col(StopWish.call_id).in_(call_ids), col(StopWish.at) < before))
        .execution_options(synchronize_session=False)
    )
