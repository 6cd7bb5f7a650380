"""A controller that can't start says why, and nothing else."""

import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

_WITHOUT_OPENTELEMETRY = (
    "import sys; sys.modules['opentelemetry'] = None; from controller.__main__ import main; main()"
)

_FIRST = ("unshare", "--pid", "--fork", "--kill-child")
_MAY_BE_FIRST = subprocess.run([*_FIRST, "true"], capture_output=True, check=False).returncode == 0
_BEGINS_SLOWLY = (
    "import sys; from controller import __main__, process; "
    "process.loading = lambda: print('begins', flush=True) or sys.stdin.read(); __main__.main()"
)


def _serve(directory: Path, program: tuple[str, ...], **environment: str) -> tuple[int, list[str]]:
    """A controller of that directory until it ends: its exit status, and what it says besides its log."""
    ended = subprocess.run(
        [sys.executable, *program, "serve"],
        env={
            **{name: value for name, value in os.environ.items() if not name.startswith("VOICECALL_")},
            "VOICECALL_DATA_DIR": str(directory),
            "VOICECALL_HTTP__PORT": "0",
            **environment,
        },
        cwd=directory,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return ended.returncode, [line for line in ended.stderr.splitlines() if not line.startswith("{")]


@pytest.mark.requirement("E3")
def test_given_a_port_that_another_program_has_when_started_then_one_line_names_its_setting(
    tmp_path: Path,
) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", 0))
        port = other.getsockname()[1]
        status, said = _serve(tmp_path, ("-m", "controller"), VOICECALL_CAPTURE__PORT=str(port))

    assert status != 0
    assert len(said) == 1, said
    assert f"capture.port: can't listen on 127.0.0.1:{port}" in said[0]


@pytest.mark.requirement("E3")
def test_E3_given_traces_without_their_packages_when_started_then_one_line_says_what_to_install(
    tmp_path: Path,
) -> None:
    status, said = _serve(
        tmp_path, ("-c", _WITHOUT_OPENTELEMETRY), VOICECALL_TRACES__ENDPOINT="http://127.0.0.1:4318/v1/traces"
    )

    assert status == 2
    assert len(said) == 1, said
    assert re.fullmatch(
        r"can't serve: traces\.endpoint is set, but opentelemetry\S* isn't installed: "
        r"pip install --editable '\.\[traces\]'",
        said[0],
    )


@pytest.mark.requirement("E5")
@pytest.mark.skipif(
    not _MAY_BE_FIRST, reason="here nobody may be the first process of a namespace of its own"
)
def test_E5_given_the_first_process_of_a_container_when_stopped_while_it_begins_then_it_ends_at_once(
    tmp_path: Path,
) -> None:
    command = [*_FIRST, sys.executable, "-c", _BEGINS_SLOWLY]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=tmp_path) as outside:
        assert outside.stdout is not None
        try:
            assert outside.stdout.readline() == b"begins\n"
            [inside] = Path(f"/proc/{outside.pid}/task/{outside.pid}/children").read_text().split()
            os.kill(int(inside), signal.SIGTERM)
            assert outside.wait(20) == 128 + signal.SIGTERM
        finally:
            outside.kill()
