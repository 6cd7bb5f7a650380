"""From `make run` to a call that is heard, as the documents say it: their commands are run as they stand."""

import asyncio
import json
import os
import re
import signal
import sys
import wave
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from integration.command import voicecall
from integration.test_up import Ports, said_until

from testbed.ports import reserved_ports

ROOT = Path(__file__).parents[2]
PHONE_PORT = "5070"
SHIPPED_URL = "http://127.0.0.1:8080"

pytestmark = pytest.mark.requirement("C9", "A2.1")


def shell_blocks(page: str) -> list[str]:
    return re.findall(r"^```sh\n((?:.*\n)*?)```$", (ROOT / page).read_text("utf-8"), re.MULTILINE)


async def lines(process: asyncio.subprocess.Process) -> AsyncIterator[str]:
    assert process.stdout is not None
    async for line in process.stdout:
        yield line.decode().strip()


def loudest(file: Path) -> int:
    with wave.open(str(file)) as heard:
        samples = np.frombuffer(heard.readframes(heard.getnframes()), np.int16)
    return int(np.abs(samples).max())


@dataclass
class Newcomer:
    """Somebody in a fresh checkout; only ports are others than the documents', as tests run side by side."""

    directory: Path
    http: int
    phone: int

    def here(self, commands: str) -> str:
        moved = commands.replace(".venv/bin/voicecall", f"{sys.executable} -m controller")
        moved = moved.replace(SHIPPED_URL, f"http://127.0.0.1:{self.http}")
        return moved.replace(PHONE_PORT, str(self.phone))

    async def run(self, commands: str, **environment: str) -> str:
        """What commands print that must succeed."""
        process = await asyncio.create_subprocess_exec(
            *("sh", "-e", "-c", self.here(commands)),
            cwd=self.directory,
            env={**os.environ, **environment},
            stdout=asyncio.subprocess.PIPE,
        )
        out, _errors = await asyncio.wait_for(process.communicate(), 60)
        assert process.returncode == 0, out.decode()
        return out.decode()

    async def start(self, command: str) -> asyncio.subprocess.Process:
        """A command that goes on until Ctrl-C."""
        return await asyncio.create_subprocess_exec(
            *("sh", "-c", f"exec {self.here(command)}"), cwd=self.directory, stdout=asyncio.subprocess.PIPE
        )

    async def heard(self, said: AsyncIterator[str], shown: str) -> None:
        """Wait until the phone has said that it was called and has recorded something loud enough."""
        told = [await anext(said) for _ in range(3)]
        assert told[:2] == [f"rings: {shown} calls +8613900001111", "answered"]
        assert told[2].startswith("the platform hung up; what was heard is in ")
        assert loudest(self.directory / told[2].rpartition(" ")[2]) > 3000


@pytest.fixture
async def newcomer(tmp_path: Path) -> AsyncIterator[Newcomer]:
    """With a platform that runs as after `make run`."""
    for name in ("sounds", "dialplan"):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / "examples").mkdir()
    (tmp_path / "examples/aksk.sh").symlink_to(ROOT / "examples/aksk.sh")
    with reserved_ports(7) as (phone, *others):
        example = (ROOT / "examples/first-call.toml").read_text("utf-8")
        (tmp_path / "examples/first-call.toml").write_text(example.replace(PHONE_PORT, str(phone)), "utf-8")
        ports = Ports(*others)
        await voicecall("init", directory=tmp_path)
        running = await ports.up(tmp_path)
        # The last that a first start says; until then there is no password.
        await said_until(running, "Log in at")

        yield Newcomer(tmp_path, ports.http, phone)

        running.send_signal(signal.SIGINT)
        await asyncio.wait_for(running.communicate(), 30)
        assert running.returncode == 0


async def end(process: asyncio.subprocess.Process) -> None:
    process.send_signal(signal.SIGINT)
    await asyncio.wait_for(process.communicate(), 30)


async def test_C9_given_the_tutorial_when_its_commands_are_run_as_they_stand_then_a_call_is_heard(
    newcomer: Newcomer,
) -> None:
    make, phone, declare, call = shell_blocks("docs/tutorial/first-call.md")
    assert make == "make run\n"  # Which sets up, and does what `newcomer` does.

    ringing = await newcomer.start(phone)
    said = lines(ringing)
    async with asyncio.timeout(90):
        assert (await anext(said)).startswith("The phone is at")
        await newcomer.run(declare)
        # It takes changes within a second.
        while (answer := json.loads(await newcomer.run(call)))["resultcode"] != "0":  # noqa: ASYNC110
            await asyncio.sleep(0.1)
        await newcomer.heard(said, "+8657126880001")
    await end(ringing)

    assert answer["sessionId"]


async def test_C9_given_the_page_on_management_when_its_curls_are_run_as_they_stand_then_a_call_is_heard(
    newcomer: Newcomer,
) -> None:
    export, log_in, phone, make, call = shell_blocks("docs/how-to/manage.md")
    assert export.startswith("export VOICECALL_PASSWORD=...")
    # Where the first start has put it without a terminal, as the page says.
    password = (newcomer.directory / "var/administrator-password").read_text("utf-8").strip()

    ringing = await newcomer.start(phone)
    said = lines(ringing)
    async with asyncio.timeout(90):
        assert (await anext(said)).startswith("The phone is at")
        printed = await newcomer.run(log_in + make + call, VOICECALL_PASSWORD=password)
        answer = json.loads(printed[printed.rindex('{"resultcode"') :])
        assert answer["resultcode"] == "0", answer
        await newcomer.heard(said, "+8657126880021")
    await end(ringing)

    assert password not in printed
