"""`python -m tests.fuzz --minutes 10`: other examples than the suite's until one fails or time is over."""

import argparse
import os
import subprocess
import sys
import time
from random import SystemRandom

_TIMES = 10
"""Examples in a round, as a multiple of the suite's."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz")
    parser.add_argument("--minutes", type=float, default=10, help="no round begins after that")
    parser.add_argument("--seed", type=int, help="of the first round; they go on from there")
    chosen = parser.parse_args()
    first = SystemRandom().randrange(1_000_000) if chosen.seed is None else chosen.seed
    end, seed = time.monotonic() + 60 * chosen.minutes, first
    while seed == first or time.monotonic() < end:
        command = [sys.executable, "-m", "pytest", "tests/fuzz", "-q", "-n", "2", f"--hypothesis-seed={seed}"]
        done = subprocess.run(command, check=False, env={**os.environ, "FUZZ_TIMES": str(_TIMES)})
        if done.returncode:
            print(f"again: python -m tests.fuzz --minutes 0 --seed {seed}")
            return done.returncode
        seed += 1
    print(
        f"{seed - first} rounds of {_TIMES} times the suite's examples, seeds {first} to {seed - 1}: all well"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
