"""Requests that are refused: what each costs, and what 2,000 of them a second cost other calls.

Prints one JSON line. (a) Processor time of the controller for a request with a wrong signature, and for one
with a wrong field. (b) Notifications at an even rate, from the request to the INVITE, by turns without refusals
beside them and with them.
"""

import asyncio
import json
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

import uvloop

from benchmarks.load import milliseconds, run
from benchmarks.product import SECRET, Product, Use, product
from benchmarks.services import NOTIFICATION
from benchmarks.usage import Usage
from controller.settings import AuthenticationSettings
from testbed.asterisk import obtain_asterisk

_KINDS = ("signature", "field")
_COST_RATE, _COST_SECONDS = 400, 8
_STORM_RATE = 2000
_CALL_RATE, _BLOCK_SECONDS, _PAIRS = 30.0, 8.0, 4
_LEAD = 1.0
"""Seconds for which refusals go on before and after the calls."""

_NOBODY_IS_LOCKED_OUT = AuthenticationSettings(lock_after=10_000_000)


async def measure(directory: Path) -> dict[str, object]:
    """All figures."""
    program = obtain_asterisk(lambda line: print(line, file=sys.stderr))
    sections = {"authentication": _NOBODY_IS_LOCKED_OUT}
    uses = [Use(NOTIFICATION, traced=True)]
    async with product(directory / "product", program, uses, sections=sections) as (side,):
        costs = {f"cpu_ms_{kind}": await _cost(side, kind) for kind in _KINDS}
        quiet, beside, ratios, storms = [], [], [], []
        for pair in range(_PAIRS):
            alone = await _delays(side)
            storm = asyncio.create_task(
                _storm(side, _KINDS[pair % 2], _STORM_RATE, _BLOCK_SECONDS + 2 * _LEAD)
            )
            await asyncio.sleep(_LEAD)
            together = await _delays(side)
            storms.append(await storm)
            quiet += alone
            beside += together
            ratios.append(_p99(together) / _p99(alone))
    return {
        "bench": "refusals",
        **costs,
        **milliseconds("invite", quiet),
        **{f"{name}_refusals": value for name, value in milliseconds("invite", beside).items()},
        "ratio": round(_p99(beside) / _p99(quiet), 2),
        "ratio_median_of_pairs": round(statistics.median(ratios), 2),
        "refusals_per_s": round(statistics.mean(storm["rate"] for storm in storms), 1),
        "refused": sum(storm["refused"] for storm in storms),
        "sent": sum(storm["sent"] for storm in storms),
    }


async def _cost(side: Product, kind: str) -> float:
    """Milliseconds of the controller's processor time a refused request."""
    roles = {"controller": side.processes()["controller"]}
    await _storm(side, kind, _COST_RATE, 1.0)
    before = Usage.now(roles)
    done = await _storm(side, kind, _COST_RATE, _COST_SECONDS)
    used = Usage.now(roles).since(before).roles["controller"]
    assert done["refused"] == done["sent"], done
    return round(1000 * used / done["sent"], 3)


async def _delays(side: Product) -> list[float]:
    """Seconds from request to INVITE in a block of calls, all of which went well."""
    trial = await run(side, _CALL_RATE, _BLOCK_SECONDS)
    print(trial, file=sys.stderr, flush=True)
    return side.invite_delays()


async def _storm(side: Product, kind: str, rate: float, seconds: float) -> dict[str, Any]:
    words = [side.url, f"bench-{NOTIFICATION.name}", SECRET, kind, str(rate), str(seconds)]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "benchmarks.storm", *words, stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate()
    assert process.returncode == 0
    done = json.loads(out)
    assert isinstance(done, dict)
    return done


def _p99(delays: list[float]) -> float:
    return sorted(delays)[len(delays) * 99 // 100]


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="vc-refusals-") as temporary:
        print(json.dumps(uvloop.run(measure(Path(temporary)))))
