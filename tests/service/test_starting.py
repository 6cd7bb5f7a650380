"""A controller that can't start says why, and nothing else."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.requirement("E3")
def test_given_a_port_that_another_program_has_when_started_then_one_line_names_its_setting(
    tmp_path: Path,
) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", 0))
        port = other.getsockname()[1]
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("VOICECALL_")},
            "VOICECALL_DATA_DIR": str(tmp_path),
            "VOICECALL_HTTP__PORT": "0",
            "VOICECALL_CAPTURE__PORT": str(port),
        }
        ended = subprocess.run(
            [sys.executable, "-m", "controller", "serve"],
            env=environment,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    assert ended.returncode != 0
    said = [line for line in ended.stderr.splitlines() if not line.startswith("{")]  # the log is JSON
    assert len(said) == 1, ended.stderr
    assert f"capture.port: can't listen on 127.0.0.1:{port}" in said[0]
