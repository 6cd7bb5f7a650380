"""The launcher with real parts: an Asterisk that the machine has, and a user who isn't root."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from testbed.asterisk import AsteriskProgram, obtain_asterisk, running_asterisk

NOBODY = 65534
REPOSITORY = Path(__file__).parents[3]


@pytest.fixture
def own(program: AsteriskProgram, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The Asterisk of the tests, installed as a machine's own would be: the first in PATH."""
    prefix = tmp_path / "usr"
    asterisk = prefix / "sbin/asterisk"
    asterisk.parent.mkdir(parents=True)
    asterisk.write_text(f'#!/bin/sh\nexec {" ".join(program.command)} "$@"\n')
    asterisk.chmod(0o755)
    (prefix / "lib/asterisk").mkdir(parents=True)
    (prefix / "lib/asterisk/modules").symlink_to(program.module_dir)
    (prefix / "share").mkdir()
    (prefix / "share/asterisk").symlink_to(program.data_dir)
    monkeypatch.setenv("PATH", f"{asterisk.parent}:{os.environ['PATH']}")
    return asterisk


async def test_given_a_machine_with_a_recent_asterisk_when_started_then_it_is_that_one_and_gets_ready(
    own: Path, program: AsteriskProgram, tmp_path: Path
) -> None:
    found = obtain_asterisk()

    assert found.command == (str(own),)
    assert found.version == program.version
    async with running_asterisk(tmp_path / "node", found) as asterisk:
        assert asterisk.process.returncode is None


AS_NOBODY = """
import asyncio, os, sys, tempfile
from pathlib import Path
from testbed.asterisk import obtain_asterisk, running_asterisk

async def main():
    with tempfile.TemporaryDirectory() as directory:
        async with running_asterisk(Path(directory), obtain_asterisk()) as asterisk:
            status = Path(f"/proc/{asterisk.process.pid}/status").read_text()
            print("uid", next(line.split()[1] for line in status.splitlines() if line.startswith("Uid:")))

asyncio.run(main())
"""


@pytest.fixture
def home_of_nobody() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="voicecall-nobody-"))
    os.chown(folder, NOBODY, NOBODY)
    yield folder
    shutil.rmtree(folder)


@pytest.mark.skipif(os.getuid() != 0 or not shutil.which("setpriv"), reason="who isn't root is tested as is")
def test_given_a_user_who_is_not_root_when_asterisk_is_started_then_it_runs_as_that_user(
    program: AsteriskProgram, home_of_nobody: Path
) -> None:
    as_nobody = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
    if subprocess.run([*as_nobody, "test", "-r", program.command[0]], check=False).returncode:
        pytest.skip("nobody may not read the files of this checkout")

    ran = subprocess.run(
        [*as_nobody, sys.executable, "-c", AS_NOBODY],
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(REPOSITORY),
            "PYTHONDONTWRITEBYTECODE": "1",
            "HOME": str(home_of_nobody),
            "TMPDIR": str(home_of_nobody),
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert ran.stdout == f"uid {NOBODY}\n", ran.stderr
