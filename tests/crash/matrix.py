"""The table: every fault meets calls of every service at every stage at once.

Stages are the rows of `stages`. `OUTLIVES` says whose calls go on as if nothing had happened; nobody's
may be lost. `SOON` is what `make crash` has time for; `make crash-long` runs all.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial

from testbed.push_receiver import Hang, Reply
from tests.crash import faults, invariants
from tests.crash.faults import Names
from tests.crash.stages import ENDING, STEADY, UNPUSHED, UNTOLD, Place, Scene
from tests.crash.world import World

ALL = frozenset(place.stage for place in STEADY)
TALKS = frozenset({"talking", "recording"})
NOT_YET_THERE = frozenset({"accepted"})
"""Calls that Asterisk knows nothing of."""


@dataclass(frozen=True)
class Row:
    """A fault, how it comes about, and the stages whose calls go on."""

    name: str
    strike: Callable[[World], Awaitable[None]]
    outlives: frozenset[str]
    soon: bool = True
    needs: str = ""
    """A disk, names or a PostgreSQL of its own, SQLite, or that CDRs are filed after a few attempts."""

    def __str__(self) -> str:
        return self.name


def _for(
    fault: Callable[[World, float], Awaitable[None]], seconds: float
) -> Callable[[World], Awaitable[None]]:
    return partial(fault, seconds=seconds)


ROWS = (
    Row("the controller is killed", faults.controller_killed, TALKS),
    Row("Asterisk is killed", faults.asterisk_killed, NOT_YET_THERE),
    Row("both are killed", faults.both_killed, frozenset()),
    Row("the link is silent for 3 s", _for(faults.link_silent, 3), ALL),
    Row("the link is silent for 12 s", _for(faults.link_silent, 12), NOT_YET_THERE),
    Row("Asterisk is stopped for 1 s", _for(faults.asterisk_stopped, 1), ALL, soon=False),
    Row("Asterisk is stopped for 4 s", _for(faults.asterisk_stopped, 4), ALL),
    Row("Asterisk is stopped for 12 s", _for(faults.asterisk_stopped, 12), NOT_YET_THERE, soon=False),
    Row("the database is locked for 4 s", _for(faults.database_locked, 4), ALL, needs="sqlite"),
    Row("the database can't be written for 3 s", _for(faults.database_unwritable, 3), ALL, needs="sqlite"),
    Row("the disk is full for 3 s", _for(faults.disk_full, 3), ALL, needs="disk"),
    Row("PostgreSQL is killed for 1 s", _for(faults.postgresql_killed, 1), ALL, needs="postgresql"),
    Row("PostgreSQL is killed for 8 s", _for(faults.postgresql_killed, 8), ALL, needs="postgresql"),
    Row(
        "PostgreSQL is killed for 12 s and the link is cut",
        _for(faults.postgresql_killed_and_link_cut, 12),
        ALL,
        needs="postgresql",
    ),
    Row(
        "PostgreSQL and the controller are killed",
        faults.database_and_controller_killed,
        TALKS,
        needs="postgresql",
    ),
    Row("PostgreSQL is stopped for 4 s", _for(faults.postgresql_stopped, 4), ALL, needs="postgresql"),
    Row(
        "PostgreSQL is locked for 4 s", _for(faults.postgresql_locked, 4), ALL, soon=False, needs="postgresql"
    ),
    Row("the receiver is dead for 3 s", _for(faults.receiver_dead, 3), ALL),
    Row("the receiver hangs for 3 s", _for(faults.receiver_hangs, 3), ALL, soon=False),
    Row("the receiver is dead for hours", faults.receiver_given_up, ALL, needs="few attempts"),
    Row("names lead nowhere for 5 s", lambda world: _names(world), ALL, needs="names"),
)


async def _names(world: World) -> None:
    assert isinstance(world.names, Names)
    await faults.names_gone(world, world.names, 5)


async def play(world: World, row: Row) -> list[str]:
    """Calls at every stage, the fault, what it is mended by, and the end; returns what was wrong then."""
    scene = Scene(world)
    world.speech.may_answer.clear()
    world.receiver.plan(Hang(), path="/fee")
    await scene.bring_on(STEADY)
    await scene.end_unpushed(UNPUSHED)
    await scene.while_nothing_passes(UNTOLD, ENDING)
    try:
        await row.strike(world)
    finally:
        world.link.release()
        world.receiver.plan(Reply(), path="/fee")
    await world.ready()
    world.speech.may_answer.set()
    wrong = [
        fault
        for session, place in scene.steady.items()
        for fault in await _gone_on(world, row, session, place)
    ]
    for session in scene.passing:
        await world.stop(session)
    await invariants.quiet(world)
    wrong += await invariants.next_calls_work(world)
    await invariants.quiet(world)
    return wrong + invariants.faults(world)


async def _gone_on(world: World, row: Row, session: str, place: Place) -> list[str]:
    """End a call that goes on; what is wrong if it should and doesn't."""
    lives = (await world.stop(session)).code == "0"
    if lives or place.stage not in row.outlives:
        return []
    if place.stage == "accepted":
        # It is called now, and ends by itself.
        await world.until(session, "disconnect", None)
    ended = world.sql("select state_code from call where session_id = ?", session)
    return (
        []
        if place.stage == "accepted" and ended == [(0,)]
        else [f"{place} did not go on, but ended with {ended}"]
    )
