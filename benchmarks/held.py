"""How many calls are held at once, each hearing a prompt over RTP: the product against bare Asterisk.

Calls are added at an even pace and stay; one that is refused for now is asked for again. From level to level
it is counted how many packets of sound the far ends get: 50 a second for each call. A level counts as held if
no more than 1 % of them is missing and no call has failed. The sides take turns, climb by climb. Prints one
JSON line.
"""

import asyncio
import json
import os
import socket
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from time import perf_counter

import uvloop

from benchmarks.bare import bare_asterisk
from benchmarks.load import Side
from benchmarks.product import Use, product
from benchmarks.services import NOTIFICATION
from benchmarks.usage import CORES, Usage
from controller.settings import CallSettings
from testbed.asterisk import AsteriskProgram, obtain_asterisk
from testbed.sounds import distinct_prompt

_PACE = 40.0
"""Calls that are added in a second."""

_FIRST, _LAST = 300, 3000
_STEP, _FINE_STEP, _FINE_FROM = 1.1, 1.02, 0.75
"""Steps from level to level: the fine one from this share of the machine on."""

_ASKED_AGAIN = 5
"""Times, at most, that what was refused at a level is asked for again."""

_LOOK, _REST = 3.0, 1.0
"""Seconds that packets are counted, and that a level has to settle before."""

_REFUSED = "refused"
"""The fault of a side that takes no more for now."""

_PACKETS = 50.0
_ENOUGH = 0.99
_PROMPT_SECONDS, _CLIMB_SECONDS = 200.0, 190.0
"""The first calls hear a prompt until the climb is over."""

_CLIMBS = 2


@dataclass(frozen=True)
class Level:
    """So many calls at once, and what became of them."""

    calls: int
    packets: float
    """Share of the packets that were due."""
    cores: dict[str, float]
    """Role -> processors that it took."""
    failed: Mapping[str, int]
    """What went wrong -> with how many calls so far."""

    @property
    def busy(self) -> float:
        """Share of the machine that was at work."""
        return sum(self.cores.values()) / CORES

    @property
    def held(self) -> bool:
        return self.packets >= _ENOUGH and not any(self.failed.values())

    def __str__(self) -> str:
        cores = ", ".join(f"{role} {much:.2f}" for role, much in self.cores.items())
        failed = ", ".join(f"{count} {what}" for what, count in self.failed.items() if count) or "none failed"
        return f"{self.calls} calls: {self.packets:.1%} of the packets; cores: {cores}; {failed}"


class Ears:
    """A port at which the sound of all calls arrives. Nobody reads it: the kernel counts what it drops."""

    def __init__(self, taken: socket.socket) -> None:
        self.port = taken.getsockname()[1]
        self._inode = str(os.fstat(taken.fileno()).st_ino)

    @property
    def packets(self) -> int:
        """That have come so far, but for the few that fill the socket."""
        for line in Path("/proc/net/udp").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[9] == self._inode:
                return int(fields[12])
        raise RuntimeError("the kernel does not know the socket")


@contextmanager
def ears() -> Iterator[Ears]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        taken.bind(("127.0.0.1", 0))
        yield Ears(taken)


async def climb(side: Side, heard: Ears) -> list[Level]:
    """Add calls until a level is not held."""
    side.prepare(2 * _LAST)
    began, asked, wanted = perf_counter(), 0, _FIRST
    levels: list[Level] = []
    while wanted <= _LAST and perf_counter() - began < _CLIMB_SECONDS:
        asked = await _ask_until_taken(side, asked, wanted)
        levels.append(await _look(side, heard, wanted, asked))
        print(f"{side.name:8}{levels[-1]}", file=sys.stderr, flush=True)
        if not levels[-1].held:
            return levels
        wanted = round(wanted * (_FINE_STEP if levels[-1].busy > _FINE_FROM else _STEP))
    raise RuntimeError(f"{side.name} could have held more than {levels[-1].calls} calls")


async def _ask_until_taken(side: Side, asked: int, wanted: int) -> int:
    """Have so many calls under way; returns how many were asked for in all."""
    for _ in range(1 + _ASKED_AGAIN):
        missing = wanted - (asked - side.faults().get(_REFUSED, 0))
        if not missing:
            break
        for call in range(asked, asked + missing):
            side.ask(call)
            await asyncio.sleep(1 / _PACE)
        asked += missing
        await asyncio.sleep(_REST)
    return asked


async def _look(side: Side, heard: Ears, calls: int, asked: int) -> Level:
    roles = side.processes()
    usage, packets, began = Usage.now(roles), heard.packets, perf_counter()
    await asyncio.sleep(_LOOK)
    took = perf_counter() - began
    share = (heard.packets - packets) / (calls * _PACKETS * took)
    used = Usage.now(roles).since(usage)
    cores = {role: seconds / took for role, seconds in used.roles.items()}
    cores["others"] = used.others / took
    failed = dict(side.faults())
    # What was refused and taken later has not failed.
    failed["never taken"] = calls - (asked - failed.pop(_REFUSED, 0))
    return Level(calls, share, cores, failed)


async def measure(directory: Path, program: AsteriskProgram) -> dict[str, object]:
    """All figures."""
    sounds = {"prompt": distinct_prompt(1, _PROMPT_SECONDS)}
    with ears() as heard:
        far_end = replace(NOTIFICATION.far_ends[0], media_port=heard.port)
        service = replace(NOTIFICATION, far_ends=(far_end,))
        climbs: dict[str, list[list[Level]]] = {"bare": [], "product": []}
        for number in range(_CLIMBS):
            # Each on an Asterisk that was just started: what the climb before held is gone with the old one.
            async with bare_asterisk(directory / f"bare{number}", program, service, sounds) as bare:
                climbs["bare"].append(await climb(bare, heard))
            started = product(
                directory / f"product{number}",
                program,
                [Use(service)],
                sections={"calls": CallSettings(drain_timeout=0.5)},
                sounds=sounds,
            )
            async with started as (ours,):
                climbs["product"].append(await climb(ours, heard))
    held = {name: [_highest(levels) for levels in its] for name, its in climbs.items()}
    cores = {name: _cores_at(_FIRST, its) for name, its in climbs.items()}
    return {
        "bench": "held",
        "held_bare": held["bare"],
        "held_product": held["product"],
        "ratio": round(median(held["product"]) / median(held["bare"]), 3),
        "cores_at": _FIRST,
        "cores_bare": round(cores["bare"], 3),
        "cores_product": round(cores["product"], 3),
        "cores_ratio": round(cores["bare"] / cores["product"], 3),
        "cores_of_machine": CORES,
        "load_average": round(os.getloadavg()[0], 1),
    }


def _highest(levels: list[Level]) -> int:
    held = [level.calls for level in levels if level.held]
    if not held:
        raise RuntimeError(f"not even the first level was held: {levels[0]}")
    return held[-1]


def _cores_at(calls: int, climbs: list[list[Level]]) -> float:
    """Processors for so many calls: Asterisk and, where there is one, the controller."""
    roles = ("asterisk", "controller")
    return median(
        sum(level.cores.get(role, 0.0) for role in roles)
        for levels in climbs
        for level in levels
        if level.calls == calls
    )


def main() -> None:
    program = obtain_asterisk(lambda line: print(line, file=sys.stderr))
    with tempfile.TemporaryDirectory(prefix="vc-held-") as directory:
        print(json.dumps(uvloop.run(measure(Path(directory), program))))


if __name__ == "__main__":
    main()
