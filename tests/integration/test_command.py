"""The `voicecall` command as its users run it."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest
from integration.support import StartBench
from pydantic import SecretStr

from controller.prompts import wav
from controller.settings import Settings
from testbed.controller_process import controller_process, write_settings
from testbed.platform import SPEECH_MODEL
from testbed.ports import reserved_ports
from testbed.sounds import distinct_prompt


async def voicecall(*words: str, directory: Path) -> tuple[int, str]:
    """Run the command in a directory; (exit status, everything it printed)."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "controller",
        *words,
        cwd=directory,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode is not None
    return process.returncode, output.decode()


DECLARATION = """
[[accounts]]
id = "acme"
numbers = ["+8657126880001"]
[[accounts.apps]]
key = "acme-1"
secret = "not a real secret"
service = "notification"
[[accounts.sounds]]
name = "hello.wav"
file = "hello.wav"
[[trunks]]
name = "carrier"
host = "127.0.0.1"
[[routes]]
prefix = "+86"
trunk = "carrier"
"""


@pytest.mark.requirement("C9")
async def test_C9_given_a_declaration_when_applied_twice_then_the_second_time_changes_nothing(
    tmp_path: Path,
) -> None:
    (tmp_path / "company.toml").write_text(DECLARATION)
    (tmp_path / "hello.wav").write_bytes(distinct_prompt(1))
    await voicecall("init", directory=tmp_path)

    status, first = await voicecall("apply", "company.toml", directory=tmp_path)
    again, second = await voicecall("apply", "company.toml", directory=tmp_path)

    assert (status, again) == (0, 0)
    assert {line.split()[0] for line in first.splitlines()} == {"created"}
    assert {line.split()[0] for line in second.splitlines()} == {"unchanged"}
    assert len(first.splitlines()) == 6


@pytest.mark.requirement("C9")
@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (DECLARATION.replace("+8657126880001", "0571"), "accounts.0.numbers.0"),
        (DECLARATION.replace('service = "notification"', 'service = "fax"'), "accounts.0.apps.0.service"),
        (DECLARATION.replace("hello.wav", "../hello.wav"), "accounts.0.sounds.0.name"),
        (DECLARATION.replace('file = "hello.wav"', 'file = "none.wav"'), "none.wav: No such file"),
        (DECLARATION.replace('trunk = "carrier"', 'trunk = "nobody"'), "there is no trunk nobody"),
        (DECLARATION.replace('host = "127.0.0.1"', 'host = "a b"'), "is not a host"),
        (DECLARATION.replace('name = "carrier"', 'name = "x]\\n[y"'), "trunk name"),
        (DECLARATION + '[[routes]]\nprefix = "+86"\ntrunk = "carrier"\n', "route +86 stands twice"),
        (DECLARATION + "[oops", "company.toml"),
        (
            DECLARATION.replace("+8657126880001", "+99957126880001"),
            "number +99957126880001 lies in calls.simulated_prefix +999",
        ),
        (
            DECLARATION.replace('prefix = "+86"', 'prefix = "+999"'),
            "route +999 lies in calls.simulated_prefix +999",
        ),
    ],
)
async def test_C9_given_a_faulty_declaration_when_applied_then_the_place_is_named_and_nothing_is_changed(
    tmp_path: Path, fault: str, said: str
) -> None:
    (tmp_path / "company.toml").write_text(fault)
    (tmp_path / "good.toml").write_text(DECLARATION)
    (tmp_path / "hello.wav").write_bytes(distinct_prompt(1))
    await voicecall("init", directory=tmp_path)

    status, output = await voicecall("apply", "company.toml", directory=tmp_path)
    _status, afterwards = await voicecall("apply", "good.toml", directory=tmp_path)

    assert status == 2
    assert said in output
    assert "Traceback" not in output
    assert {line.split()[0] for line in afterwards.splitlines()} == {"created"}


async def test_given_settings_with_faults_when_any_command_runs_then_each_fault_is_named(
    tmp_path: Path,
) -> None:
    (tmp_path / "voicecall.toml").write_text('[http]\nport = "many"\n[calls]\nring_time = 3\n')

    status, output = await voicecall("settings", directory=tmp_path)

    assert status == 2
    assert "http.port" in output
    assert "calls.ring_time" in output


@pytest.mark.requirement("A4.3", "A4.4")
@pytest.mark.parametrize("command", ["serve", "doctor"])
async def test_A4_3_given_faulty_rules_when_started_or_examined_then_each_is_named(
    tmp_path: Path, command: str
) -> None:
    (tmp_path / "voicecall.toml").write_text(
        '[dialling]\nallowed = ["+86.", "+86Y"]\nforbidden = ["+86.1"]\n'
        '[limits]\nhours = ["8-21"]\nhours_zone = "Mars"\ncallee_windows = ["3"]\n'
    )

    status, output = await voicecall(command, directory=tmp_path)

    assert status == 2
    for place, fault in (
        ("dialling.allowed.1", "'Y' is none of"),
        ("dialling.forbidden.0", "nothing can stand after ."),
        ("limits.hours.0", "'8-21' is not a span of hours"),
        ("limits.hours_zone", "'Mars' is not a time zone"),
        ("limits.callee_windows.0", "'3' is not a number of calls in a time"),
    ):
        (line,) = [line for line in output.splitlines() if line.startswith(f"settings: {place}:")]
        assert fault in line


async def test_given_settings_when_printed_then_secrets_are_masked(tmp_path: Path) -> None:
    await voicecall("init", directory=tmp_path)
    password = next(
        line.split('"')[1]
        for line in (tmp_path / "voicecall.toml").read_text().splitlines()
        if line.startswith("ari_password")
    )

    status, output = await voicecall("settings", directory=tmp_path)

    assert status == 0
    assert password not in output
    assert "ari_password" in output


async def test_given_a_settings_file_when_init_runs_again_then_it_stays_as_it_is(tmp_path: Path) -> None:
    await voicecall("init", directory=tmp_path)
    before = (tmp_path / "voicecall.toml").read_text()

    status, _output = await voicecall("init", directory=tmp_path)

    assert status == 2
    assert (tmp_path / "voicecall.toml").read_text() == before
    assert (tmp_path / "voicecall.toml").stat().st_mode & 0o077 == 0


@pytest.mark.requirement("E3")
async def test_E3_given_no_asterisk_when_the_doctor_is_asked_then_exit_status_1_and_the_remedy(
    tmp_path: Path,
) -> None:
    await voicecall("init", directory=tmp_path)

    status, output = await voicecall("doctor", directory=tmp_path)

    assert status == 1
    assert "start Asterisk" in output


async def test_given_a_fresh_directory_when_the_platform_is_brought_up_then_it_runs_until_ctrl_c(
    tmp_path: Path,
) -> None:
    await voicecall("init", directory=tmp_path)
    with reserved_ports(4) as (http, ari, ami, sip):
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "controller",
            "up",
            "--sip-port",
            str(sip),
            cwd=tmp_path,
            env={
                **os.environ,
                "VOICECALL_HTTP__PORT": str(http),
                "VOICECALL_AGI__PORT": "0",
                "VOICECALL_ASTERISK__ARI_URL": f"http://127.0.0.1:{ari}",
                "VOICECALL_ASTERISK__AMI_PORT": str(ami),
            },
            stderr=asyncio.subprocess.PIPE,
        )
        assert process.stderr is not None
        said = []
        async with asyncio.timeout(30):
            async for line in process.stderr:
                said.append(line.decode())
                if "Ctrl-C ends it" in said[-1]:
                    break
        process.send_signal(signal.SIGINT)
        await asyncio.wait_for(process.communicate(), 30)

    assert process.returncode == 0, said
    assert any(f"127.0.0.1:{http}" in line for line in said)


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


async def test_given_two_controllers_with_one_application_when_both_serve_then_the_first_ends_and_says_why(
    bench: StartBench,
) -> None:
    b = await bench(controller=False)
    async with controller_process(b.home.settings, b.home.directory / "first") as first:
        async with b.home.controller():
            status = await first.ended()
        output = first.log.read_text()

    assert status == 2
    assert "another controller took over" in output


async def test_given_a_running_platform_when_the_doctor_is_asked_then_all_is_well(bench: StartBench) -> None:
    b = await bench()
    settings = b.home.directory / "voicecall.toml"
    write_settings(b.home.settings, settings)

    status, output = await voicecall("doctor", "--config", str(settings), directory=b.home.directory)

    assert status == 0, output


@pytest.mark.requirement("D1", "D2")
async def test_D2_given_the_embedded_voice_when_the_command_says_a_text_then_it_is_a_sound_file_for_a_phone(
    tmp_path: Path,
) -> None:
    await voicecall("init", directory=tmp_path)
    settings = tmp_path / "voicecall.toml"
    settings.write_text(
        settings.read_text("utf-8").replace('# engine = "auto"', 'engine = "kokoro"'), "utf-8"
    )
    no_model = await voicecall("speech", "say", "您好", "--out", "hello.wav", directory=tmp_path)
    settings.write_text(
        settings.read_text("utf-8").replace("# model_dir =", f'model_dir = "{SPEECH_MODEL}" #'), "utf-8"
    )

    said = await voicecall("speech", "say", "您好，请按1。", "--out", "hello.wav", directory=tmp_path)
    nothing = await voicecall("speech", "say", "。。。", "--out", "nothing.wav", directory=tmp_path)
    nowhere = await voicecall("speech", "fetch", "--listening", directory=tmp_path)
    complete = await voicecall("speech", "fetch", directory=tmp_path)

    assert (no_model[0], "lacks the model" in no_model[1]) == (2, True)
    assert said == (0, "hello.wav written (kokoro)\n")
    assert 1.0 < wav.check((tmp_path / "hello.wav").read_bytes()).seconds < 6.0
    assert (nothing[0], "Nothing in the text can be read aloud" in nothing[1]) == (2, True)
    assert not (tmp_path / "nothing.wav").exists()
    assert (nowhere[0], "needs --into" in nowhere[1]) == (2, True)
    assert complete == (0, "")
