"""Requests that are refused: what each costs, and what 2,000 of them a second cost other calls.

Prints one JSON line. (a) Processor time of the controller for a refused request of each kind (see `storm`).
(b) Notifications at an even rate, from the request to the INVITE, by turns without refusals beside them and
with 2,000 a second of one kind.
"""

import asyncio
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import uvloop

from benchmarks.load import milliseconds, run
from benchmarks.product import SECRET, Product, Use, product
from benchmarks.services import NOTIFICATION
from benchmarks.usage import Usage
from testbed.asterisk import obtain_asterisk

_KINDS = ("signature", "field", "locked")
_COST_RATE, _COST_SECONDS = 400, 8
_STORM_RATE = 2000
_CALL_RATE, _BLOCK_SECONDS, _PAIRS = 30.0, 8.0, 2
_LEAD = 1.0
"""Seconds for which refusals go on before and after the calls."""


async def measure(directory: Path) -> dict[str, object]:
    """All figures."""
    program = obtain_asterisk(lambda line: print(line, file=sys.stderr))
    figures: dict[str, object] = {"bench": "refusals"}
    async with product(directory / "product", program, [Use(NOTIFICATION, traced=True)]) as (side,):
        for kind in _KINDS:
            figures[f"cpu_ms_{kind}"] = await _cost(side, kind)
        quiet: list[float] = []
        beside: dict[str, list[float]] = {kind: [] for kind in _KINDS}
        for kind in _KINDS * _PAIRS:
            quiet += await _delays(side)
            delays, done = await _delays_beside(side, kind)
            beside[kind] += delays
            figures[f"per_s_{kind}"] = done["rate"]
    figures |= milliseconds("invite", quiet)
    for kind, delays in beside.items():
        figures |= milliseconds(f"invite_{kind}", delays)
        figures[f"ratio_{kind}"] = round(_p99(delays) / _p99(quiet), 2)
    return figures


async def _cost(side: Product, kind: str) -> float:
    """Milliseconds of the controller's processor time a refused request."""
    roles = {"controller": side.processes()["controller"]}
    await _storm(side, kind, _COST_RATE, 1.0)
    before = Usage.now(roles)
    done = await _storm(side, kind, _COST_RATE, _COST_SECONDS)
    used = Usage.now(roles).since(before).roles["controller"]
    return round(1000 * used / done["sent"], 3)


async def _delays_beside(side: Product, kind: str) -> tuple[list[float], dict[str, Any]]:
    storm = asyncio.create_task(_storm(side, kind, _STORM_RATE, _BLOCK_SECONDS + 2 * _LEAD))
    await asyncio.sleep(_LEAD)
    delays = await _delays(side)
    return delays, await storm


async def _delays(side: Product) -> list[float]:
    """Seconds from request to INVITE in a block of calls."""
    trial = await run(side, _CALL_RATE, _BLOCK_SECONDS)
    print(trial, file=sys.stderr, flush=True)
    return side.invite_delays()


async def _storm(side: Product, kind: str, rate: float, seconds: float) -> dict[str, Any]:
    words = [side.url, f"bench-{NOTIFICATION.name}", SECRET, kind, str(rate), str(seconds)]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "benchmarks.storm", *words, stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate()
    done: dict[str, Any] = json.loads(out)
    print(kind, done, file=sys.stderr, flush=True)
    assert done["refused"] == done["sent"], done
    return done


def _p99(delays: list[float]) -> float:
    return sorted(delays)[len(delays) * 99 // 100]


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="vc-refusals-") as temporary:
        print(json.dumps(uvloop.run(measure(Path(temporary)))))
