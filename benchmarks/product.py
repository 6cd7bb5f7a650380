"""The product at work: everything that a customer gets, asked for over its HTTP API."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks.load import CDRS_WITHIN, OVER_WITHIN, Trial, cpu_seconds, pace, until
from benchmarks.sink import PushSink
from testbed.asterisk import AsteriskProgram
from testbed.client import CALLNOTIFY, aksk_headers, encoded_url
from testbed.controller_process import ControllerProcess, controller_process
from testbed.platform import Platform, platform
from testbed.sipp import Sipp

_APP_KEY, _SECRET = "bench-app", "bench-app-secret"
_SHOWN = "+8657126880001"
_PUSHES_PER_CALL = 3
"""callout, answer, disconnect: the far end answers without ringing."""


class Product:
    """The platform under load."""

    def __init__(self, home: Platform, controller: ControllerProcess, far_end: Sipp, sink: PushSink) -> None:
        self._home = home
        self._controller = controller
        self._far_end = far_end
        self._sink = sink
        address = urlsplit(controller.url)
        self._address = (address.hostname, address.port)
        self._refused = 0
        self.asked_at: dict[str, float] = {}
        """Called number -> wall-clock time of the request."""

    async def run(self, rate: float, calls: int) -> Trial:
        """One stretch of load; a call is over when its disconnect push and its CDR have arrived."""
        self._sink.reset()
        self._refused = 0
        before = self._far_end.statistics()
        pids = (self._controller.pid, self._home.asterisk.process.pid)
        cpu = [cpu_seconds(pid) for pid in pids]
        began = time.perf_counter()
        await pace(rate, calls, self._ask)
        asked = time.perf_counter()
        await until(lambda: self._sink.disconnects >= calls, OVER_WITHIN)
        behind = calls - self._sink.disconnects
        await until(lambda: self._sink.cdrs >= calls, CDRS_WITHIN)
        seconds = time.perf_counter() - began
        used = [1000 * (cpu_seconds(pid) - start) / calls for pid, start in zip(pids, cpu, strict=True)]
        sink = self._sink
        late = asked - began > calls / rate * 1.05 + 0.1
        missing = max(
            calls - sink.disconnects, calls - sink.cdrs, calls * _PUSHES_PER_CALL - sink.statuses, 0
        )
        return Trial(
            rate,
            calls,
            failures=max(missing, behind)
            + sink.abnormal
            + self._refused
            + (self._far_end.statistics().failed - before.failed)
            + int(late),
            seconds=seconds,
            cpu_ms_per_call=used[0],
            asterisk_cpu_ms_per_call=used[1],
            counts={"calls": calls, "disconnects": sink.disconnects, "cdrs": sink.cdrs},
        )

    async def _ask(self, index: int) -> None:
        number = f"+861390{index:07}"
        body = json.dumps(
            {
                "displayNbr": _SHOWN,
                "calleeNbr": number,
                "playInfoList": [{"notifyVoice": "prompt.wav"}],
                "statusUrl": encoded_url(self._sink.url("/s")),
                "feeUrl": encoded_url(self._sink.url("/f")),
            }
        )
        headers = {
            "Host": "bench",
            "Content-Length": str(len(body)),
            **aksk_headers(_APP_KEY, _SECRET),
        }
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        self.asked_at[number] = time.time()
        try:
            reader, writer = await asyncio.open_connection(*self._address)
            writer.write(f"POST {CALLNOTIFY} HTTP/1.1\r\n{head}\r\n{body}".encode())
            answer = await reader.read()
            writer.close()
            self._refused += b'"resultcode": "0"' not in answer
        except OSError:
            self._refused += 1


@asynccontextmanager
async def product(
    directory: Path, program: AsteriskProgram, sound_file: bytes, scenario: str | Path = "answer"
) -> AsyncIterator[Product]:
    """The whole platform, with the settings it is shipped with."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "prompt.wav").write_bytes(sound_file)
    assert program.sipp is not None
    async with (
        PushSink.start() as sink,
        platform(directory, program) as home,
        Sipp.start(
            scenario,
            directory=directory / "sipp",
            command=program.sipp,
            extra=["-trace_logs", "-log_file", "sipp.log"],
        ) as far_end,
    ):
        await home.declare(_declaration(far_end))
        async with controller_process(home.settings, directory / "controller") as controller:
            yield Product(home, controller, far_end, sink)


def _declaration(far_end: Sipp) -> str:
    return f"""
[[accounts]]
id = "bench"
numbers = ["{_SHOWN}"]

[[accounts.apps]]
key = "{_APP_KEY}"
secret = "{_SECRET}"
service = "notification"
max_calls = 65535

[[accounts.sounds]]
name = "prompt.wav"
file = "prompt.wav"

[[routes]]
prefix = "+86"
contact = "sip:{{number}}@{far_end.contact[4:]}"
"""


def invite_times(directory: Path) -> dict[str, float]:
    """Called number -> wall-clock time of its INVITE at the far end, from the log of `timed_answer.xml`."""
    times: dict[str, float] = {}
    for line in (directory / "sipp" / "sipp.log").read_text("utf-8").splitlines():
        moment, _, number = line.rpartition(" INVITE ")
        if number:
            # SIPp writes date, time and seconds since 1970.
            times.setdefault(number, float(moment.split()[-1]))
    return times
