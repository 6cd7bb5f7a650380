"""`voicecall up` and `serve` as their users run them: until Ctrl-C, or until something is in the way."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from integration.command import voicecall
from integration.support import APP_KEY, SECRET, StartBench
from pydantic import SecretStr

from controller.settings import AgiSettings, CallSettings, CaptureSettings, HttpSettings, Settings
from testbed.client import ApiClient
from testbed.controller_process import controller_process, write_settings
from testbed.ports import reserved_ports

_WITHOUT_OPENTELEMETRY = (
    "-c",
    "import sys; sys.modules['opentelemetry'] = None; from controller.__main__ import main; main()",
)


@dataclass
class Ports:
    """Ports of a platform that `voicecall up` runs."""

    http: int
    agi: int
    capture: int
    ari: int
    ami: int
    sip: int

    def up(
        self, directory: Path, program: tuple[str, ...] = ("-m", "controller"), **environment: str
    ) -> Awaitable[asyncio.subprocess.Process]:
        """Start `voicecall up` in a directory."""
        return asyncio.create_subprocess_exec(
            *(sys.executable, *program, "up", "--sip-port", str(self.sip)),
            cwd=directory,
            env={
                **os.environ,
                "VOICECALL_HTTP__PORT": str(self.http),
                "VOICECALL_AGI__PORT": str(self.agi),
                "VOICECALL_CAPTURE__PORT": str(self.capture),
                "VOICECALL_ASTERISK__ARI_URL": f"http://127.0.0.1:{self.ari}",
                "VOICECALL_ASTERISK__AMI_PORT": str(self.ami),
                "VOICECALL_CALLS__DRAIN_TIMEOUT": "300",
                **environment,
            },
            stderr=asyncio.subprocess.PIPE,
        )


@pytest.fixture
def ports() -> Iterator[Ports]:
    with reserved_ports(6) as reserved:
        yield Ports(*reserved)


async def said_until(process: asyncio.subprocess.Process, words: str) -> list[str]:
    """What a process says on standard error until it says these words."""
    assert process.stderr is not None
    said = []
    async with asyncio.timeout(60):
        async for line in process.stderr:
            said.append(line.decode())
            if words in said[-1]:
                return said
    raise AssertionError(said)


async def test_given_a_fresh_directory_when_the_platform_is_brought_up_then_it_runs_until_ctrl_c(
    tmp_path: Path, ports: Ports
) -> None:
    await voicecall("init", directory=tmp_path)
    process = await ports.up(tmp_path)

    said = await said_until(process, "Ctrl-C ends it")
    process.send_signal(signal.SIGINT)
    await asyncio.wait_for(process.communicate(), 30)

    assert process.returncode == 0, said
    assert any(f"127.0.0.1:{ports.http}" in line for line in said)


@pytest.mark.requirement("E3")
async def test_E3_given_traces_without_their_packages_when_the_platform_is_brought_up_then_one_line_says_so(
    tmp_path: Path, ports: Ports
) -> None:
    await voicecall("init", directory=tmp_path)
    process = await ports.up(
        tmp_path, _WITHOUT_OPENTELEMETRY, VOICECALL_TRACES__ENDPOINT="http://127.0.0.1:1"
    )

    _out, said = await asyncio.wait_for(process.communicate(), 60)

    assert process.returncode == 2, said.decode()
    assert "Traceback" not in said.decode()
    assert said.decode().splitlines()[-1].startswith("traces.endpoint is set, but opentelemetry")


async def test_given_a_running_platform_when_another_is_brought_up_there_then_it_ends_and_touches_nothing(
    tmp_path: Path, ports: Ports
) -> None:
    await voicecall("init", directory=tmp_path)
    first = await ports.up(tmp_path)
    await said_until(first, "Ctrl-C ends it")
    configuration = tmp_path / "var" / "asterisk" / "etc"
    before = {path.name: path.stat().st_mtime_ns for path in configuration.iterdir()}

    second = await ports.up(tmp_path)
    _out, said = await asyncio.wait_for(second.communicate(), 60)
    after = {path.name: path.stat().st_mtime_ns for path in configuration.iterdir()}
    first.send_signal(signal.SIGINT)
    await asyncio.wait_for(first.communicate(), 30)

    assert second.returncode == 2
    assert said.decode() == (
        f"the platform already runs in {tmp_path}/var; end that one first, or set data_dir\n"
    )
    assert before == after


@pytest.mark.parametrize(
    ("taken", "setting"),
    [("http", "http.port"), ("agi", "agi.port"), ("capture", "capture.port"), ("sip", "--sip-port")],
)
async def test_given_a_port_that_is_taken_when_the_platform_is_brought_up_then_its_setting_is_named(
    tmp_path: Path, ports: Ports, taken: str, setting: str
) -> None:
    await voicecall("init", directory=tmp_path)
    port = getattr(ports, taken)
    with socket.socket(
        type=socket.SOCK_DGRAM if taken in ("sip", "capture") else socket.SOCK_STREAM
    ) as other:
        other.bind(("127.0.0.1", port))
        if taken not in ("sip", "capture"):
            other.listen()
        process = await ports.up(tmp_path)
        _out, said = await asyncio.wait_for(process.communicate(), 60)

    assert process.returncode == 2
    assert said.decode().startswith(f"{setting}: can't listen on 127.0.0.1:{port} (address already in use)")
    assert not (tmp_path / "var" / "asterisk").exists()


async def test_given_a_port_that_is_taken_when_a_controller_serves_then_its_setting_is_named(
    bench: StartBench,
) -> None:
    b = await bench(controller=False)
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        for section, kind in (("http", HttpSettings), ("agi", AgiSettings)):
            settings = b.home.settings.model_copy(update={section: kind(port=port)})
            status, output = await serve_until_it_ends(settings, b.home.directory / section)

            assert status == 2
            assert f"{section}.port: can't listen on 127.0.0.1:{port}" in output


@pytest.mark.requirement("E4")
async def test_E4_given_a_call_that_goes_on_when_ctrl_c_comes_twice_then_it_is_interrupted_with_its_cdr(
    bench: StartBench,
) -> None:
    calls = CallSettings(drain_timeout=300)
    b = await bench(sections={"calls": calls}, controller=False)
    async with (
        controller_process(b.home.settings, b.home.directory / "controller") as running,
        ApiClient.open(running.url, APP_KEY, SECRET) as client,
    ):
        answer = await client.notify(b.request({"notifyVoice": "long.wav"}))
        await b.receiver.wait_status(answer.session_id, "answer", timeout=30)
        running.send(signal.SIGINT)
        await _until(lambda: "Ctrl-C again" in running.log.read_text())
        running.send(signal.SIGINT)
        status = await running.ended()

    await b.start_controller()
    statuses, cdr = await b.over(answer.session_id)
    assert status == 0
    assert statuses[-1].info["stateCode"] == 8000
    assert cdr["ulFailReason"] == 8000


async def _until(seen: Callable[[], bool], timeout: float = 30) -> None:
    """Another process's log sends no event: look again and again."""
    async with asyncio.timeout(timeout):
        while not seen():  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def serve_until_it_ends(settings: Settings, directory: Path) -> tuple[int, str]:
    directory.mkdir(exist_ok=True)
    write_settings(settings, directory / "voicecall.toml")
    return await voicecall("serve", directory=directory)


async def test_given_a_wrong_ari_password_when_served_then_it_ends_and_says_what_to_compare(
    bench: StartBench,
) -> None:
    b = await bench(controller=False)
    asterisk = b.home.settings.asterisk.model_copy(update={"ari_password": SecretStr("wrong")})

    status, output = await serve_until_it_ends(
        b.home.settings.model_copy(update={"asterisk": asterisk}), b.home.directory / "other"
    )

    assert status == 2
    assert "refuses this controller" in output


@pytest.mark.engine("sqlite")
async def test_given_two_controllers_with_one_application_when_both_serve_then_the_first_ends_and_says_why(
    bench: StartBench,
) -> None:
    b = await bench(controller=False, sections={"capture": CaptureSettings(port=0)})
    async with controller_process(b.home.settings, b.home.directory / "first") as first:
        async with b.home.controller():
            status = await first.ended()
        output = first.log.read_text()

    assert status == 2
    assert "another controller took over" in output
