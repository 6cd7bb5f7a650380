"""The yardstick: bare Asterisk, calls originated over AMI into a dialplan that plays the prompt."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from benchmarks.load import OVER_WITHIN, Trial, cpu_seconds, pace, until
from testbed.asterisk import AsteriskProgram, RunningAsterisk, running_asterisk
from testbed.sipp import Sipp

_ENDPOINT = """
[bench]
type = endpoint
transport = transport-udp
context = bench
disallow = all
allow = alaw
direct_media = no
"""

_DIALPLAN = """
[bench]
exten => s,1,Playback({prompt})
 same => n,Hangup()
"""

_MANAGER = """
[bench]
secret = {secret}
read = none
write = originate
"""


class BareAsterisk:
    """Asterisk with nothing beside it."""

    def __init__(self, asterisk: RunningAsterisk, far_end: Sipp, writer: asyncio.StreamWriter) -> None:
        self._asterisk = asterisk
        self._far_end = far_end
        self._writer = writer

    async def run(self, rate: float, calls: int) -> Trial:
        """One stretch of load; a call is over when the far end has seen its BYE."""
        before = self._far_end.statistics()
        cpu = cpu_seconds(self._asterisk.process.pid)
        began = time.perf_counter()
        await pace(rate, calls, self._originate)
        asked = time.perf_counter()

        def over() -> bool:
            return self._far_end.statistics().successful - before.successful >= calls

        in_time = await until(over, OVER_WITHIN)
        seconds = time.perf_counter() - began
        after = self._far_end.statistics()
        done = after.successful - before.successful
        # The statistics are a second old at most; time beyond the load itself is not counted as load.
        late = asked - began > calls / rate * 1.05 + 0.1
        return Trial(
            rate,
            calls,
            failures=(calls - done if not in_time else 0) + after.failed - before.failed + int(late),
            seconds=seconds,
            asterisk_cpu_ms_per_call=1000 * (cpu_seconds(self._asterisk.process.pid) - cpu) / calls,
        )

    async def _originate(self, index: int) -> None:
        number = f"+861390{index:07}"
        self._writer.write(
            (
                "Action: Originate\r\nAsync: true\r\nContext: bench\r\nExten: s\r\nPriority: 1\r\n"
                f"Codecs: alaw\r\nChannel: PJSIP/bench/sip:{number}@{self._far_end.contact[4:]}\r\n\r\n"
            ).encode()
        )


@asynccontextmanager
async def bare_asterisk(
    directory: Path, program: AsteriskProgram, prompt: bytes
) -> AsyncIterator[BareAsterisk]:
    """An Asterisk of its own and a far end."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "prompt.alaw").write_bytes(prompt)
    secret = "bench-secret"
    files = [
        ("pjsip.d/bench.conf", _ENDPOINT),
        ("manager.d/bench.conf", _MANAGER.format(secret=secret)),
        ("extensions.d/bench.conf", _DIALPLAN.format(prompt=directory / "prompt")),
    ]
    assert program.sipp is not None
    async with (
        running_asterisk(
            directory / "asterisk", program, extra_files=files, known_endpoints=["bench"]
        ) as asterisk,
        Sipp.start("answer", directory=directory / "sipp", command=program.sipp) as far_end,
    ):
        port = asterisk.configuration.ami_port
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(f"Action: Login\r\nUsername: bench\r\nSecret: {secret}\r\nEvents: off\r\n\r\n".encode())
        reading = asyncio.create_task(_drain(reader))
        try:
            yield BareAsterisk(asterisk, far_end, writer)
        finally:
            reading.cancel()
            writer.close()


async def _drain(reader: asyncio.StreamReader) -> None:
    while await reader.read(65536):
        pass
