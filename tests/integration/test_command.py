"""The `voicecall` command as its users run it."""

import asyncio
import json
from pathlib import Path

import pytest
from integration.command import voicecall
from integration.support import StartBench

from controller.prompts import wav
from testbed.controller_process import write_settings
from testbed.platform import SPEECH_MODEL
from testbed.sounds import distinct_prompt

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
        (
            DECLARATION.replace('service = "notification"', 'service = "fax"'),
            "accounts.0.apps.0.service must be 'callback', 'notification' or 'verification'",
        ),
        (
            DECLARATION.replace("not a real secret", "short"),
            "accounts.0.apps.0.secret must have at least 8 characters",
        ),
        (
            DECLARATION.replace('id = "acme"', 'id = "a b"'),
            "accounts.0.id must be 1 to 32 letters, digits, _ and -",
        ),
        (DECLARATION.replace('host = "127.0.0.1"', ""), "trunks.0.host is missing"),
        (DECLARATION.replace("[[trunks]]", "[[trunk]]"), "trunk is not known here"),
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
        (line,) = [line for line in output.splitlines() if line.startswith(f"settings: {place} ")]
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


@pytest.mark.requirement("D2")
async def test_D2_given_a_model_that_was_fetched_when_init_runs_then_the_voice_is_there_at_once(
    tmp_path: Path,
) -> None:
    await voicecall("init", directory=tmp_path)

    _status, output = await voicecall("settings", directory=tmp_path)

    assert json.loads(output)["speech"]["model_dir"] == str(SPEECH_MODEL)


@pytest.mark.requirement("E3")
async def test_E3_given_a_fresh_directory_when_the_doctor_is_asked_then_up_makes_what_is_missing(
    tmp_path: Path,
) -> None:
    await voicecall("init", directory=tmp_path)

    _status, output = await voicecall("doctor", directory=tmp_path)

    assert " ".join(output.split()).count("`voicecall up` makes it when it starts") == 2


async def test_given_a_settings_file_when_init_runs_again_then_it_stays_as_it_is(tmp_path: Path) -> None:
    await voicecall("init", directory=tmp_path)
    before = (tmp_path / "voicecall.toml").read_text()

    status, _output = await voicecall("init", directory=tmp_path)

    assert status == 2
    assert (tmp_path / "voicecall.toml").read_text() == before
    assert (tmp_path / "voicecall.toml").stat().st_mode & 0o077 == 0


NO_DATABASE = {
    "a file that is none": ("sqlite:///letter.txt", "file is not a database"),
    "no address": ("letter.txt", "database.url is no SQLAlchemy address"),
    "no folder": ("sqlite:///letter.txt/x.db", "letter.txt"),
}


@pytest.mark.requirement("E3")
@pytest.mark.parametrize("fault", NO_DATABASE)
async def test_E3_given_no_database_when_commands_use_it_then_one_line_says_what_is_wrong(
    tmp_path: Path, fault: str
) -> None:
    url, said = NO_DATABASE[fault]
    (tmp_path / "letter.txt").write_text("Dear reader, this is no database. " * 100)
    (tmp_path / "company.toml").write_text("")
    (tmp_path / "voicecall.toml").write_text(f'[database]\nurl = "{url}"\n[http]\nport = 0\n')

    applied, served, examined = await asyncio.gather(
        voicecall("apply", "company.toml", directory=tmp_path),
        voicecall("serve", directory=tmp_path),
        voicecall("doctor", directory=tmp_path),
    )

    for status, output in (applied, served):
        assert (status, said in output, len(output.splitlines())) == (2, True, 1), output
    # The doctor goes on looking: what it finds is its result.
    assert examined[0] == 1
    assert "check database.url" in " ".join(examined[1].split())
    assert "Traceback" not in examined[1]


@pytest.mark.requirement("E3")
async def test_E3_given_no_asterisk_when_the_doctor_is_asked_then_exit_status_1_and_the_remedy(
    tmp_path: Path,
) -> None:
    await voicecall("init", directory=tmp_path)

    status, output = await voicecall("doctor", directory=tmp_path)

    assert status == 1
    assert "start Asterisk" in output


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
        settings.read_text("utf-8")
        .replace('# engine = "auto"', 'engine = "kokoro"')
        .replace(f'model_dir = "{SPEECH_MODEL}"', f'model_dir = "{tmp_path}"'),
        "utf-8",
    )
    no_model = await voicecall("speech", "say", "您好", "--out", "hello.wav", directory=tmp_path)
    settings.write_text(
        settings.read_text("utf-8").replace(f'model_dir = "{tmp_path}"', f'model_dir = "{SPEECH_MODEL}"'),
        "utf-8",
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
