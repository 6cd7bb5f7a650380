"""The services against bare Asterisk: the same calls, the same phones, in one run.

`python -m benchmarks.against_bare notification` (or callback, verification; several) prints one JSON line for
each, and on standard error what every trial showed; `--apart`: with a core for Asterisk alone, on both sides.
docs/benchmarks.md says how to read them.
"""

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Collection
from pathlib import Path

import uvloop

from benchmarks.bare import bare_asterisk
from benchmarks.load import Search, Side, Trial, likely_rate, milliseconds, run
from benchmarks.product import Use, product
from benchmarks.services import SERVICES, Service
from benchmarks.usage import first_and_other_cores, own_cores_kept, pin
from testbed.asterisk import AsteriskProgram, obtain_asterisk

_STEADY_RATE, _STEADY_SECONDS = 50.0, 15.0
_DISTURBED, _TAKEN_AGAIN = 0.05, 2
"""A trial that failed while strangers had so much of the machine is taken again, this often."""


async def measure(
    service: Service, directory: Path, program: AsteriskProgram, *, apart: bool = False
) -> dict[str, object]:
    """All figures of one service; `apart`: with a core for Asterisk and another one for everything else."""
    async with (
        bare_asterisk(directory / "bare", program, service) as bare,
        product(directory / "product", program, [Use(service), Use(service, traced=True)]) as uses,
    ):
        fast, timed = uses
        if apart:
            cores = first_and_other_cores()
            for side in (bare, fast, timed):
                keep_apart(side, *cores)
        bare_best, best = await highest_rates([bare, fast], apart=apart)
        steady = await _shown(timed, _STEADY_RATE, _STEADY_SECONDS)
        delays = timed.invite_delays()
    return {
        "bench": f"{service.name}_apart" if apart else service.name,
        "bare_cps": round(bare_best.rate, 1),
        "product_cps": round(best.rate, 1),
        "ratio": round(best.rate / bare_best.rate, 3),
        "cpu_ms_per_call": round(best.cpu_ms["controller"], 2),
        **milliseconds("invite", delays),
        "calls": best.calls,
        "disconnects": best.counts["disconnects"],
        "cdrs": best.counts["cdrs"],
        "call_s_bare": round(bare_best.call_seconds, 2),
        "call_s_product": round(best.call_seconds, 2),
        "asterisk_cpu_ms_per_call_bare": round(bare_best.cpu_ms["asterisk"], 2),
        "asterisk_cpu_ms_per_call_product": round(best.cpu_ms["asterisk"], 2),
        "harness_cpu_ms_per_call_bare": round(harness_cpu(bare_best), 2),
        "harness_cpu_ms_per_call": round(harness_cpu(best), 2),
        "others_cpu_share_bare": round(bare_best.others, 3),
        "others_cpu_share": round(best.others, 3),
        "latency_calls": steady.calls,
        "latency_faults": dict(steady.faults),
    }


def keep_apart(side: Side, asterisk: Collection[int], others: Collection[int]) -> None:
    """Give Asterisk the cores `asterisk`, and what else a side consists of, and who asks it, the others."""
    for role, processes in {**side.processes(), "harness": [os.getpid()]}.items():
        pin(processes, asterisk if role == "asterisk" else others)


async def highest_rates(sides: list[Side], *, apart: bool = False) -> list[Trial]:
    """The best trial of each side. They take turns, so that a machine that changes changes for both."""
    searches = [(side, Search(await likely_rate(side, apart=apart))) for side in sides]
    while unfinished := [(side, search) for side, search in searches if not search.done]:
        for side, search in unfinished:
            search.learn(await _undisturbed(side, search.rate))
    return [search.best for _side, search in searches if search.best is not None]


async def _undisturbed(side: Side, rate: float) -> Trial:
    trial = await _shown(side, rate)
    for _ in range(_TAKEN_AGAIN):
        if trial.passed or trial.others < _DISTURBED:
            break
        trial = await _shown(side, rate)
    return trial


async def _shown(side: Side, *load: float) -> Trial:
    trial = await run(side, *load)
    print(f"{side.name:8}{trial}", file=sys.stderr, flush=True)
    return trial


def harness_cpu(trial: Trial) -> float:
    """Milliseconds a call that measuring took."""
    return trial.cpu_ms["harness"] + trial.cpu_ms["far end"]


def main() -> None:
    parser = argparse.ArgumentParser(description="The services against bare Asterisk")
    parser.add_argument("services", nargs="+", choices=SERVICES, metavar="SERVICE")
    parser.add_argument("--apart", action="store_true", help="Asterisk has a core of its own")
    asked = parser.parse_args()
    program = obtain_asterisk(lambda line: print(line, file=sys.stderr))
    for name in asked.services:
        print(f"{name}:", file=sys.stderr)
        with own_cores_kept(), tempfile.TemporaryDirectory(prefix=f"vc-bench-{name}-") as directory:
            figures = uvloop.run(measure(SERVICES[name], Path(directory), program, apart=asked.apart))
        print(json.dumps(figures), flush=True)


if __name__ == "__main__":
    main()
