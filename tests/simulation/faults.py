"""What goes wrong in a world, and when: drawn from its seed."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from datetime import timedelta
from random import Random
from typing import TypeAlias

from tests.simulation.receivers import Temper
from tests.simulation.world import World

Fault: TypeAlias = Callable[[World, Random], Awaitable[None]]

_PATIENCE = 10.0
"""Seconds in which something happens that a crash waits for, or never does."""

_LOSABLE = (
    "Dial",
    "StasisStart",
    "PlaybackFinished",
    "ChannelDtmfReceived",
    "ChannelDestroyed",
    "RecordingFinished",
)
_REFUSABLE = (
    "channels.originate",
    "channels.create",
    "channels.dial",
    "channels.play",
    "channels.hangup",
    "channels.rtpstatistics",
    "playbacks.stop",
    "playbacks.get",
    "bridges.create",
    "bridges.addChannel",
    "bridges.record",
    "bridges.play",
    "bridges.destroy",
    "recordings.stop",
)
_ENDS = ("channels.hangup", "bridges.destroy", "playbacks.stop", "recordings.stop")


async def _socket_closed(world: World, random: Random) -> None:
    world.note("socket closed")
    world.asterisk.drop_sockets()
    if random.random() < 0.5:
        world.asterisk.refuse_connections()
        await asyncio.sleep(random.choice([0.3, 3.0, 15.0]))
        world.asterisk.refuse_connections(False)


async def _asterisk_hangs(world: World, random: Random) -> None:
    world.note("Asterisk hangs")
    world.asterisk.go_silent()
    await asyncio.sleep(random.choice([0.5, 4.0, 7.0, 15.0]))
    world.asterisk.speak_again()


async def _packets_held_up(world: World, random: Random) -> None:
    world.note("packets held up")
    world.loop.network.hold()
    await asyncio.sleep(random.choice([0.2, 2.0, 5.5, 9.0]))
    world.loop.network.release()


async def _asterisk_dies(world: World, random: Random) -> None:
    world.note("Asterisk dies")
    world.asterisk.kill()
    await asyncio.sleep(random.choice([0.0, 0.5, 5.0, 15.0]))
    world.asterisk.start()


async def _answers_late(world: World, random: Random) -> None:
    longest = random.choice([0.05, 0.5, 3.0, 7.0])
    world.note(f"answers up to {longest} s late")
    world.asterisk.faults.delay_answers(lambda: random.uniform(0, longest))
    await asyncio.sleep(random.uniform(1, 8))
    world.asterisk.faults.delay_answers(0)


async def _wrong_answer(world: World, random: Random) -> None:
    operation = random.choice(_REFUSABLE)
    status = random.choice([404, 500] if operation in _ENDS else [404, 409, 500])
    # What is to be ended and not there has ended.
    after_doing = random.random() < 0.5 or (operation in _ENDS and status == 404)
    world.note(f"{operation} answered {status}{', but done' if after_doing else ''}")
    world.asterisk.faults.answer(operation, status, times=random.choice([1, 1, 2]), after_doing=after_doing)


async def _event_lost(world: World, random: Random) -> None:
    kind = random.choice(_LOSABLE)
    world.note(f"{kind} lost")
    world.asterisk.faults.omit(kind)


async def _event_twice(world: World, random: Random) -> None:
    kind, times = random.choice([*_LOSABLE, "*"]), random.randrange(1, 5)
    world.note(f"{kind} twice")
    world.asterisk.faults.double(kind, times)


async def _event_late(world: World, random: Random) -> None:
    kind = random.choice(_LOSABLE)
    world.note(f"{kind} after the next")
    world.asterisk.faults.hold_back(kind)


async def _crash(world: World, random: Random) -> None:
    # Between two steps of whatever runs: any await may be the last.
    world.loop.after_steps(random.randrange(1, 120), world.crash)


async def _crash_at_an_event(world: World, random: Random) -> None:
    kind, status = random.choice((("StasisStart", None), ("Dial", "ANSWER"), ("ChannelDestroyed", None)))
    fields = {} if status is None else {"dialstatus": status}
    before = sum(event["type"] == kind and fields.items() <= event.items() for event in world.asterisk.events)
    with contextlib.suppress(TimeoutError):
        await world.asterisk.told(kind, before + 1, limit=_PATIENCE, **fields)
        await asyncio.sleep(random.choice([0, random.uniform(0, 0.02), random.uniform(0.06, 0.09)]))
        world.crash()


async def _restart(world: World, _random: Random) -> None:
    await world.restart()


async def _database_away(world: World, random: Random) -> None:
    seconds = random.choice([0.05, 1.0, 6.0])
    world.note(f"database away for {seconds} s")
    world.database_away_until = world.loop.time() + seconds


async def _disk_full(world: World, random: Random) -> None:
    seconds = random.choice([0.05, 1.0, 6.0])
    world.note(f"disk full for {seconds} s")
    world.disk_full_until = world.loop.time() + seconds


async def _second_controller(world: World, _random: Random) -> None:
    """Another with the same application: ours is given up for good, and is started again."""
    world.note("a second controller takes the application")
    world.asterisk.be_taken_over()


async def _database_slow(world: World, random: Random) -> None:
    seconds = random.uniform(1, 8)
    world.note("database slow")
    world.database_slow_until = world.loop.time() + seconds


async def _clock_steps(world: World, random: Random) -> None:
    step = random.choice([-60, -5, -0.5, 0.5, 5, 60])
    world.note(f"clock steps by {step} s")
    world.clock.offset += timedelta(seconds=step)


async def _receivers_misbehave(world: World, random: Random) -> None:
    temper = random.choice([temper for temper in Temper if temper is not Temper.KIND])
    world.note(f"receivers: {temper}")
    world.receivers.temper = temper
    await asyncio.sleep(random.choice([0.5, 4.0, 10.0]))
    world.receivers.temper = Temper.KIND


_FAULTS: tuple[Fault, ...] = (
    _socket_closed,
    _socket_closed,
    _asterisk_hangs,
    _packets_held_up,
    _asterisk_dies,
    _answers_late,
    _wrong_answer,
    _wrong_answer,
    _wrong_answer,
    _event_lost,
    _event_twice,
    _event_late,
    _crash,
    _crash,
    _crash_at_an_event,
    _crash_at_an_event,
    _restart,
    _database_away,
    _database_slow,
    _disk_full,
    _second_controller,
    _clock_steps,
    _receivers_misbehave,
)


async def trouble(world: World, random: Random, seconds: float) -> None:
    """Let things go wrong for this long, and end when all of it is mended."""
    under_way = []
    # One world in eight is healthy: it must do everything right.
    for _ in range(random.choice([0, 1, 2, 2, 3, 3, 4, 6])):
        fault, begin = random.choice(_FAULTS), random.uniform(0, seconds)
        under_way.append(asyncio.create_task(_at(begin, fault, world, random)))
    if under_way:
        await asyncio.wait(under_way)
        for fault_task in under_way:
            fault_task.result()


async def _at(begin: float, fault: Fault, world: World, random: Random) -> None:
    await asyncio.sleep(begin)
    await fault(world, random)


def heal(world: World) -> None:
    """Nothing goes wrong any more."""
    asterisk = world.asterisk
    asterisk.speak_again()
    asterisk.refuse_connections(False)
    asterisk.faults.clear()
    world.loop.network.release()
    world.receivers.temper = Temper.KIND
