"""The `voicecall` command as its users run it."""

import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from integration.support import APP_KEY, SECRET, StartBench
from pydantic import SecretStr

from controller.prompts import wav
from controller.settings import AgiSettings, CallSettings, HttpSettings, Settings
from testbed.client import ApiClient
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


@dataclass
class Ports:
    """Ports of a platform that `voicecall up` runs."""

    http: int
    agi: int
    ari: int
    ami: int
    sip: int

    def up(self, directory: Path) -> Awaitable[asyncio.subprocess.Process]:
        """Start `voicecall up` in a directory."""
        return asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "controller", "up", "--sip-port", str(self.sip)),
            cwd=directory,
            env={
                **os.environ,
                "VOICECALL_HTTP__PORT": str(self.http),
                "VOICECALL_AGI__PORT": str(self.agi),
                "VOICECALL_ASTERISK__ARI_URL": f"http://127.0.0.1:{self.ari}",
                "VOICECALL_ASTERISK__AMI_PORT": str(self.ami),
                "VOICECALL_CALLS__DRAIN_TIMEOUT": "300",
            },
            stderr=asyncio.subprocess.PIPE,
        )


@pytest.fixture
def ports() -> Iterator[Ports]:
    with reserved_ports(5) as reserved:
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
    ("taken", "setting"), [("http", "http.port"), ("agi", "agi.port"), ("sip", "--sip-port")]
)
async def test_given_a_port_that_is_taken_when_the_platform_is_brought_up_then_its_setting_is_named(
    tmp_path: Path, ports: Ports, taken: str, setting: str
) -> None:
    await voicecall("init", directory=tmp_path)
    port = getattr(ports, taken)
    with socket.socket(type=socket.SOCK_DGRAM if taken == "sip" else socket.SOCK_STREAM) as other:
        other.bind(("127.0.0.1", port))
        if taken != "sip":
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
