"""Many faults in an order that a seed draws, under load; then all is mended and checked."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

import aiohttp

from tests.crash import faults, invariants
from tests.crash.world import World

Fault = Callable[[World, Random], Awaitable[None]]

_CALLS_PER_SECOND = 4.0
_CHECKED_EVERY = 20
"""Faults after which everything is mended, comes to its end and is checked."""


def _lasting(fault: Callable[[World, float], Awaitable[None]], shortest: float, longest: float) -> Fault:
    async def strike(world: World, random: Random) -> None:
        await fault(world, random.uniform(shortest, longest))

    return strike


def _plain(fault: Callable[[World], Awaitable[None]]) -> Fault:
    async def strike(world: World, _random: Random) -> None:
        await fault(world)

    return strike


async def _terminated(world: World, _random: Random) -> None:
    """The controller is asked to end, and started again."""
    await world.stop_controller()
    await world.start_controller()


_EVERYWHERE: tuple[tuple[str, int, Fault], ...] = (
    ("controller killed", 3, _plain(faults.controller_killed)),
    ("controller terminated", 1, _terminated),
    ("Asterisk killed", 2, _plain(faults.asterisk_killed)),
    ("both killed", 1, _plain(faults.both_killed)),
    ("link silent", 3, _lasting(faults.link_silent, 0.2, 4.0)),
    ("Asterisk stopped", 3, _lasting(faults.asterisk_stopped, 0.2, 4.0)),
    ("receiver dead", 2, _lasting(faults.receiver_dead, 0.2, 2.0)),
    ("receiver hangs", 2, _lasting(faults.receiver_hangs, 0.2, 2.0)),
)
"""Name, weight, what it does."""
_ON_SQLITE: tuple[tuple[str, int, Fault], ...] = (
    ("database locked", 2, _lasting(faults.database_locked, 0.2, 2.0)),
    ("database unwritable", 2, _lasting(faults.database_unwritable, 0.2, 2.0)),
)
_ON_POSTGRESQL: tuple[tuple[str, int, Fault], ...] = (
    ("database killed", 3, _lasting(faults.postgresql_killed, 0.2, 4.0)),
    ("database stopped", 2, _lasting(faults.postgresql_stopped, 0.2, 4.0)),
    ("database locked", 2, _lasting(faults.postgresql_locked, 0.2, 2.0)),
    ("database and controller killed", 1, _plain(faults.database_and_controller_killed)),
)


@dataclass
class Result:
    """What a run did and found."""

    seed: int
    faults: Counter[str] = field(default_factory=Counter)
    asked: int = 0
    accepted: int = 0
    cdrs_expected: int = 0
    cdrs_found: int = 0
    wrong: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        kinds = ", ".join(f"{count} x {name}" for name, count in sorted(self.faults.items()))
        return (
            f"seed {self.seed}: {self.faults.total()} faults ({kinds}); {self.asked} calls asked for, "
            f"{self.accepted} accepted; {self.cdrs_expected} CDRs expected, {self.cdrs_found} found; "
            f"{len(self.wrong)} faults of ours"
        )


async def run(
    world: World, seed: int, number: int, *, then: Callable[[str], None] = lambda _line: None
) -> Result:
    """`number` faults. Its schedule is the seed's; how the processes meet it is theirs."""
    random, result = Random(seed), Result(seed)
    known = _EVERYWHERE + (_ON_SQLITE if world.postgresql is None else _ON_POSTGRESQL)
    while not result.wrong and (left := number - result.faults.total()) > 0:
        # It ends with the last answer: a request that is cut off can still make its call later.
        async with asyncio.TaskGroup() as requests:
            load = requests.create_task(_load(world, Random(random.random()), requests, result))
            for _ in range(min(left, _CHECKED_EVERY)):
                await asyncio.sleep(random.uniform(0.1, 1.5))
                ((name, _weight, strike),) = random.choices(known, [weight for _, weight, _ in known])
                then(name)
                await strike(world, random)
                result.faults[name] += 1
            load.cancel()
        result.wrong += await _come_to_rest(world)
        _count(world, result)
        then(str(result))
    return result


async def _come_to_rest(world: World) -> list[str]:
    await world.ready()
    for session in [row[0] for row in world.sql("select session_id from call where ended_at is null")]:
        await world.stop(session)
    try:
        await invariants.quiet(world)
        wrong = await invariants.next_calls_work(world)
        await invariants.quiet(world)
    except (AssertionError, TimeoutError) as error:
        return [str(error), *invariants.faults(world)]
    return wrong + invariants.faults(world)


def _count(world: World, result: Result) -> None:
    """Every row is a call that was accepted, whether or not its customer got to know."""
    result.accepted = len(world.accepted)
    known = {row[0] for row in world.sql("select session_id from call")}
    result.cdrs_expected = len(known | set(world.accepted))
    result.cdrs_found = world.sql("select count(*) from cdr")[0][0]


async def _load(world: World, random: Random, requests: asyncio.TaskGroup, result: Result) -> None:
    """Calls of all three services, whatever becomes of them, until cancelled."""
    while True:
        service = random.choice(["notification", "notification", "verification", "callback"])
        requests.create_task(_call(world, service, _drawn(service, random), random.random() < 0.2, result))
        await asyncio.sleep(random.expovariate(_CALLS_PER_SECOND))


async def _call(world: World, service: str, fields: dict[str, Any], stopped: bool, result: Result) -> None:
    result.asked += 1
    try:
        answer = await world.ask(service, **fields)
        if answer.code == "0":
            world.accepted[answer.session_id] = service
            if stopped:
                await asyncio.sleep(1)
                await world.stop(answer.session_id)
    except (aiohttp.ClientError, OSError, AssertionError):
        # Nobody is there to be asked.
        return


def _drawn(service: str, random: Random) -> dict[str, Any]:
    """Whom to call, and how it goes on."""

    def callee() -> str:
        ringing, talk = random.choice(["00", "00", "01", "03"]), random.choice(["001", "002", "004", "008"])
        return random.choice(
            [f"+999016{ringing}{talk}"] * 5
            + [f"+999017{ringing}000", f"+999021{ringing}000", f"+999019{ringing}002", "+99900103001"]
        )

    if service == "callback":
        record = random.random() < 0.4
        return {"callerNbr": callee(), "calleeNbr": callee(), "recordFlag": str(record).lower()}
    fields: dict[str, Any] = {"calleeNbr": callee()}
    if service == "notification":
        item = random.choice(
            [
                {"notifyVoice": "short.wav"},
                {"notifyVoice": "long.wav"},
                {"notifyVoice": "short.wav", "collectInd": 1},
                {"templateId": "words", "templateParas": [str(random.randrange(1000))]},
            ]
        )
        fields["playInfoList"] = [item]
    return fields
