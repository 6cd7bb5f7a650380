"""The demo as a newcomer runs it."""

import asyncio
import signal
import sys
from pathlib import Path

from testbed.asterisk import AsteriskProgram


async def test_given_this_machine_when_the_demo_runs_then_every_service_passes_every_check(
    program: AsteriskProgram, tmp_path: Path
) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "controller", "demo", "--directory", str(tmp_path / "demo")),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await asyncio.wait_for(process.communicate(), 150)
    lines = output.decode().splitlines()

    assert process.returncode == 0, "\n".join(lines)
    passed = [line.split()[1] for line in lines if line.startswith("ok ")]
    assert {service: passed.count(service) for service in sorted(set(passed))} == {
        "callback": 10,
        "notification": 8,
        "verification": 6,
    }


async def test_given_a_folder_with_other_files_when_the_demo_is_to_use_it_then_it_refuses(
    tmp_path: Path,
) -> None:
    (tmp_path / "letter.txt").write_text("Dear reader")

    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "controller", "demo", "--directory", str(tmp_path)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await asyncio.wait_for(process.communicate(), 60)

    assert process.returncode == 2
    assert "no demo made" in " ".join(output.decode().split())
    assert (tmp_path / "letter.txt").read_text() == "Dear reader"


async def test_given_a_demo_whose_phones_talk_when_ctrl_c_comes_then_it_says_what_happens_and_ends(
    program: AsteriskProgram, tmp_path: Path
) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "controller", "demo", "--directory", str(tmp_path / "demo")),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    assert process.stdout is not None
    async with asyncio.timeout(60):
        async for line in process.stdout:
            if b"answered" in line:
                break

    process.send_signal(signal.SIGINT)
    output, _ = await asyncio.wait_for(process.communicate(), 60)

    assert b"Interrupted: calls, controller, phones and Asterisk are being ended" in output
    assert b"Traceback" not in output
    assert process.returncode == 130
