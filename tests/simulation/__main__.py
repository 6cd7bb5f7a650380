"""`python -m tests.simulation --seeds 100000` or `--seed N --trace`: see docs/how-to/simulate.md."""

import argparse
import os
import subprocess
import sys
import time

if os.environ.get("PYTHONHASHSEED") != "0":
    # Sets of text are walked in an order that is drawn at the start of the interpreter.
    os.execve(sys.executable, sys.orig_argv, {**os.environ, "PYTHONHASHSEED": "0"})

from tests.simulation.simulation import prepared, simulate


def _one(seed: int, *, trace: bool) -> int:
    with prepared() as template:
        result = simulate(seed, template)
    if trace:
        print("\n".join([*result.trace, *result.lines]))
    for at, fault in result.faults:
        print(f"{at:8.3f} {fault}")
    for wrong in result.wrong:
        print(f"WRONG: {wrong}")
    print(f"seed {seed}: {result.calls} calls, trace {result.digest}")
    return bool(result.wrong)


def _many(seeds: range) -> int:
    began, failed, calls, faults, virtual = time.monotonic(), 0, 0, 0, 0.0
    with prepared() as template:
        for seed in seeds:
            result = simulate(seed, template)
            calls, faults = calls + result.calls, faults + len(result.faults)
            virtual += result.virtual_seconds
            if result.wrong:
                failed += 1
                print(f"{result.replay}: {result.wrong[0]}", flush=True)
    print(
        f"{len(seeds)} worlds, {calls} calls, {faults} faults, {virtual / 3600:.1f} virtual hours "
        f"in {time.monotonic() - began:.0f} s; {failed} failed"
    )
    return bool(failed)


def _shared(seeds: int, first: int, workers: int) -> int:
    """Several processes, each with every `workers`th seed."""
    command = [sys.executable, "-m", "tests.simulation"]
    running = [
        subprocess.Popen(
            [*command, "--first", f"{first + place}", "--end", f"{first + seeds}", "--step", f"{workers}"]
        )
        for place in range(workers)
    ]
    return max(process.wait() for process in running)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation")
    parser.add_argument("--seed", type=int, help="one world alone")
    parser.add_argument("--trace", action="store_true", help="with --seed: everything that happened")
    parser.add_argument("--seeds", type=int, default=2000, help="how many worlds")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--workers", type=int, default=os.cpu_count(), help="processes")
    parser.add_argument("--end", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--step", type=int, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.seed is not None:
        return _one(chosen.seed, trace=chosen.trace)
    if chosen.end is not None:
        return _many(range(chosen.first, chosen.end, chosen.step))
    return _shared(chosen.seeds, chosen.first, chosen.workers)


if __name__ == "__main__":
    sys.exit(main())
