"""Voice notification against bare Asterisk: the same work - answer, a prompt of 1 s over RTP, hang-up.

(a) bare Asterisk with a dialplan, calls originated over AMI; (b) the product: HTTP API with authentication,
database, status and CDR pushes to a sink. SIPp is the far end of both. Prints one JSON line.
"""

import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import uvloop

from benchmarks.bare import bare_asterisk
from benchmarks.load import Trial, highest_rate
from benchmarks.product import invite_times, product
from controller.prompts import wav
from testbed.asterisk import AsteriskProgram, obtain_asterisk
from testbed.sounds import distinct_prompt

_FIRST_RATES = (100.0, 50.0)
_LATENCY_RATE, _LATENCY_CALLS = 30.0, 450
_WARM_UP = (10.0, 40)


def _report(side: str) -> Callable[[Trial], None]:
    def report(trial: Trial) -> None:
        verdict = "ok" if trial.passed else f"{trial.failures} failures"
        cpu = f"controller {trial.cpu_ms_per_call:.1f} ms, Asterisk {trial.asterisk_cpu_ms_per_call:.1f} ms"
        print(f"{side:8} {trial.rate:6.1f} calls/s  {verdict:14} {cpu} a call", file=sys.stderr)

    return report


async def measure(directory: Path, program: AsteriskProgram) -> dict[str, object]:
    """All figures of one run."""
    sound_file = distinct_prompt(1, 1.0)
    async with bare_asterisk(directory / "bare", program, wav.read(sound_file)) as bare:
        await bare.run(*_WARM_UP)
        bare_best = await highest_rate(bare.run, _FIRST_RATES[0], _report("bare"))
    async with product(directory / "product", program, sound_file) as whole:
        await whole.run(*_WARM_UP)
        best = await highest_rate(whole.run, _FIRST_RATES[1], _report("product"))
    scenario = Path(__file__).with_name("timed_answer.xml")
    async with product(directory / "latency", program, sound_file, scenario) as whole:
        await whole.run(*_WARM_UP)
        whole.asked_at.clear()
        steady = await whole.run(_LATENCY_RATE, _LATENCY_CALLS)
        _report("latency")(steady)
    delays = _delays(whole.asked_at, invite_times(directory / "latency"))
    return {
        "bench": "notification",
        "bare_cps": round(bare_best.rate, 1),
        "product_cps": round(best.rate, 1),
        "ratio": round(best.rate / bare_best.rate, 3),
        "cpu_ms_per_call": round(best.cpu_ms_per_call, 2),
        "invite_ms_p50": round(1000 * delays[len(delays) // 2], 1),
        "invite_ms_p99": round(1000 * delays[int(len(delays) * 0.99)], 1),
        **best.counts,
        "asterisk_cpu_ms_per_call_bare": round(bare_best.asterisk_cpu_ms_per_call, 2),
        "asterisk_cpu_ms_per_call_product": round(best.asterisk_cpu_ms_per_call, 2),
        "latency_calls": steady.calls,
        "latency_failures": steady.failures,
    }


def _delays(asked: dict[str, float], invited: dict[str, float]) -> list[float]:
    return sorted(invited[number] - moment for number, moment in asked.items() if number in invited)


def main() -> None:
    program = obtain_asterisk(lambda line: print(line, file=sys.stderr))
    with tempfile.TemporaryDirectory(prefix="vc-bench-") as directory:
        print(json.dumps(uvloop.run(measure(Path(directory), program))))


if __name__ == "__main__":
    main()
