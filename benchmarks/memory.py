"""What a live call takes of the controller's memory, with 2,000 of them on a fake node. Prints one JSON line.

First with `capture` off, then as shipped: the node tells what legs say in SIP, and calls come as fast as
legs are kept.

Memory is what the kernel counts as the controller's own (anonymous, resident), so all that allocation
wastes is in it. The growth from the first thousand calls to the second is shown beside the whole: it has
nothing of what is made once.
"""

import asyncio
import contextlib
import json
import re
import sqlite3
import sys
import tempfile
from pathlib import Path

import uvloop

from benchmarks.fake_nodes import FakeHouse, fake_house
from benchmarks.load import run, until
from benchmarks.product import Use
from benchmarks.services import CALLBACK, NOTIFICATION, Service
from controller.capture.leg_capture import LegCapture
from controller.settings import CallSettings, CaptureSettings, Settings
from testbed.ports import reserved_ports

_CALLS = 2000
_RATE = 50.0
_OF_CAPTURE = 0.9
"""Of the legs a second that capture keeps: none is to be left out."""
_WARM_UP_SECONDS = 8.0
_FOREVER = 3600.0
"""Seconds that prompts last."""

_TOLD_WITHIN = 30.0
_REST = 6.0
"""Seconds in which what is done once a call has begun is done: its pushes, its rows, its messages folded."""

_MESSAGES = 5
"""Of a leg that was answered, at least."""

_OWN = re.compile(r"^RssAnon:\s+(\d+) kB", re.MULTILINE)


async def measure(service: Service, directory: Path, capture: CaptureSettings) -> dict[str, object]:
    """Kilobytes of a live call of this service."""
    name, rate = service.name, _RATE
    if capture.enabled:
        name, rate = f"{name}_captured", _OF_CAPTURE * capture.legs_per_second / len(service.far_ends)
    sections = {"calls": CallSettings(drain_timeout=0.5), "capture": capture}
    async with fake_house(directory, Use(service), sections) as house:
        if service is NOTIFICATION:
            # What is made once, such as connections and threads, is there then.
            print(await run(house.side, rate, _WARM_UP_SECONDS), file=sys.stderr, flush=True)
        house.node.play_for(_FOREVER)
        taken = [_kilobytes(house)]
        house.side.prepare(_CALLS)
        for half in (range(_CALLS // 2), range(_CALLS // 2, _CALLS)):
            await _begin(house, half, rate, service.status_pushes - 1)
            taken.append(_kilobytes(house))
            print(f"{name}: {half.stop} calls, {taken[-1]} kB", file=sys.stderr, flush=True)
    if capture.enabled:
        _check_kept(house.settings, _CALLS * len(service.far_ends))
    return {
        f"{name}_kb_per_call": round((taken[2] - taken[0]) / _CALLS, 1),
        f"{name}_kb_per_call_of_second_half": round((taken[2] - taken[1]) / (_CALLS / 2), 1),
    }


async def _begin(house: FakeHouse, calls: range, rate: float, pushes: int) -> None:
    """Ask for calls, and wait until all of them are told to have begun, in so many pushes each."""
    side = house.side
    before, _ = side.left_behind()["statuses"]
    over = side.over()
    for call in calls:
        side.ask(call)
        await asyncio.sleep(1 / rate)

    def told() -> int:
        return side.left_behind()["statuses"][0] - before

    await until(lambda: told() >= len(calls) * pushes, _TOLD_WITHIN)
    if told() != len(calls) * pushes or side.over() > over:
        raise RuntimeError(f"{len(calls)} calls were asked for, {told() / pushes:.0f} began: {side.faults()}")
    await asyncio.sleep(_REST)


def _check_kept(settings: Settings, legs: int) -> None:
    """Raise RuntimeError unless so many legs were put away: they were in memory with what they said."""
    with contextlib.closing(sqlite3.connect(settings.capture_file)) as file:
        kept = [LegCapture.unpacked(content) for (content,) in file.execute("SELECT content FROM capture")]
    whole = sum(len(leg.messages) >= _MESSAGES and leg.qualities.to_phone.reports > 0 for leg in kept)
    if whole < legs:
        raise RuntimeError(f"of {legs} legs {whole} were kept as a whole")


def _kilobytes(house: FakeHouse) -> int:
    (controller,) = house.side.processes()["controller"]
    found = _OWN.search(Path(f"/proc/{controller}/status").read_text())
    assert found is not None
    return int(found[1])


async def main() -> None:
    figures: dict[str, object] = {"bench": "memory", "calls": _CALLS}
    with tempfile.TemporaryDirectory(prefix="vc-memory-") as directory, reserved_ports(1) as (port,):
        for capture in (CaptureSettings(enabled=False), CaptureSettings(port=port)):
            for service in (NOTIFICATION, CALLBACK):
                place = Path(directory) / f"{service.name}-{capture.enabled}"
                figures |= await measure(service, place, capture)
    print(json.dumps(figures))


if __name__ == "__main__":
    uvloop.run(main())
