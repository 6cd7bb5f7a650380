"""SIPp as the far end of many calls at once, or as their caller.

    async with Sipp.start("answer", directory=directory, command=program.sipp) as far_end:
        ...  # calls go to far_end.contact
        counted = await far_end.stop()
        assert (counted.successful, counted.failed) == (100, 0)

The scenarios of `testbed/scenarios` go by name: the far ends `answer`, `answer_and_play`,
`answer_and_hang_up`, `ringing_then_answer` and `busy`, and the caller `call`.
"""

import asyncio
import contextlib
import csv
import ctypes
import os
import re
import signal
import socket
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager, closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from testbed.ports import lock_port, reserved_ports

SCENARIOS = Path(__file__).parent / "scenarios"
_PR_SET_PDEATHSIG = 1
_TAIL = 2000
_MESSAGE = re.compile(r"^-{20,} (\S+)\n\w+ message (received|sent) .*\n\n", re.MULTILINE)
_LAST_ROWS = 16384
"""Bytes at the end of a statistics file that hold its last row for certain."""

_ORDERLY_ENDS = (0, 1, 97, 99)  # all calls successful, some failed, ended by a command, no calls at all


class SippError(Exception):
    """SIPp did not start, or did not end in time; the text has its last words."""


@dataclass(frozen=True, slots=True)
class SippStatistics:
    """What SIPp has counted since its start; `values` has every column of its statistics file."""

    created: int
    current: int
    successful: int
    failed: int
    unexpected_messages: int
    retransmissions: int
    values: Mapping[str, str]

    @classmethod
    def of_row(cls, row: Mapping[str, str]) -> "SippStatistics":
        def number(column: str) -> int:
            return int(row.get(column) or 0)

        return cls(
            created=number("TotalCallCreated"),
            current=number("CurrentCall"),
            successful=number("SuccessfulCall(C)"),
            failed=number("FailedCall(C)"),
            unexpected_messages=number("FailedUnexpectedMessage(C)"),
            retransmissions=number("Retransmissions(C)"),
            values=dict(row),
        )


@dataclass(frozen=True, slots=True)
class TracedMessage:
    """A SIP message that SIPp has seen; `at` is in seconds since 1970."""

    at: float
    received: bool
    text: str


@dataclass(frozen=True, slots=True)
class Load:
    """How a caller calls: `rate` calls per second, `calls` in all, `at_once` of them at most at a time."""

    calls: int
    rate: float = 10.0
    at_once: int | None = None

    def arguments(self) -> list[str]:
        # The rate is a whole number of calls per period of milliseconds.
        words = ["-m", str(self.calls), "-r", str(round(self.rate * 1000)), "-rp", "1000000"]
        return words if self.at_once is None else [*words, "-l", str(self.at_once)]


class Sipp:
    """A SIPp that is running; `start` makes one."""

    def __init__(
        self, process: asyncio.subprocess.Process, name: str, directory: Path, address: str, port: int
    ) -> None:
        self.port = port
        self._process = process
        self._name = name
        self._directory = directory
        self._address = address

    @classmethod
    @asynccontextmanager
    async def start(
        cls,
        scenario: str | Path,
        *,
        directory: Path,
        command: Sequence[str] = ("sipp",),
        address: str = "127.0.0.1",
        port: int | None = None,
        remote: str | None = None,
        number: str = "service",
        load: Load | None = None,
        ringing: float | None = None,
        talking: float = 0.0,
        echo: bool = False,
        trace_messages: bool = False,
        statistics_every: float = 1.0,
        extra: Sequence[str] = (),
        name: str | None = None,
        start_limit: float = 10,
    ) -> AsyncIterator["Sipp"]:
        """Run a scenario until the end of the block, on `port` or a free one; files go to `directory`.

        A caller needs `remote` ("host:port"), `load` and perhaps the `number` to call; a far end may have a
        `load` too, whose `calls` end it. `ringing` and `talking` are seconds, for the scenarios that know
        them. With `echo` what is heard goes back to its sender. `statistics()` are renewed every so many
        seconds. `extra` are further words for SIPp.
        """
        path = scenario if isinstance(scenario, Path) else SCENARIOS / f"{scenario}.xml"
        name = name or path.stem
        directory = directory.resolve()
        directory.mkdir(parents=True, exist_ok=True)
        with reserved_ports(8) as (free_port, *media_ports), ExitStack() as held:
            # SIPp takes the port two further on for video, and is lost if that one is taken.
            media_port = next(first for first in media_ports if _hold(held, address, first + 2))
            words = [*command, "-sf", str(path.resolve()), "-i", address, "-mi", address, "-ci", address]
            words += ["-p", str(port or free_port), "-mp", str(media_port)]
            words += ["-s", number, "-d", str(round(talking * 1000))]
            words += ["-nostdin", "-aa", "-trace_err", "-error_file", f"{name}.errors"]
            words += ["-trace_stat", "-stf", f"{name}.csv", "-fd", f"{round(statistics_every * 1000)}ms"]
            words += [] if load is None else load.arguments()
            words += [] if ringing is None else ["-recv_timeout", str(round(ringing * 1000))]
            words += ["-rtp_echo"] if echo else []
            words += ["-trace_msg", "-message_file", f"{name}.messages"] if trace_messages else []
            words += [*extra, *([] if remote is None else [remote])]
            process = await _spawn(words, directory, name)
            sipp = cls(process, name, directory, address, port or free_port)
            try:
                await sipp._until_bound(start_limit)
                yield sipp
            finally:
                await sipp._end()

    @property
    def contact(self) -> str:
        return f"sip:{self._address}:{self.port}"

    @property
    def pid(self) -> int:
        return self._process.pid

    def uri(self, number: str) -> str:
        return f"sip:{number}@{self._address}:{self.port}"

    def statistics(self) -> SippStatistics:
        """The counts of at most `statistics_every` ago, or the final ones once SIPp has ended."""
        path = self._directory / f"{self._name}.csv"
        if not path.exists():
            return SippStatistics.of_row({})
        with path.open("rb") as file:
            names = file.readline()
            file.seek(max(file.tell(), path.stat().st_size - _LAST_ROWS))
            lines = (names + file.read()).decode().splitlines()
        head, *rows = csv.reader(lines, delimiter=";")
        # The first of them may be cut off, the last one half written.
        whole = [row for row in rows if len(row) == len(head)]
        return SippStatistics.of_row(dict(zip(head, whole[-1], strict=True)) if whole else {})

    def messages(self) -> list[TracedMessage]:
        """Every message so far, if it was started with `trace_messages`."""
        # As bytes: the lines of a SIP message end as they did on the wire.
        text = (self._directory / f"{self._name}.messages").read_bytes().decode("utf-8")
        _, *parts = _MESSAGE.split(text)
        return [
            TracedMessage(datetime.fromisoformat(at).timestamp(), way == "received", message)
            for at, way, message in zip(parts[::3], parts[1::3], parts[2::3], strict=True)
        ]

    def errors(self) -> str:
        """What SIPp complained of."""
        path = self._directory / f"{self._name}.errors"
        return path.read_text("utf-8", "replace") if path.exists() else ""

    async def finished(self, timeout: float = 30) -> SippStatistics:
        """Wait until all calls of its `load` are over."""
        try:
            await asyncio.wait_for(self._process.wait(), timeout)
        except TimeoutError:
            raise SippError(
                f"{self._name} was not finished within {timeout} s; {self._last_words()}"
            ) from None
        self._refuse_disorderly_end()
        return self.statistics()

    async def stop(self, timeout: float = 5) -> SippStatistics:
        """Take no more calls, wait for those that are on, and return the final counts.

        Calls that are still on after `timeout` seconds are dropped.
        """
        self._refuse_disorderly_end()
        if self._process.returncode is None:
            self._process.send_signal(signal.SIGUSR1)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._process.wait(), timeout)
        await self._end()
        return self.statistics()

    def _refuse_disorderly_end(self) -> None:
        if self._process.returncode not in (None, *_ORDERLY_ENDS):
            raise SippError(f"{self._name} ended with {self._process.returncode}; {self._last_words()}")

    async def _end(self) -> None:
        if self._process.returncode is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                await asyncio.wait_for(self._process.wait(), 2)
            except TimeoutError:
                self._process.kill()
                await self._process.wait()

    async def _until_bound(self, time_limit: float) -> None:
        try:
            async with asyncio.timeout(time_limit):
                while not _holds_port(self.pid, self.port):
                    if self._process.returncode is not None:
                        raise SippError(f"{self._name} ended at once; {self._last_words()}")
                    await asyncio.sleep(0.01)  # nothing tells when the port is open
        except TimeoutError:
            raise SippError(
                f"{self._name} was not ready within {time_limit} s; {self._last_words()}"
            ) from None

    def _last_words(self) -> str:
        output = (self._directory / f"{self._name}.out").read_text("utf-8", "replace")
        return f"it said: {output[-_TAIL:]} {self.errors()[-_TAIL:]}"


async def _spawn(words: Sequence[str], directory: Path, name: str) -> asyncio.subprocess.Process:
    for ending in ("csv", "errors"):
        (directory / f"{name}.{ending}").unlink(missing_ok=True)
    with (directory / f"{name}.out").open("wb") as output:
        return await asyncio.create_subprocess_exec(
            *words,
            cwd=directory,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env={**os.environ, "TERM": "dumb"},
            preexec_fn=_end_with_parent,
        )


def _hold(held: ExitStack, address: str, port: int) -> bool:
    """Whether this port could be had: then it is nobody else's until `held` is closed."""
    lock = lock_port(port)
    if lock is None:
        return False
    held.enter_context(closing(lock))
    return _free(address, port)


def _free(address: str, port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((address, port))
        except OSError:
            return False
    return True


def _end_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _holds_port(pid: int, port: int) -> bool:
    """Whether the process has a UDP socket on that port."""
    rows = [line.split() for line in Path("/proc/net/udp").read_text().splitlines()[1:]]
    inodes = {f"socket:[{row[9]}]" for row in rows if row[1].endswith(f":{port:04X}")}
    with contextlib.suppress(OSError):
        return any(str(link.readlink()) in inodes for link in Path(f"/proc/{pid}/fd").iterdir())
    return False
