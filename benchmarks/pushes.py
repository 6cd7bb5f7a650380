"""Status pushes from one controller process to a sink, and what one receiver that hangs does to the others.

The process that tells has the whole room of pushes, the journal and a database on disk; the sink is a process
of its own, and so is the receiver that hangs. Calls are accepted beforehand, so that only what belongs to
telling is measured. A delay is from the moment something happens to its push's arrival at the receiver's
machine (`arrivals.py`). For the isolation, blocks take turns in one run: another app is told as much in both,
once with a receiver that answers and once with one that hangs. Prints one JSON line.
"""

import asyncio
import json
import os
import resource
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from random import Random
from statistics import median
from typing import Any

import msgspec
import uvloop
from pydantic import SecretStr
from sqlmodel import Session

from benchmarks.arrivals import arrivals
from benchmarks.load import milliseconds
from controller import process
from controller.accounts.directory import Application
from controller.calls.call import CallRequest, LiveCall, Notification
from controller.calls.timeline import Entry, Kind
from controller.clock import SystemClock
from controller.phone_number import PhoneNumber
from controller.pushes.guard import AddressGuard
from controller.pushes.room import Pushes, opened_pushes
from controller.settings import PushSettings, Settings
from controller.store.calls import accept_call
from controller.store.database import Database
from controller.store.engines import make_engine
from controller.store.journal import Journal
from controller.store.limits import Limits
from controller.store.schema import migrate
from controller.store.tables import Account, App, Service
from testbed.platform import LOOPBACK

_RATE, _SECONDS = 1000.0, 10.0
_OTHERS_RATE, _HANGING_RATE = 960.0, 40.0
_BLOCKS, _BLOCK_SECONDS = 6, 21.0
"""So long that of the others' pushes in a block two hundred are beyond the 99th percentile."""

_PUSHES_A_CALL = 3
_TIMEOUT = 2.0
"""Seconds after which a push to the receiver that hangs is given up; blocks are that far apart."""

_WARM_UP, _FULL, _ANOTHERS = "warm-up", "full", "anothers"
_WORKING, _HANGING = "working", "hanging"
"""What the receiver of the other app does in a block."""


class Teller:
    """Has things happen in calls that were accepted before."""

    def __init__(self, pushes: Pushes, journal: Journal, database: Database) -> None:
        self._pushes = pushes
        self._journal = journal
        self._database = database
        self._accepted = 0

    async def calls(self, app: str, url: str, count: int) -> list[LiveCall]:
        """So many calls, accepted."""
        made = [self._call(app, url) for _ in range(count)]

        def accept(session: Session) -> None:
            for call in made:
                accept_call(session, _row(call), None, Limits(app_calls=10_000_000))

        await self._database.write(accept)
        return made

    async def tell(self, block: str, calls: list[LiveCall], moments: Iterable[float]) -> None:
        """Have something happen at these moments (seconds from now), in one call after the other."""
        began = time.perf_counter()
        for index, moment in enumerate(moments):
            ahead = began + moment - time.perf_counter()
            if ahead > 0:
                await asyncio.sleep(ahead)
            calls[index % len(calls)].tell(Kind.COLLECTED, "a", {"digits": f"{block} {time.time()}"})

    def _call(self, app: str, url: str) -> LiveCall:
        self._accepted += 1
        shown, called = PhoneNumber("+8657126880001"), PhoneNumber("+8613900001111")
        request = CallRequest("bench", app, shown, called, Notification(()), None, url)
        call_id = f"1200_{self._accepted}_1_x"
        call = LiveCall(call_id, f"{call_id}@bench", request, SystemClock(), self._on_entry)
        call.timeline.add(Entry(0, call.clock.now(), Kind.ACCEPTED))
        return call

    def _on_entry(self, call: LiveCall, entry: Entry) -> None:
        row = {"call_id": call.id, "sequence": entry.sequence, "at": entry.at, "kind": entry.kind}
        written = self._journal.add({**row, "leg": entry.leg, "detail": entry.detail})
        self._pushes.statuses.tell(call, entry, written)


def _evenly(rate: float, seconds: float) -> Iterable[float]:
    return (index / rate for index in range(round(rate * seconds)))


def _at_random(rate: float, seconds: float) -> Iterable[float]:
    """As often, at any moment, in each block the same ones.

    At even moments it would be told at the same moment as the others each time, or never.
    """
    random = Random(1)
    return sorted(random.uniform(0, seconds) for _ in range(round(rate * seconds)))


def _row(call: LiveCall) -> dict[str, Any]:
    request = call.request
    return {
        "id": call.id,
        "session_id": call.session_id,
        "account_id": request.account_id,
        "app_key": request.app_key,
        "service": request.service,
        "controller": "bench",
        "node": "bench",
        "display_number": request.display_number.e164,
        "callee": request.callee.e164,
        "accepted_at": call.accepted_at,
    }


@asynccontextmanager
async def _teller(directory: Path) -> AsyncIterator[Teller]:
    settings = Settings(data_dir=directory, pushes=PushSettings(allowed_networks=LOOPBACK, timeout=_TIMEOUT))
    migrate(settings.database_url)
    engine = make_engine(settings.database_url)
    with Session(engine) as session, session.begin():
        session.add(Account(id="bench"))
        session.flush()
        for key in ("works", "hangs"):
            session.add(App(key=key, account_id="bench", service="notification", secret="bench-secret"))
    engine.dispose()
    secret = SecretStr("bench-secret")
    apps = {
        key: Application(key, "bench", Service.NOTIFICATION, True, False, 10, secret, None, None)
        for key in ("works", "hangs")
    }
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(Database(settings.database_url))
        journal = await stack.enter_async_context(Journal(database))
        guard = AddressGuard(settings.pushes.allowed_networks)
        pushes = await stack.enter_async_context(
            opened_pushes(settings, database, apps.get, guard, SystemClock(), Random(1))
        )
        for work in pushes.works:
            task = asyncio.create_task(work)
            stack.callback(task.cancel)
        yield Teller(pushes, journal, database)
        await pushes.drain(_TIMEOUT)


async def tell(directory: Path, works: str, hangs: str) -> dict[str, float]:
    """What the telling process does; returns its CPU time for each push of the block at full rate."""
    async with _teller(directory) as teller:
        calls = await teller.calls("works", works, round(_RATE * _SECONDS) // _PUSHES_A_CALL)
        await teller.tell(_WARM_UP, calls, _evenly(_RATE / 2, 2))
        await asyncio.sleep(1)
        process.settle_memory()
        before = _cpu()
        await teller.tell(_FULL, calls, _evenly(_RATE, _SECONDS))
        await asyncio.sleep(1)
        cpu = 1000 * (_cpu() - before) / round(_RATE * _SECONDS)
        # One push a call, so that they time out together and no block reaches into the next.
        count = round(_HANGING_RATE * _BLOCK_SECONDS)
        told = {
            _WORKING: await teller.calls("hangs", works, count),
            _HANGING: await teller.calls("hangs", hangs, count),
        }
        # Thousands of calls at once, with long timelines, are the benchmark's and nobody else's.
        process.settle_memory()
        for number in range(_BLOCKS):
            kind = (_WORKING, _HANGING)[number % 2]
            await asyncio.gather(
                teller.tell(f"{kind}{number}", calls, _evenly(_OTHERS_RATE, _BLOCK_SECONDS)),
                teller.tell(_ANOTHERS, told[kind], _at_random(_HANGING_RATE, _BLOCK_SECONDS)),
            )
            await asyncio.sleep(_TIMEOUT + 0.5)
        return {"cpu_ms_per_push": cpu}


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


class _DigitInfo(msgspec.Struct):
    digitInfo: str  # noqa: N815


class _Collected(msgspec.Struct):
    statusInfo: _DigitInfo  # noqa: N815


class _Delays(defaultdict[str, list[float]]):
    """The delay of each push under its block, in seconds."""

    def __init__(self) -> None:
        super().__init__(list)
        self._decoder = msgspec.json.Decoder(_Collected)

    def note(self, body: bytes, arrived_at: float) -> None:
        block, moment = self._decoder.decode(body).statusInfo.digitInfo.split()
        self[block].append(arrived_at - float(moment))


async def measure(directory: Path) -> dict[str, object]:
    """All figures of one run; of blocks the median, since a machine that others use has bad moments."""
    delays = _Delays()
    # The searches for garbage of the one who measures are nobody else's.
    process.settle_memory()
    with arrivals(delays.note) as works:
        async with _hanging() as hangs:
            telling = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "benchmarks.pushes", str(directory), works, hangs),
                stdout=asyncio.subprocess.PIPE,
            )
            output, _ = await telling.communicate()
            if telling.returncode:
                raise RuntimeError("the telling process failed")
    working, hanging = (
        [_p99(own) for block, own in delays.items() if block.startswith(kind)]
        for kind in (_WORKING, _HANGING)
    )
    arrived = [len(own) for block, own in delays.items() if block.startswith((_WORKING, _HANGING))]
    return {
        "bench": "pushes",
        "rate": _RATE,
        "pushes": round(_RATE * _SECONDS),
        "arrived": len(delays[_FULL]),
        **{name: round(value, 3) for name, value in json.loads(output).items()},
        **milliseconds("delay", delays[_FULL]),
        "others": round(_OTHERS_RATE * _BLOCK_SECONDS) * _BLOCKS,
        "others_arrived": sum(arrived),
        "others_ms_p99_beside_working": round(1000 * median(working), 3),
        "others_ms_p99_beside_hanging": round(1000 * median(hanging), 3),
        "others_ms_p99_of_blocks": [
            [round(1000 * p99, 3) for p99 in pair] for pair in zip(working, hanging, strict=True)
        ],
        "others_p99_ratio": round(median(hanging) / median(working), 3),
    }


def _p99(delays: list[float]) -> float:
    return sorted(delays)[int(len(delays) * 0.99)]


@asynccontextmanager
async def _hanging() -> AsyncIterator[str]:
    """A receiver that takes every request and answers none.

    In a process of its own and in the scheduler's idle class, as if it were on another machine: receivers
    share nothing, and what its connections cost it is not the controller's.
    """
    receiver = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "benchmarks.pushes", _HANGING), stdout=asyncio.subprocess.PIPE
    )
    assert receiver.stdout is not None
    try:
        yield f"http://127.0.0.1:{int(await receiver.stdout.readline())}/"
    finally:
        receiver.kill()
        await receiver.wait()


async def hang() -> None:
    """What the receiver that hangs does."""
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    server = await asyncio.get_running_loop().create_server(asyncio.Protocol, "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def main() -> None:
    if sys.argv[1:] == [_HANGING]:
        uvloop.run(hang())
        return
    if len(sys.argv) > 1:
        directory, works, hangs = sys.argv[1:]
        print(json.dumps(uvloop.run(tell(Path(directory), works, hangs))))
        return
    with tempfile.TemporaryDirectory(prefix="vc-bench-") as directory:
        print(json.dumps(uvloop.run(measure(Path(directory)))))


if __name__ == "__main__":
    main()
