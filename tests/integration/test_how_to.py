"""The examples of the how-to pages, run as they stand there, against a running platform."""

import asyncio
import json
import os
import re
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlmodel import Session

from controller.clock import SystemClock
from controller.declare_command import apply_file
from controller.management.first_run import first_administrator
from controller.management.passwords import digest
from controller.management.roles import Role
from controller.phone_number import PhoneNumber
from controller.prompts import wav
from controller.settings import ManagementSettings
from controller.store.database import Database
from controller.store.management_tables import ApiToken, User
from testbed.asterisk import AsteriskProgram
from testbed.controller_process import write_settings
from testbed.platform import platform

ROOT = Path(__file__).parents[2]
PAGES = ROOT / "docs/how-to"
SHIPPED_URL = "http://127.0.0.1:8080"
TOKEN = "vct_test"

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
    found = re.findall(r"^```(.*)\n((?:.*\n)*?)```$", text, re.MULTILINE)
    return [block for kind, block in found if kind == language]


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
    _set_up, curl, *_phone = blocks("manage", "sh")
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


async def give_token(database: Database) -> None:
    """An operator whose token is TOKEN."""
    now = datetime.now(UTC)
    user = User(
        id="usr_test",
        login="oscar",
        role=Role.OPERATOR,
        account_id=None,
        password_hash="none",
        created_at=now,
    )
    token = ApiToken(
        id="tok_test",
        user_id=user.id,
        name="test",
        role=Role.OPERATOR,
        digest=digest(TOKEN),
        created_at=now,
        expires_at=now + timedelta(hours=1),
    )

    def add(session: Session) -> None:
        session.add(user)
        session.flush()
        session.add(token)

    await database.write(add)


@pytest.mark.requirement("B4")
async def test_B4_given_the_commands_of_the_page_when_run_as_they_stand_then_they_find_and_tell_the_call(
    tmp_path: Path, program: AsteriskProgram
) -> None:
    find, tell, api, ladder = blocks("find-a-call", "sh")
    _declare, ask = blocks("notification", "sh")

    async with platform(tmp_path, program) as home:
        write_settings(home.settings, tmp_path / "voicecall.toml")
        await apply_file(home.settings, ROOT / "examples/services.toml")
        async with home.controller() as controller:
            await give_token(controller.database)
            session = json.loads(await output("sh", text=ask.replace(SHIPPED_URL, controller.url)))[
                "sessionId"
            ]
            async with asyncio.timeout(30):
                while True:
                    call = await controller.search.one(session, of_account=None)
                    if call is not None and call.ended_at is not None:
                        break
                    await asyncio.sleep(0.05)

            async def run(commands: str) -> str:
                here = commands.replace("var/", f"{tmp_path}/").replace(SHIPPED_URL, controller.url)
                here = here.replace(".venv/bin/voicecall", f"{sys.executable} -m controller")
                settings = str(tmp_path / "voicecall.toml")
                known = {"VOICECALL_CONFIG": settings, "TOKEN": TOKEN, "SESSION": session}
                return await output("sh", "-e", text=here, **known)

            found, told, answered = await run(find), await run(tell), await run(api)
            drawn = await run(ladder)

    assert session in found.splitlines()[-1]
    assert session in (tmp_path / "calls.csv").read_text()
    assert session in (tmp_path / "calls-by-api.csv").read_text()
    assert told.startswith("The callee answered")
    assert "<svg" in (tmp_path / "call.svg").read_text()
    assert '"verdict": "The callee answered' in answered
    assert "speaks neither SIP nor RTP" in drawn
    assert "<svg" in (tmp_path / "ladder.svg").read_text()


@pytest.mark.requirement("E1")
async def test_E1_given_the_commands_of_the_page_when_run_as_they_stand_then_calls_have_two_trunks(
    tmp_path: Path, program: AsteriskProgram
) -> None:
    declare, look = blocks("connect-trunks", "sh")

    async with platform(tmp_path, program) as home:
        write_settings(home.settings, tmp_path / "voicecall.toml")
        async with home.controller() as controller:
            await give_token(controller.database)
            here = declare.replace("var/", f"{tmp_path}/")
            here = here.replace(".venv/bin/voicecall", f"{sys.executable} -m controller")
            await output("sh", "-e", text=here, VOICECALL_CONFIG=str(tmp_path / "voicecall.toml"))
            await controller.directory.refresh()
            ways = {way.trunk for way in controller.node.ways(PhoneNumber("+8613900001111"))}
            told = await output("sh", "-e", text=look.replace(SHIPPED_URL, controller.url), TOKEN=TOKEN)

    assert ways == {"carrier-a", "carrier-b"}
    assert '"name": "carrier-a"' in told
    assert '"trunks": ["carrier-a", "carrier-b"]' in told


@pytest.mark.requirement("C5", "C7", "C9")
async def test_C5_given_the_commands_of_the_page_when_run_as_they_stand_then_calls_can_use_the_files(
    tmp_path: Path, program: AsteriskProgram
) -> None:
    declare, look, upload, review, api = blocks("sound-files", "sh")
    (said,) = blocks("sound-files", "")

    async def run(commands: str) -> str:
        # What is written goes where nothing else is.
        here = commands.replace("var/", f"{tmp_path}/").replace(
            ".venv/bin/voicecall", f"{sys.executable} -m controller"
        )
        settings = str(tmp_path / "voicecall.toml")
        return await output("sh", "-e", text=here, VOICECALL_CONFIG=settings, TOKEN=TOKEN)

    async with platform(tmp_path, program) as home:
        write_settings(home.settings, tmp_path / "voicecall.toml")
        await run(declare)
        assert await run(look) == said.replace("var/", f"{tmp_path}/")
        async with home.controller() as controller:
            await give_token(controller.database)
            assert "submitted" in await run(upload)
            states = [line.split()[1] for line in (await run(review)).splitlines() if "offer.wav" in line]
            assert states == ["pending", "approved", "approved"]

            pending = (await run(api.replace(SHIPPED_URL, controller.url))).rpartition('{"items"')
            (waiting,) = json.loads("".join(pending[1:]))["items"]
            approve = f'curl -sSf -H "Authorization: Bearer $TOKEN" -X POST {controller.url}/api/v1/reviews'
            assert "approved" in await run(f"{approve}/{waiting['id']}/approve")
            assert wav.check((tmp_path / "spring.wav").read_bytes())
            async with asyncio.timeout(20):
                while True:
                    usable = {name for _account, name in controller.directory.now.sounds}
                    if usable >= {"offer.wav", "spring.wav"}:
                        break
                    await asyncio.sleep(0.05)
