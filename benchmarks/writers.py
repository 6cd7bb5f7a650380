"""What controllers that write at once get done: calls a second of one and of two processes on one database.

A call is what its two transactions are to the database: accepted with its limits counted, ended with its CDR.
Prints one JSON line. `--postgresql` starts a PostgreSQL for this alone, which writes as it does in earnest.
"""

import argparse
import asyncio
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import uvloop
from sqlmodel import Session

from benchmarks.details import Calls
from controller.store.database import Database
from controller.store.engines import make_engine
from controller.store.schema import migrate
from controller.store.tables import Account, App
from testbed.postgresql import running_postgresql

_SECONDS = 8.0
_ROUNDS = 3


async def _work(url: str, begin: float) -> dict[str, float]:
    async with Database(url) as database:
        calls = Calls(database, f"{os.getpid()}")
        await calls.one()
        await asyncio.sleep(max(0.0, begin - time.time()))
        used = time.process_time()
        rate = await calls.as_many_as_possible(_SECONDS)
        return {"calls_per_s": rate, "cpu_ms": (time.process_time() - used) / (rate * _SECONDS) * 1000}


def _together(url: str, processes: int) -> dict[str, float]:
    begin = str(time.time() + 3.0)
    command = [sys.executable, "-m", "benchmarks.writers", "--work", url, "--begin", begin]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(processes)]
    found = [json.loads(process.communicate()[0]) for process in running]
    return {
        "calls_per_s": round(sum(its["calls_per_s"] for its in found), 1),
        "cpu_ms_a_call": round(sum(its["cpu_ms"] for its in found) / processes, 3),
    }


def _prepare(url: str) -> None:
    migrate(url)
    engine = make_engine(url)
    with Session(engine) as session, session.begin():
        session.add(Account(id="account0"))
        session.flush()
        session.add(App(key="app0", account_id="account0", service="notification", secret="12345678"))
    engine.dispose()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--postgresql", action="store_true")
    parser.add_argument("--work")
    parser.add_argument("--begin", type=float)
    asked = parser.parse_args()
    if asked.work:
        print(json.dumps(uvloop.run(_work(asked.work, asked.begin))))
        return
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="vc-writers-")))
        url = f"sqlite:///{folder}/voicecall.db"
        if asked.postgresql:
            server = stack.enter_context(running_postgresql(durable=True))
            server.create("bench")
            url = server.url("bench")
        _prepare(url)
        rounds: dict[int, list[dict[str, float]]] = {1: [], 2: []}
        for _ in range(_ROUNDS):
            for processes, done in rounds.items():
                done.append(_together(url, processes))
    found: dict[str, Any] = {
        "bench": "writers",
        "engine": "postgresql" if asked.postgresql else "sqlite",
        "load_average": round(os.getloadavg()[0], 1),
        "one": rounds[1],
        "two": rounds[2],
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main()
