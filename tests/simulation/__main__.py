"""`python -m tests.simulation --seeds 100000` or `--seed N --trace`: see docs/how-to/simulate.md."""

import argparse
import os
import sys
import time

if os.environ.get("PYTHONHASHSEED") != "0":
    # Sets of text are walked in an order that is drawn at the start of the interpreter.
    os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], {**os.environ, "PYTHONHASHSEED": "0"})  # noqa: S606

from tests.simulation.simulation import prepared, simulate, timed


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation")
    parser.add_argument("--seed", type=int, help="one world alone")
    parser.add_argument("--trace", action="store_true", help="with --seed: everything that happened")
    parser.add_argument("--seeds", type=int, default=100)
    parser.add_argument("--first", type=int, default=0)
    chosen = parser.parse_args()
    with prepared() as template:
        if chosen.seed is not None:
            result = simulate(chosen.seed, template)
            if chosen.trace:
                print("\n".join([*result.trace, *result.lines]))
            print("\n".join([*(f"{at:8.3f} {fault}" for at, fault in result.faults), *result.wrong]))
            print(f"seed {result.seed}: {result.calls} calls, trace {result.digest}")
            return bool(result.wrong)
        began, failed, calls, faults, virtual = time.monotonic(), 0, 0, 0, 0.0
        for seed in range(chosen.first, chosen.first + chosen.seeds):
            result, _ = timed(seed, template)
            calls, faults = calls + result.calls, faults + len(result.faults)
            virtual += result.virtual_seconds
            if result.wrong:
                failed += 1
                print(f"python -m tests.simulation --seed {seed}: {result.wrong[0]}", flush=True)
        seconds = time.monotonic() - began
    print(
        f"{chosen.seeds} worlds, {calls} calls, {faults} faults, {virtual / 3600:.1f} virtual hours "
        f"in {seconds:.0f} s; {failed} failed"
    )
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
