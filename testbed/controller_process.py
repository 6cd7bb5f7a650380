"""A controller in a process of its own, as an operator runs it: started by its command, ended by signals."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from controller.settings import Settings
from controller.settings.file import settings_text


class ControllerFailed(Exception):
    """The controller did not come up; the text is what it said."""


@dataclass
class ControllerProcess:
    """A running `voicecall serve`."""

    process: asyncio.subprocess.Process
    url: str
    log: Path

    @property
    def pid(self) -> int:
        return self.process.pid

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    async def ended(self, timeout: float = 20) -> int:
        """Wait for the end; returns the exit status."""
        return await asyncio.wait_for(self.process.wait(), timeout)


def write_settings(settings: Settings, path: Path) -> None:
    """The settings as a file for the command."""
    values = settings.model_dump()
    sections = {name: value for name, value in values.items() if isinstance(value, dict)}
    sections[""] = {name: value for name, value in values.items() if not isinstance(value, dict)}
    path.touch(mode=0o600)
    path.write_text(settings_text(sections), "utf-8")


@asynccontextmanager
async def controller_process(
    settings: Settings, directory: Path, *, time_limit: float = 20, program: str = "controller"
) -> AsyncIterator[ControllerProcess]:
    """`voicecall serve` with these settings, ready to make calls; ended at the end of the block.

    `program` is the module that is the command.
    """
    directory.mkdir(parents=True, exist_ok=True)
    file, log = directory / "voicecall.toml", directory / "controller.log"
    write_settings(settings, file)
    with log.open("ab") as output:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            program,
            "serve",
            "--config",
            str(file),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=output,
            start_new_session=True,
        )
    try:
        yield ControllerProcess(process, await _ready(process, log, time_limit), log)
    finally:
        if process.returncode is None:
            process.terminate()
            try:
                await asyncio.wait_for(process.wait(), settings.calls.drain_timeout + 15)
            except TimeoutError:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process.pid, signal.SIGKILL)
                await process.wait()


async def _ready(process: asyncio.subprocess.Process, log: Path, time_limit: float) -> str:
    """The controller prints where it listens once it can make calls."""
    assert process.stdout is not None
    try:
        async with asyncio.timeout(time_limit):
            async for line in process.stdout:
                words = line.decode().split()
                if words[:2] == ["ready", "at"]:
                    return words[2]
    except TimeoutError:
        pass
    raise ControllerFailed(log.read_text("utf-8", "replace")[-2000:])
