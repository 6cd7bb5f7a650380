"""Requests that are refused: what each costs, and what 2,000 of them a second cost other calls.

`python -m benchmarks.refusals [KIND ...]` prints one JSON line. (a) Processor time of the controller for a
request of each kind (see `storm`), at a rate at which each is refused for what is wrong with it. (b)
Notifications at an even rate, from the request to the INVITE, by turns without refusals beside them and with
2,000 a second of one kind, which another app sends.
"""

import asyncio
import json
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import uvloop

from benchmarks.load import milliseconds, run
from benchmarks.product import SECRET, Product, Use, product
from benchmarks.services import NOTIFICATION
from benchmarks.usage import Usage
from testbed.asterisk import obtain_asterisk

_KINDS = ("elsewhere", "locked", "signature", "header", "field", "page", "health")
_COST_RATE, _COST_SECONDS = 100, 4
_STORM_RATE = 2000
_CALL_RATE, _BLOCK_SECONDS, _PAIRS = 30.0, 8.0, 4
_LEAD = 1.0
"""Seconds for which refusals go on before and after the calls."""
_STORM_APP = f"""
[[accounts.apps]]
key = "bench-storm"
secret = "{SECRET}"
service = "notification"
"""


async def measure(directory: Path, kinds: Sequence[str]) -> dict[str, object]:
    """All figures."""
    program = obtain_asterisk(lambda line: print(line, file=sys.stderr))
    figures: dict[str, object] = {"bench": "refusals"}
    uses = [Use(NOTIFICATION, traced=True)]
    async with product(directory / "product", program, uses, _STORM_APP) as (side,):
        for kind in kinds:
            if kind != "elsewhere":
                figures[f"cpu_ms_{kind}"] = await _cost(side, kind)
        for kind in kinds:
            figures |= await _beside(side, kind)
    return figures


async def _cost(side: Product, kind: str) -> float:
    """Milliseconds of the controller's processor time a refused request."""
    roles = {"controller": side.processes()["controller"]}
    before = Usage.now(roles)
    await asyncio.sleep(_COST_SECONDS)
    idle = Usage.now(roles).since(before).roles["controller"]
    await _storm(side, kind, _COST_RATE, 1.0)
    before = Usage.now(roles)
    done = await _storm(side, kind, _COST_RATE, _COST_SECONDS)
    used = Usage.now(roles).since(before).roles["controller"] - idle
    return round(1000 * float(used) / int(done["sent"]), 3)


async def _beside(side: Product, kind: str) -> dict[str, object]:
    """Calls without and with refusals of one kind, by turns."""
    quiet: list[float] = []
    beside: list[float] = []
    became: Counter[str] = Counter()
    for _ in range(_PAIRS):
        quiet += await _delays(side)
        storm = asyncio.create_task(_storm(side, kind, _STORM_RATE, _BLOCK_SECONDS + 2 * _LEAD))
        await asyncio.sleep(_LEAD)
        beside += await _delays(side)
        became += Counter(await storm)
    return {
        **milliseconds(f"invite_quiet_{kind}", quiet),
        **milliseconds(f"invite_{kind}", beside),
        f"ratio_{kind}": round(_p99(beside) / _p99(quiet), 2),
        f"per_s_{kind}": round(became["rate"] / _PAIRS),
        f"became_{kind}": {name: became[name] for name in ("sent", "refused", "late", "turned_away")},
    }


async def _delays(side: Product) -> list[float]:
    """Seconds from request to INVITE in a block of calls."""
    trial = await run(side, _CALL_RATE, _BLOCK_SECONDS)
    print(trial, file=sys.stderr, flush=True)
    return side.invite_delays()


async def _storm(side: Product, kind: str, rate: float, seconds: float) -> dict[str, Any]:
    words = [side.url, "bench-storm", SECRET, kind, str(rate), str(seconds)]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "benchmarks.storm", *words, stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate()
    done: dict[str, Any] = json.loads(out)
    print(kind, done, file=sys.stderr, flush=True)
    assert done["refused"] + done["turned_away"] == done["sent"], done
    return done


def _p99(delays: list[float]) -> float:
    return sorted(delays)[len(delays) * 99 // 100]


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="vc-refusals-") as temporary:
        print(json.dumps(uvloop.run(measure(Path(temporary), sys.argv[1:] or _KINDS))))
