"""The controllers that share this database: who is there, and what one that is gone leaves to another.

A controller's row says how often it was started (`epoch`) and that it lives (`beat` counts up). The calls
whose row names it are its own, with their pushes; whoever takes over puts its own name there. An epoch that
has moved on is the fence: who still has the one before may write nothing more.

`alive_at` is its last sign of life by its own clock. Nobody is judged by it, as clocks differ: it says until
when it looked after the calls that it left behind.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    and_,
    bindparam,
    delete,
    or_,
    select,
    update,
)
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
    """The Asterisk nodes that it uses, their names joined by commas; once it is gone, those that are left."""
    asterisks: dict[str, str] | None = Field(default=None, sa_column=Column(JSON(none_as_null=True)))
    """By node: the entity id of the Asterisk that it is connected to, as that says of itself."""
    started_at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))
    alive_at: datetime | None = Field(default=None, sa_column=Column(UtcDateTime, nullable=True))
    """Unknown of one that was last there before this was kept."""
    left_at: datetime | None = Field(default=None, sa_column=Column(UtcDateTime, nullable=True))
    taken_by: str | None = None
    """Who has what it left, or the last of it."""


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
    """What a controller that is gone has left to the one that takes over."""

    name: str
    application: str
    nodes: frozenset[str]
    """Without those that are left to others."""
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
    row.left_at = row.taken_by = row.asterisks = None
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
    found = _EPOCH.row(session, {"controller": name})
    return None if found is None else found["epoch"]


def beat(session: Session, name: str, now: datetime) -> None:
    """Say that a controller lives."""
    session.execute(
        update(Controller)
        .where(col(Controller.name) == name)
        .values(beat=col(Controller.beat) + 1, alive_at=now)
        .execution_options(synchronize_session=False)
    )


def note_asterisks(session: Session, name: str, asterisks: Mapping[str, str]) -> None:
    """These are the entity ids of what a controller is connected to, by node."""
    session.execute(
        update(Controller)
        .where(col(Controller.name) == name)
        .values(asterisks=dict(asterisks))
        .execution_options(synchronize_session=False)
    )


def rivals(session: Session, name: str, node: str, entity_id: str) -> dict[str, int]:
    """Other controllers for which a node's name is another Asterisk than the one of this id; their beats."""
    there = session.execute(
        select(Controller).where(col(Controller.name) != name, col(Controller.left_at).is_(None))
    )
    return {
        row.name: row.beat
        for row in there.scalars()
        if (row.asterisks or {}).get(node, entity_id) != entity_id
    }


def leave(session: Session, name: str, now: datetime) -> None:
    """A controller goes away by itself; others have what is still to be done."""
    session.execute(
        update(Controller)
        .where(col(Controller.name) == name)
        .values(left_at=now, alive_at=now)
        .execution_options(synchronize_session=False)
    )


def pulses(session: Session, name: str) -> list[Pulse]:
    """Every other controller of which there is something that nobody has taken over."""
    found = session.execute(
        select(Controller).where(col(Controller.name) != name, col(Controller.taken_by).is_(None))
    )
    return [_pulse(row) for row in found.scalars()]


def signs_of_life(connection: Connection) -> dict[str, tuple[int, int]]:
    """What counts up, (epoch, beat), of those that have not left, by name; in any schema with controllers."""
    its = _CONTROLLER.c
    found = connection.execute(select(its.name, its.epoch, its.beat).where(its.left_at.is_(None)))
    return {row.name: (row.epoch, row.beat) for row in found}


def pulse_of(session: Session, name: str) -> Pulse | None:
    """What can be seen of whoever has a name; None: nobody ever had it."""
    row = session.get(Controller, name)
    return None if row is None else _pulse(row)


def _pulse(row: Controller) -> Pulse:
    return Pulse(row.name, row.epoch, row.beat, _nodes(row), row.left_at is not None)


def _nodes(row: Controller) -> frozenset[str]:
    return frozenset(row.node.split(_SEPARATOR))


def take_over(
    session: Session, seen: Pulse, name: str, now: datetime, left_to: Collection[str] = ()
) -> Estate | None:
    """Give `name` what the other controller has, and fence that one off.

    Its calls on nodes in `left_to` stay its own until one that uses these takes them over.
    None if it has given a sign of life since it was seen, or another was faster.
    """
    row = session.get(Controller, seen.name)
    if row is None or (row.epoch, row.beat) != (seen.epoch, seen.beat) or row.taken_by is not None:
        return None
    nodes = _nodes(row)
    left = nodes.intersection(left_to)
    _leave_calls(session, row)
    row.epoch += 1
    row.left_at = row.left_at or now
    if left:
        row.node = _SEPARATOR.join(sorted(left))
    else:
        row.taken_by = name
    session.flush()
    its = and_(
        col(Call.controller) == seen.name, or_(col(Call.ended_at).is_not(None), col(Call.node).not_in(left))
    )
    live = tuple(session.execute(select(col(Call.id)).where(its, col(Call.ended_at).is_(None))).scalars())
    behind = tuple(pushes.take_over(session, seen.name, now))
    _move_untold(session, its, name)
    # Its live calls are counted by who has them now.
    session.execute(
        update(Spent)
        .where(col(Spent.controller) == seen.name)
        .values(live=from_units(0))
        .execution_options(synchronize_session=False)
    )
    taken = set(live)
    return Estate(
        row.name, row.application, nodes - left, live, tuple(call for call in behind if call in taken)
    )


def may_have_taken_over(session: Session, seen: Pulse, name: str) -> bool:
    """Whether `name` has, or may have, what the other controller had when it was seen.

    That shows for as long as that one is not back, nor taken over once more: after that it can't be known.
    """
    row = session.get(Controller, seen.name)
    if row is None:
        return False
    # Whoever left something to others has left no name.
    is_taken = row.taken_by == name or (row.taken_by is None and row.left_at is not None)
    return row.epoch > seen.epoch + 1 or (row.epoch == seen.epoch + 1 and is_taken)


def is_there(session: Session, application: str) -> bool:
    """Whether a controller has this Stasis application that neither left nor was taken over."""
    found = session.execute(
        select(col(Controller.name)).where(
            col(Controller.application) == application, col(Controller.left_at).is_(None)
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
