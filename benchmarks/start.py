"""From starting the controller's process to the first call it can make. Prints one JSON line."""

import asyncio
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.usage import process_seconds
from testbed.asterisk import obtain_asterisk
from testbed.controller_process import controller_process
from testbed.platform import platform

_RUNS = 5


async def measure(directory: Path) -> dict[str, object]:
    """Seconds to ready, the first time with an empty database."""
    seconds: list[float] = []
    processor: list[float] = []
    async with platform(directory, obtain_asterisk(lambda line: print(line, file=sys.stderr))) as home:
        for _ in range(_RUNS):
            began = time.perf_counter()
            async with controller_process(home.settings, directory / "controller") as controller:
                seconds.append(time.perf_counter() - began)
                processor.append(process_seconds(controller.pid))
    return {
        "bench": "start",
        "runs": _RUNS,
        "ready_s_first": round(seconds[0], 2),
        "ready_s_median": round(statistics.median(seconds), 2),
        "ready_s_max": round(max(seconds), 2),
        "cpu_s_first": round(processor[0], 2),
        "cpu_s_median": round(statistics.median(processor), 2),
    }


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="vc-start-") as temporary:
        print(json.dumps(asyncio.run(measure(Path(temporary)))))
