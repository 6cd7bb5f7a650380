"""What a live call takes of the controller's memory, with 2,000 of them on a fake node. Prints one JSON line.

Memory is what the kernel counts as the controller's own (anonymous, resident), so all that allocation
wastes is in it. The growth from the first thousand calls to the second is shown beside the whole: it has
nothing of what is made once.
"""

import asyncio
import json
import re
import sys
import tempfile
from pathlib import Path

import uvloop

from benchmarks.fake_nodes import FakeHouse, fake_house
from benchmarks.load import run, until
from benchmarks.product import Use
from benchmarks.services import CALLBACK, NOTIFICATION, Service
from controller.settings import CallSettings

_CALLS = 2000
_RATE = 50.0
_WARM_UP_SECONDS = 8.0
_FOREVER = 3600.0
"""Seconds that prompts last."""

_TOLD_WITHIN = 30.0
_REST = 3.0
"""Seconds in which what is done once a call has begun is done: its pushes, its rows."""

_OWN = re.compile(r"^RssAnon:\s+(\d+) kB", re.MULTILINE)


async def measure(service: Service, directory: Path) -> dict[str, object]:
    """Kilobytes of a live call of this service."""
    sections = {"calls": CallSettings(drain_timeout=0.5)}
    async with fake_house(directory, Use(service), sections) as house:
        if service is NOTIFICATION:
            # What is made once, such as connections and threads, is there then.
            print(await run(house.side, _RATE, _WARM_UP_SECONDS), file=sys.stderr, flush=True)
        house.node.play_for(_FOREVER)
        taken = [_kilobytes(house)]
        house.side.prepare(_CALLS)
        for half in (range(_CALLS // 2), range(_CALLS // 2, _CALLS)):
            await _begin(house, half, service.status_pushes - 1)
            taken.append(_kilobytes(house))
            print(f"{service.name}: {half.stop} calls, {taken[-1]} kB", file=sys.stderr, flush=True)
    return {
        f"{service.name}_kb_per_call": round((taken[2] - taken[0]) / _CALLS, 1),
        f"{service.name}_kb_per_call_of_second_half": round((taken[2] - taken[1]) / (_CALLS / 2), 1),
    }


async def _begin(house: FakeHouse, calls: range, pushes: int) -> None:
    """Ask for calls, and wait until all of them are told to have begun, in so many pushes each."""
    side = house.side
    before, _ = side.left_behind()["statuses"]
    for call in calls:
        side.ask(call)
        await asyncio.sleep(1 / _RATE)

    def told() -> int:
        return side.left_behind()["statuses"][0] - before

    await until(lambda: told() >= len(calls) * pushes, _TOLD_WITHIN)
    if told() != len(calls) * pushes or side.over() > _WARM_UP_SECONDS * _RATE:
        raise RuntimeError(f"{len(calls)} calls were asked for, {told() / pushes:.0f} began: {side.faults()}")
    await asyncio.sleep(_REST)


def _kilobytes(house: FakeHouse) -> int:
    (controller,) = house.side.processes()["controller"]
    found = _OWN.search(Path(f"/proc/{controller}/status").read_text())
    assert found is not None
    return int(found[1])


async def main() -> None:
    figures: dict[str, object] = {"bench": "memory", "calls": _CALLS}
    with tempfile.TemporaryDirectory(prefix="vc-memory-") as directory:
        for service in (NOTIFICATION, CALLBACK):
            figures |= await measure(service, Path(directory) / service.name)
    print(json.dumps(figures))


if __name__ == "__main__":
    uvloop.run(main())
