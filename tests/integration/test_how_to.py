"""The examples of the how-to pages, run as they stand there, against a running platform."""

import asyncio
import json
import os
import re
import sys
from pathlib import Path

import pytest

from controller.cli import apply_file
from controller.clock import SystemClock
from controller.management.first_run import first_administrator
from controller.settings import ManagementSettings
from testbed.asterisk import AsteriskProgram
from testbed.platform import platform

ROOT = Path(__file__).parents[2]
PAGES = ROOT / "docs/how-to"
SHIPPED_URL = "http://127.0.0.1:8080"

PYTHON_PRINTS = {
    "notification": ["callout", "alerting", "answer", "collectInfo 1", "disconnect", "fee"],
    "callback": [
        *("callout +99901601000", "alerting +99901601000", "answer +99901601000") * 2,
        "Success",
        "disconnect +99901601000",
        "fee",
        "bytes of sound",
    ],
    "verification-code": ["+99901700000 8102", "+99901601004 0"],
}


def blocks(page: str, language: str) -> list[str]:
    text = (PAGES / f"{page}.md").read_text("utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


async def output(*words: str, text: str, **environment: str) -> str:
    """What a program prints that is given `text`."""
    process = await asyncio.create_subprocess_exec(
        *words,
        cwd=ROOT,
        env={**os.environ, **environment},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, errors = await asyncio.wait_for(process.communicate(text.encode()), 60)
    assert process.returncode == 0, errors.decode()
    return out.decode()


@pytest.mark.requirement("B5")
@pytest.mark.parametrize("page", PYTHON_PRINTS)
async def test_B5_given_the_examples_of_a_how_to_page_when_run_as_they_stand_then_they_do_what_it_says(
    tmp_path: Path, program: AsteriskProgram, page: str
) -> None:
    declare, curl = blocks(page, "sh")
    (python,) = blocks(page, "python")
    assert declare == ".venv/bin/voicecall apply examples/services.toml\n"

    async with platform(tmp_path, program) as home:
        await apply_file(home.settings, ROOT / "examples/services.toml")
        async with home.controller() as controller:
            answer = await output("sh", text=curl.replace(SHIPPED_URL, controller.url))
            printed = await output(sys.executable, "-", text=python.replace(SHIPPED_URL, controller.url))

    assert json.loads(answer)["resultdesc"] == "Success"
    lines = [line.strip() for line in printed.splitlines()]
    assert len(lines) == len(PYTHON_PRINTS[page])
    assert all(line.endswith(said) for line, said in zip(lines, PYTHON_PRINTS[page], strict=True)), lines


@pytest.mark.requirement("C9")
async def test_C9_given_the_page_on_management_when_run_as_it_stands_then_a_call_is_made_and_heard(
    tmp_path: Path, program: AsteriskProgram
) -> None:
    _set_up, curl = blocks("manage", "sh")
    (python,) = blocks("manage", "python")

    async with platform(tmp_path, program) as home, home.controller() as controller:
        made = await first_administrator(controller.database, ManagementSettings(), SystemClock())
        assert made is not None
        password = {"VOICECALL_PASSWORD": str(made.password)}
        me = await output("sh", text=curl.replace(SHIPPED_URL, controller.url), **password)
        printed = await output(
            sys.executable, "-", text=python.replace(SHIPPED_URL, controller.url), **password
        )

    assert json.loads(me)["login"] == "admin"
    lines = printed.splitlines()
    assert lines[:2] == ["+8657126880011 active", "+8657126880012 active"]
    assert lines[2:-2] == ["callout", "alerting", "answer"] * 2 + ["disconnect", "fee"]
    assert int(lines[-2].split()[0]) > 8000 * 3
    assert lines[-1].startswith("the old secret is good until 20")
