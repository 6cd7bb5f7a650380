"""Controllers whose nodes are fake: all that a call is to a controller, with neither Asterisk nor phones.

For figures that Asterisk would hide or limit. Each fake Asterisk is a process of its own
(`python -m benchmarks.fake_nodes`), whose phones answer at once and which plays as long as it is told to.
"""

import asyncio
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvloop
from pydantic import SecretStr

from benchmarks.captured import CapturedLegs
from benchmarks.far_ends import FarEnds
from benchmarks.product import Product, Use, declaration
from benchmarks.services import SOUNDS
from benchmarks.sink import PushSink
from controller.ari.fake import Behaviour, FakeAsterisk
from controller.declare_command import apply_file
from controller.settings import (
    AgiSettings,
    AsteriskSettings,
    CaptureSettings,
    DetailSettings,
    HttpSettings,
    PushSettings,
    Settings,
    SpeechSettings,
)
from testbed.controller_process import controller_process
from testbed.platform import LOOPBACK, PLENTY

_NO_AMI = 1
"""A port at which nobody answers: routes without trunks need no AMI."""

_ROUTED_TO = "sip:{number}@127.0.0.1:5070"
_START = 30.0
"""Seconds that a controller may take until it is ready."""

_NO_CAPTURE = CaptureSettings(enabled=False)
"""A fake Asterisk that nobody told where to send it says nothing in SIP."""


@dataclass
class FakeNode:
    """A running fake Asterisk."""

    process: asyncio.subprocess.Process
    url: str

    def play_for(self, seconds: float) -> None:
        """How long prompts last from now on."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{seconds}\n".encode())


@asynccontextmanager
async def fake_node(capture_port: int | None = None) -> AsyncIterator[FakeNode]:
    """A fake Asterisk until the end of the block; prompts last a second.

    With a `capture_port` it sends there, as HEP, what its legs say in SIP.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "benchmarks.fake_nodes",
        *([] if capture_port is None else [str(capture_port)]),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdin is not None and process.stdout is not None
    try:
        async with asyncio.timeout(_START):
            url = (await process.stdout.readline()).decode().strip()
        yield FakeNode(process, url)
    finally:
        process.stdin.close()
        await process.wait()


@dataclass
class FakeHouse:
    """A controller on a fake node, under load as the product is."""

    side: Product
    node: FakeNode
    settings: Settings


@asynccontextmanager
async def fake_house(
    directory: Path, use: Use, sections: Mapping[str, Any] | None = None, *, node_name: str = "node1"
) -> AsyncIterator[FakeHouse]:
    """The controller with the settings it is shipped with, on a node of its own.

    `sections` replace sections of the settings. Only where they have capture on does the node send any.
    """
    directory.mkdir(parents=True, exist_ok=True)
    for name, sound_file in SOUNDS.items():
        (directory / f"{name}.wav").write_bytes(sound_file)
    async with AsyncExitStack() as stack:
        capture = (sections or {}).get("capture", _NO_CAPTURE)
        node = await stack.enter_async_context(fake_node(capture.port if capture.enabled else None))
        settings = _settings(directory, node, node_name).model_copy(update=dict(sections or {}))
        phones = FarEnds([], [f"+86130{leg}" for leg in range(len(use.service.far_ends))])
        file = directory / "declaration.toml"
        file.write_text(declaration([use], {"+86": _ROUTED_TO}), "utf-8")
        await apply_file(settings, file)
        sink = await stack.enter_async_context(PushSink.start())
        controller = await stack.enter_async_context(
            controller_process(settings, directory / "controller", time_limit=_START)
        )
        side = Product(settings, node.process.pid, controller, use.service, phones, sink)
        yield FakeHouse(side, node, settings)


def _settings(directory: Path, node: FakeNode, name: str) -> Settings:
    return Settings(
        data_dir=directory / "data",
        http=HttpSettings(port=0),
        asterisk=AsteriskSettings(
            name=name,
            ari_url=node.url,
            ari_user=_USER,
            ari_password=SecretStr(_USER),
            ami_port=_NO_AMI,
            etc_dir=directory / "etc",
        ),
        agi=AgiSettings(enabled=False),
        capture=_NO_CAPTURE,
        speech=SpeechSettings(engine="off"),
        limits=PLENTY,
        details=DetailSettings(keep_days=36500),
        pushes=PushSettings(allowed_networks=LOOPBACK),
    )


_USER = "fake"
_FOREVER = 86400.0


async def main(capture_port: int | None = None) -> None:
    """Be a fake Asterisk until the input ends; each line is how long prompts last, in seconds."""
    lasting = 1.0
    phone = Behaviour(ring_after=None)
    asterisk = FakeAsterisk(
        lambda _endpoint, _variables: phone, sounds=lambda _media: lasting, user=_USER, password=_USER
    )
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    async with asterisk, asyncio.TaskGroup() as beside:
        telling = None if capture_port is None else beside.create_task(_tell(asterisk, capture_port))
        print(asterisk.address.url, flush=True)
        async for line in reader:
            lasting = float(line)
        if telling is not None:
            telling.cancel()


async def _tell(asterisk: FakeAsterisk, capture_port: int) -> None:
    """Send what legs say until cancelled."""
    with CapturedLegs(capture_port) as legs:
        while events := await asterisk.until(lambda: asterisk.events, limit=_FOREVER):
            while events:
                legs.tell(events.popleft())


if __name__ == "__main__":
    uvloop.run(main(*map(int, sys.argv[1:])))
