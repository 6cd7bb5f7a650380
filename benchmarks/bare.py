"""The yardstick: bare Asterisk, calls originated over AMI into a dialplan that does the work of a service."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from benchmarks.far_ends import FarEnds, far_ends
from benchmarks.load import Side
from benchmarks.services import SOUNDS, Service
from controller.prompts import wav
from controller.share import shared
from testbed.asterisk import AsteriskProgram, RunningAsterisk, running_asterisk

ENDPOINT = """
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
exten => _X.,1,{application}
 same => n,Hangup()
"""

_SECRET = "bench-secret"
_MANAGER = f"""
[bench]
secret = {_SECRET}
read = none
write = originate
"""


class BareAsterisk(Side):
    """Asterisk with nothing beside it; a call is over when its far ends have seen its end."""

    name = "bare"

    def __init__(self, asterisk: RunningAsterisk, phones: FarEnds, ami: asyncio.StreamWriter) -> None:
        self._asterisk = asterisk
        self._phones = phones
        self._ami = ami
        self._actions: list[bytes] = []

    def processes(self) -> Mapping[str, Sequence[int]]:
        return {"asterisk": [self._asterisk.process.pid], "far end": self._phones.pids}

    def prepare(self, calls: int) -> None:
        self._actions = [
            (
                "Action: Originate\r\nAsync: true\r\nContext: bench\r\nPriority: 1\r\nCodecs: alaw\r\n"
                f"Exten: {call:07}\r\nChannel: PJSIP/bench/{self._phones.uris(call)[0]}\r\n\r\n"
            ).encode()
            for call in range(calls)
        ]

    def ask(self, call: int) -> None:
        self._ami.write(self._actions[call])

    def over(self) -> int:
        return self._phones.over()

    def faults(self) -> Mapping[str, int]:
        return {"failed at the far end": self._phones.failed()}


@asynccontextmanager
async def bare_asterisk(
    directory: Path, program: AsteriskProgram, service: Service, sounds: Mapping[str, bytes] = SOUNDS
) -> AsyncIterator[BareAsterisk]:
    """An Asterisk of its own and far ends."""
    assert program.sipp is not None
    async with far_ends(service, directory / "phones", program.sipp, prefix="+86139") as phones:
        files = [
            ("pjsip.d/bench.conf", ENDPOINT),
            ("manager.d/bench.conf", _MANAGER),
            ("extensions.d/bench.conf", _dialplan(directory, service, phones, sounds)),
        ]
        async with running_asterisk(
            directory / "asterisk", program, extra_files=files, known_endpoints=["bench"], capture=False
        ) as asterisk:
            reader, writer = await asyncio.open_connection("127.0.0.1", asterisk.configuration.ami_port)
            writer.write(
                f"Action: Login\r\nUsername: bench\r\nSecret: {_SECRET}\r\nEvents: off\r\n\r\n".encode()
            )
            reading = asyncio.create_task(_drain(reader))
            try:
                yield BareAsterisk(asterisk, phones, writer)
            finally:
                reading.cancel()
                writer.close()


def _dialplan(directory: Path, service: Service, phones: FarEnds, sounds: Mapping[str, bytes]) -> str:
    """The service's dialplan, and beside it the sound files in the form that the product plays too."""
    folder = directory / "sounds"
    shipped = shared("sounds")
    files = {path.relative_to(shipped): path.read_bytes() for path in shipped.rglob("*.wav")}
    files |= {Path(f"{name}.wav"): sound_file for name, sound_file in sounds.items()}
    for name, sound_file in files.items():
        path = (folder / name).with_suffix(".alaw")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(wav.read(sound_file))
    last = len(phones.sipps) - 1
    second = phones.sipps[last].uri(f"{phones.prefixes[last]}${{EXTEN}}")
    return _DIALPLAN.format(application=service.dialplan.format(sounds=folder, second=second))


async def _drain(reader: asyncio.StreamReader) -> None:
    while await reader.read(65536):
        pass
