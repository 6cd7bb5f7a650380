"""`python -m tests.crash --seed 7 --faults 100`: see docs/how-to/crash.md."""

import argparse
import asyncio
import sys
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path

from testbed.asterisk import obtain_asterisk
from testbed.postgresql import running_postgresql
from tests.crash.random_run import Result, run
from tests.crash.world import opened_world


async def _run(seed: int, faults: int, engine: str, directory: Path) -> Result:
    async with AsyncExitStack() as stack:
        server = stack.enter_context(running_postgresql(durable=True)) if engine == "postgresql" else None
        world = await stack.enter_async_context(opened_world(directory, obtain_asterisk(), postgresql=server))
        return await run(world, seed, faults, then=lambda line: print(line, file=sys.stderr, flush=True))


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.crash")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--faults", type=int, default=100)
    parser.add_argument("--engine", choices=("sqlite", "postgresql"), default="sqlite")
    asked = parser.parse_args()
    directory = Path(tempfile.mkdtemp(prefix="voicecall-crash-"))
    result = asyncio.run(_run(asked.seed, asked.faults, asked.engine, directory))
    print(result)
    for wrong in result.wrong:
        print(f"WRONG: {wrong}")
    if result.wrong:
        print(
            f"again: make crash-random SEED={asked.seed} FAULTS={asked.faults} ENGINE={asked.engine}; "
            f"all of it is in {directory}"
        )
    return bool(result.wrong)


if __name__ == "__main__":
    sys.exit(main())
