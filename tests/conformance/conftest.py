"""The deployment: the one that VOICECALL_URL names, else a platform that is started for the suite."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from conformance.confidence import findings, pytest_runtest_makereport, pytest_terminal_summary
from conformance.deployment import Customer, Deployment
from engine import database_at, engine_name

from testbed.platform import SPEECH_MODEL
from testbed.ports import reserved_ports

__all__ = ["findings", "pytest_runtest_makereport", "pytest_terminal_summary"]

_DECLARATION = Path(__file__).parent / "declaration.toml"
_START_LIMIT = 60.0
"""Seconds."""


@pytest.fixture(scope="session")
def deployment() -> Iterator[Deployment]:
    if "VOICECALL_URL" in os.environ:
        yield Deployment.of_environment(url=os.environ["VOICECALL_URL"].rstrip("/"))
        return
    directory = Path(tempfile.mkdtemp(prefix="vc-conformance-"))
    try:
        with _platform(directory) as url:
            yield Deployment.of_environment(url=url)
    finally:
        shutil.rmtree(directory)


@pytest.fixture
async def customer(deployment: Deployment) -> AsyncIterator[Customer]:
    async with Customer.of(deployment) as made:
        yield made


@pytest.fixture(params=["concatenated", "off"])
async def other_signing(request: pytest.FixtureRequest) -> AsyncIterator[Customer]:
    """A platform that signs pushes in a form other than the shipped one."""
    if "VOICECALL_URL" in os.environ:
        pytest.skip("the deployment that VOICECALL_URL names has one form: CONFORMANCE_SIGNING")
    directory = Path(tempfile.mkdtemp(prefix="vc-conformance-"))
    try:
        with _platform(directory, VOICECALL_PUSHES__SIGNING=request.param) as url:
            async with Customer.of(Deployment(url, signing=request.param)) as made:
                yield made
    finally:
        shutil.rmtree(directory)


@contextmanager
def _platform(directory: Path, **settings: str) -> Iterator[str]:
    """What `make run` runs, in a directory and on ports of its own, with what the suite needs declared."""
    command = [sys.executable, "-m", "controller"]
    log = directory / "platform.log"
    with reserved_ports(6) as (http, ari, ami, agi, capture, sip):
        environment = {
            **os.environ,
            "VOICECALL_HTTP__PORT": str(http),
            "VOICECALL_ASTERISK__ARI_URL": f"http://127.0.0.1:{ari}",
            "VOICECALL_ASTERISK__AMI_PORT": str(ami),
            "VOICECALL_AGI__PORT": str(agi),
            "VOICECALL_CAPTURE__PORT": str(capture),
            "VOICECALL_SPEECH__MODEL_DIR": str(SPEECH_MODEL),
            **settings,
        }
        if engine_name() != "sqlite":
            environment["VOICECALL_DATABASE__URL"] = database_at(directory / "platform.db")
        for words in (["init"], ["apply", str(_DECLARATION)]):
            subprocess.run(
                [*command, *words], cwd=directory, env=environment, check=True, capture_output=True
            )
        with log.open("wb") as output:
            process = subprocess.Popen(
                [*command, "up", "--sip-port", str(sip)],
                cwd=directory,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        try:
            yield _ready(process, log)
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(60)


def _ready(process: subprocess.Popen[bytes], log: Path) -> str:
    """Where the platform says that it is ready."""
    end = time.monotonic() + _START_LIMIT
    while time.monotonic() < end and process.poll() is None:
        for line in log.read_text("utf-8", "replace").splitlines():
            if line.startswith("ready at "):
                return line.split()[2]
        time.sleep(0.05)
    raise RuntimeError(f"the platform did not start: {log.read_text('utf-8', 'replace')[-2000:]}")
