"""`voicecall doctor` on a real platform: quiet when all is well, precise when something is not."""

import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web
from integration.support import StartBench
from pydantic import SecretStr

from controller.doctor import examination
from controller.doctor.clock import KernelClock
from controller.doctor.examination import examine
from controller.doctor.finding import Finding, Level
from controller.settings import AgiSettings, CaptureSettings, DiallingSettings, HttpSettings, Settings
from testbed.asterisk import AsteriskProgram, start_asterisk
from testbed.platform import Platform, platform
from testbed.ports import reserved_ports

pytestmark = pytest.mark.requirement("E3")


@pytest.fixture
async def home(tmp_path: Path, program: AsteriskProgram) -> AsyncIterator[Platform]:
    async with platform(tmp_path, program) as made:
        yield made


@pytest.fixture(autouse=True)
def kept_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether a time service keeps the clock of the machine that tests run on is none of their business."""
    monkeypatch.setattr(examination, "kernel_clock", lambda: KernelClock(is_kept=True, error=0.01))


async def faults(settings: Settings) -> dict[str, Finding]:
    return {finding.name: finding for finding in await examine(settings) if finding.level is not Level.OK}


def changed(settings: Settings, **asterisk: object) -> Settings:
    return settings.model_copy(update={"asterisk": settings.asterisk.model_copy(update=asterisk)})


async def test_given_a_sound_platform_when_examined_then_nothing_is_found(home: Platform) -> None:
    assert await faults(home.settings) == {}


async def test_given_asterisk_that_is_not_running_when_examined_then_it_is_unreachable(
    home: Platform,
) -> None:
    await home.asterisk.kill()

    found = await faults(home.settings)

    assert set(found) == {"asterisk"}
    assert "can't be reached" in found["asterisk"].text


async def test_given_a_wrong_ari_password_when_examined_then_that_is_named(home: Platform) -> None:
    found = await faults(changed(home.settings, ari_password=SecretStr("wrong")))

    assert set(found) == {"asterisk"}
    assert "refuses the password" in found["asterisk"].text


async def test_given_a_wrong_ami_password_when_examined_then_that_is_named(home: Platform) -> None:
    found = await faults(changed(home.settings, ami_password=SecretStr("wrong")))

    assert set(found) == {"ami"}
    assert "AMI refused Login" in found["ami"].text


async def test_given_a_host_name_that_does_not_resolve_when_examined_then_it_is_named(
    home: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(examination.socket, "gethostname", lambda: "nowhere.invalid")

    found = await faults(home.settings)

    assert set(found) == {"host name"}
    assert "nowhere.invalid does not resolve" in found["host name"].text


async def test_given_no_recording_directory_when_examined_then_it_is_missing(home: Platform) -> None:
    home.settings.asterisk.recording_dir.rmdir()

    found = await faults(home.settings)

    assert set(found) == {"recording directory"}
    assert "does not exist" in found["recording directory"].text


async def test_given_a_data_directory_that_is_a_file_when_examined_then_it_can_not_be_written(
    home: Platform,
) -> None:
    obstacle = home.directory / "obstacle"
    obstacle.write_text("")

    found = await faults(home.settings.model_copy(update={"data_dir": obstacle}))

    assert "data directory" in found


async def test_given_a_port_that_another_program_has_when_examined_then_it_is_taken(home: Platform) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        found = await faults(home.settings.model_copy(update={"http": HttpSettings(port=port)}))

    assert set(found) == {"http port"}


async def test_given_ports_that_the_controller_itself_has_when_examined_then_all_is_well(
    bench: StartBench,
) -> None:
    with reserved_ports(1) as (agi_port,):
        agi = AgiSettings(port=agi_port)
        b = await bench(sections={"agi": agi})
        http = HttpSettings(port=int(b.controller.url.rsplit(":", 1)[1]))

        assert await faults(b.home.settings.model_copy(update={"http": http})) == {}


async def test_given_an_agi_port_that_another_program_has_when_examined_then_it_is_taken(
    home: Platform,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        agi = AgiSettings(port=other.getsockname()[1])
        found = await faults(home.settings.model_copy(update={"agi": agi}))

    assert set(found) == {"agi port"}
    assert "set agi.port" in found["agi port"].remedy


async def test_given_a_capture_port_that_another_program_has_when_examined_then_it_is_taken(
    home: Platform,
) -> None:
    port = home.settings.capture.port
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", port))
        found = await faults(home.settings)

    assert set(found) == {"capture port"}
    assert f"127.0.0.1:{port} can't be had" in found["capture port"].text
    assert "set capture.port" in found["capture port"].remedy


async def test_given_a_running_controller_when_another_capture_port_is_set_then_only_a_taken_one_is_found(
    bench: StartBench,
) -> None:
    b = await bench()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", 0))
        capture = CaptureSettings(port=other.getsockname()[1])

        assert await faults(b.home.settings) == {}
        found = await faults(b.home.settings.model_copy(update={"capture": capture}))

    assert set(found) == {"capture port"}


@pytest.mark.parametrize(
    ("name", "kind", "setting"),
    [
        ("ari port", socket.SOCK_STREAM, "asterisk.ari_url"),
        ("ami port", socket.SOCK_STREAM, "asterisk.ami_port"),
        ("sip port", socket.SOCK_DGRAM, "--sip-port"),
    ],
)
async def test_given_a_port_of_asterisks_that_another_program_has_when_it_is_down_then_it_is_taken(
    home: Platform, name: str, kind: int, setting: str
) -> None:
    await home.asterisk.kill()
    node = home.asterisk.configuration
    port = {"ari port": node.http_port, "ami port": node.ami_port, "sip port": node.sip_port}[name]
    with socket.socket(socket.AF_INET, kind) as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", port))
        if kind == socket.SOCK_STREAM:
            other.listen()
        found = await faults(home.settings)

    assert set(found) == {"asterisk", name}
    assert setting in found[name].remedy


async def test_given_a_sip_port_that_another_program_had_when_asterisk_started_then_it_speaks_no_sip(
    home: Platform,
) -> None:
    await home.asterisk.kill()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", home.asterisk.configuration.sip_port))
        asterisk = await start_asterisk(home.asterisk.configuration, home.asterisk.program)
        try:
            found = await faults(home.settings)
        finally:
            await asterisk.stop()

    assert set(found) == {"sip port"}
    assert "no SIP transport" in found["sip port"].text


async def test_given_the_clock_of_a_web_server_elsewhere_when_this_one_is_off_then_it_is_found(
    home: Platform,
) -> None:
    async with pretended_asterisk("22.10.1", "Mon, 01 Jan 2024 00:00:00 GMT") as elsewhere:
        found = await examine(home.settings, f"{elsewhere}/ari/asterisk/info")

    assert [finding.name for finding in found if finding.level is Level.FAULT] == ["clock"]


@pytest.mark.parametrize(
    ("told", "text"), [("", "is not set"), ("agi://127.0.0.1:1", "where no controller answers")]
)
async def test_given_a_node_that_does_not_know_the_door_when_examined_then_that_is_named(
    bench: StartBench, told: str, text: str
) -> None:
    b = await bench()
    await b.controller.node.ari.asterisk.set_global_variable("VOICECALL_AGI", told)

    found = await faults(b.home.settings)

    assert set(found) == {"dialplan door"}
    assert text in found["dialplan door"].text


@pytest.mark.requirement("E2")
async def test_E2_given_a_node_that_fetches_prompts_when_examined_then_an_address_without_any_is_named(
    bench: StartBench,
) -> None:
    with reserved_ports(2) as (port, other):
        url = f"http://127.0.0.1:{port}"
        b = await bench(sections={"http": HttpSettings(port=port)}, node={"prompt_url": url})

        assert await faults(b.home.settings) == {}
        found = await faults(changed(b.home.settings, prompt_url=f"http://127.0.0.1:{other}"))

    assert set(found) == {"prompts"}
    assert "nobody answers" in found["prompts"].text


async def test_given_a_controller_that_has_ended_when_examined_then_nothing_is_found(home: Platform) -> None:
    async with home.controller():
        pass

    assert await faults(home.settings) == {}


async def test_given_a_door_that_is_switched_off_when_examined_then_nothing_is_found(
    bench: StartBench,
) -> None:
    b = await bench(sections={"agi": AgiSettings(enabled=False)})

    assert await faults(b.home.settings) == {}


async def test_given_a_number_that_was_declared_when_the_simulated_prefix_covers_it_then_both_are_named(
    home: Platform,
) -> None:
    await home.declare('[[accounts]]\nid = "a"\nnumbers = ["+8830012345678"]\n')
    calls = home.settings.calls.model_copy(update={"simulated_prefix": "+88300"})

    found = await faults(home.settings.model_copy(update={"calls": calls}))

    assert set(found) == {"simulated numbers"}
    assert "+8830012345678 lies in calls.simulated_prefix +88300" in found["simulated numbers"].text


async def test_given_a_route_to_numbers_that_may_not_be_called_when_examined_then_it_is_named(
    home: Platform,
) -> None:
    await home.declare(
        '[[routes]]\nprefix = "+4930"\ncontact = "sip:{number}@127.0.0.1"\n'
        '[[routes]]\nprefix = "+86"\ncontact = "sip:{number}@127.0.0.1"\n'
    )
    nothing = home.settings.model_copy(update={"dialling": DiallingSettings(allowed=[])})

    here, nowhere = await faults(home.settings), await faults(nothing)

    assert here["dialling"].text == "routes +4930 lead to numbers that may not be called"
    assert nowhere["dialling"].text == "no number may be called"


async def test_given_a_trunk_that_does_not_answer_when_examined_then_it_is_unreachable(
    home: Platform,
) -> None:
    with reserved_ports(1) as (port,):
        await home.declare(f'[[trunks]]\nname = "carrier"\nhost = "127.0.0.1"\nport = {port}\n')
        async with home.controller():
            found = await faults(home.settings)

    assert set(found) == {"trunk carrier"}
    assert "does not answer SIP" in found["trunk carrier"].text


@asynccontextmanager
async def pretended_asterisk(version: str, date: str) -> AsyncIterator[str]:
    """What an old Asterisk, or one whose clock is off, would answer."""

    async def info(_request: web.Request) -> web.Response:
        return web.json_response({"system": {"version": version}}, headers={"Date": date})

    app = web.Application()
    app.router.add_get("/ari/asterisk/info", info)
    async with AsyncExitStack() as stack:
        runner = web.AppRunner(app)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"


async def test_given_an_old_asterisk_with_a_wrong_clock_when_examined_then_both_are_named(
    home: Platform,
) -> None:
    async with pretended_asterisk("22.9.0", "Mon, 01 Jan 2024 00:00:00 GMT") as url:
        found = await faults(changed(home.settings, ari_url=url))

    assert "too old" in found["asterisk"].text
    assert "s ahead of Asterisk's" in found["clock"].text
