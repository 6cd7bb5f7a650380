"""The checks of `voicecall doctor` that need nothing running."""

import ctypes
import socket
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from controller.api.certificate import self_signed
from controller.api.node_prompts import prompt_routes
from controller.asterisk.routing import TrunkConfiguration
from controller.capture.holder import held_port, is_held
from controller.doctor.asterisk import trunk_state, version
from controller.doctor.clock import KernelClock, agreement, databases, kept_clock, kernel_clock, outside
from controller.doctor.finding import Level
from controller.doctor.machine import host_name, tls
from controller.doctor.way_back import dialplan_door, prompts
from controller.settings import AgiSettings, AsteriskSettings, HttpSettings, Settings

pytestmark = pytest.mark.requirement("E3")


def test_given_a_host_name_that_does_not_resolve_when_checked_then_a_fault_says_what_to_write() -> None:
    def resolve(_name: str) -> None:
        raise OSError

    finding = host_name("box", resolve)

    assert finding.level is Level.FAULT
    assert "/etc/hosts: 127.0.1.1 box" in finding.remedy


@pytest.mark.parametrize(
    ("text", "level"),
    [
        ("22.10.1+dfsg+~cs6.17", Level.OK),
        ("22.10.1", Level.OK),
        ("23.1.0", Level.OK),
        ("22.10.0", Level.WARNING),
        ("22.9.3", Level.FAULT),
        ("20.15.0", Level.FAULT),
    ],
)
def test_given_a_version_when_checked_then_old_ones_are_faults(text: str, level: Level) -> None:
    assert version(text).level is level


@pytest.mark.parametrize(
    ("ahead", "level", "text"),
    [
        (0.004, Level.OK, "agrees with this one within 0.00 s"),
        (-0.49, Level.OK, "within 0.49 s"),
        (0.6, Level.WARNING, "0.6 s ahead of it"),
        (-12.3, Level.WARNING, "12.3 s behind it"),
    ],
)
def test_given_the_databases_time_when_checked_then_half_a_second_is_warned_of(
    ahead: float, level: Level, text: str
) -> None:
    finding = databases(ahead)

    assert finding.level is level
    assert text in finding.text


@pytest.mark.parametrize(
    ("header", "level", "text"),
    [
        ("Mon, 23 Nov 2026 04:00:03 GMT", Level.OK, "agrees with Asterisk's"),
        ("Mon, 23 Nov 2026 04:01:00 GMT", Level.FAULT, "60 s behind Asterisk's"),
        ("Mon, 23 Nov 2026 03:59:00 GMT", Level.FAULT, "60 s ahead of Asterisk's"),
        (None, Level.WARNING, "does not tell the time"),
        ("nonsense", Level.WARNING, "does not tell the time"),
    ],
)
def test_given_asterisks_time_when_checked_then_a_difference_is_a_fault(
    header: str, level: Level, text: str
) -> None:
    finding = agreement(header, datetime(2026, 11, 23, 4, 0, tzinfo=UTC), "Asterisk")

    assert finding.level is level
    assert text in finding.text


@pytest.mark.parametrize(
    ("kernel", "level", "text"),
    [
        (KernelClock(is_kept=True, error=0.04), Level.OK, "within 0.04 s"),
        (KernelClock(is_kept=True, error=12.0), Level.FAULT, "within 12 s only"),
        (KernelClock(is_kept=False, error=0.0), Level.WARNING, "drifts"),
        (None, Level.WARNING, "doesn't say"),
    ],
)
def test_given_what_the_kernel_says_of_its_clock_when_checked_then_one_that_nobody_keeps_is_told(
    kernel: KernelClock | None, level: Level, text: str
) -> None:
    finding = kept_clock(kernel)

    assert finding.level is level
    assert text in finding.text


def test_given_this_machine_when_its_kernel_is_asked_then_it_says_what_its_own_library_says() -> None:
    told = kernel_clock()
    # The same system call by its other name: 5 is TIME_ERROR.
    buffer = ctypes.create_string_buffer(512)
    state = ctypes.CDLL(None).ntp_adjtime(buffer)

    assert told is not None
    assert told.is_kept == (state != 5)
    assert 0 <= told.error <= 3600


@pytest.mark.parametrize(
    ("minutes", "level"), [(0, Level.OK), (-3, Level.FAULT), (3, Level.FAULT), (None, Level.WARNING)]
)
async def test_given_a_web_server_elsewhere_when_its_time_is_asked_then_a_wrong_clock_is_found(
    minutes: int | None, level: Level
) -> None:
    async def answer(_request: web.Request) -> web.Response:
        shown = "" if minutes is None else format_datetime(NOW + timedelta(minutes=minutes), usegmt=True)
        return web.Response(status=404, headers={"Date": shown})

    app = web.Application()
    app.router.add_get("/", answer)
    async with TestServer(app) as server:
        found = await outside(str(server.make_url("/")), lambda: NOW)

    assert found.level is level


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "ftp://127.0.0.1", "nonsense"])
async def test_given_no_web_server_when_its_time_is_asked_then_a_warning_says_so(url: str) -> None:
    found = await outside(url)

    assert found.level is Level.WARNING
    assert url in found.text


def test_given_a_controller_that_holds_its_capture_port_when_it_ends_then_nobody_does(tmp_path: Path) -> None:
    file = tmp_path / "capture.db"
    assert not is_held(file, 9060)
    with held_port(file, 9060):
        assert is_held(file, 9060)
        assert not is_held(file, 9061)
    assert not is_held(file, 9060)


@pytest.mark.requirement("E2")
def test_E2_given_a_shared_folder_when_controllers_on_two_machines_keep_captures_then_each_needs_a_name(
    tmp_path: Path,
) -> None:
    first, second = (Settings(name=name, data_dir=tmp_path).capture_file for name in ("a", "b"))
    with held_port(first, 9060), held_port(second, 9060):
        assert is_held(first, 9060) and is_held(second, 9060)
    nameless = Settings(data_dir=tmp_path).capture_file
    with (
        held_port(nameless, 9060),
        pytest.raises(OSError, match="each need a name of their own"),
        held_port(nameless, 9060),
    ):
        pass


NOW = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)


def pair(directory: Path, lifetime: timedelta, *, of_another_key: bool = False) -> HttpSettings:
    certificate, key = directory / "tls.pem", directory / "tls.key"
    made = self_signed(["calls.example"], NOW, lifetime)
    certificate.write_text(made.certificate)
    key.write_text(self_signed(["calls.example"], NOW).key if of_another_key else made.key)
    return HttpSettings(tls_certificate=str(certificate), tls_key=str(key))


@pytest.mark.parametrize(
    ("days", "level", "text"),
    [(90, Level.OK, "2027-02-21"), (10, Level.WARNING, "2026-12-03"), (-0.01, Level.FAULT, "expired on")],
)
def test_given_a_certificate_when_checked_then_its_end_decides(
    tmp_path: Path, days: float, level: Level, text: str
) -> None:
    finding = tls(pair(tmp_path, timedelta(days=days)), NOW)

    assert finding.level is level
    assert text in finding.text


def test_given_the_key_of_another_certificate_when_checked_then_a_fault_names_both_files(
    tmp_path: Path,
) -> None:
    finding = tls(pair(tmp_path, timedelta(days=90), of_another_key=True), NOW)

    assert finding.level is Level.FAULT
    assert "tls.pem" in finding.text
    assert "tls.key" in finding.text


def test_given_files_that_are_not_there_when_checked_then_a_fault_says_so(tmp_path: Path) -> None:
    missing = HttpSettings(tls_certificate=str(tmp_path / "none.pem"), tls_key=str(tmp_path / "none.key"))

    assert tls(missing, NOW).level is Level.FAULT


def test_given_plain_http_when_checked_then_all_is_well() -> None:
    assert tls(HttpSettings(), NOW).level is Level.OK


@pytest.mark.requirement("E1", "E3")
@pytest.mark.parametrize(
    ("every", "state", "level", "says"),
    [
        (30, "online", Level.OK, "answers"),
        (30, "offline", Level.FAULT, "does not answer SIP"),
        (0, "online", Level.OK, "not asked whether it is there"),
        (0, "offline", Level.OK, "not asked whether it is there"),
    ],
)
def test_given_a_trunk_when_examined_then_what_is_never_asked_is_not_said_to_answer(
    every: int, state: str, level: Level, says: str
) -> None:
    found = trunk_state(TrunkConfiguration("carrier", "192.0.2.7", qualify_seconds=every), state)

    assert found.level is level
    assert says in found.text


ELSEWHERE = "http://192.0.2.7:8088"
"""Of another machine."""


def node_at(ari_url: str, prompt_url: str = "", http: HttpSettings | None = None, agi: str = "") -> Settings:
    return Settings(
        asterisk=AsteriskSettings(ari_url=ari_url, prompt_url=prompt_url),
        http=http or HttpSettings(),
        agi=AgiSettings(address=agi) if agi else AgiSettings(),
    )


@pytest.mark.requirement("E2", "E3")
@pytest.mark.parametrize("address", ["", "127.0.0.5", "::1", "localhost"])
async def test_E2_given_asterisk_elsewhere_when_the_door_is_on_loopback_then_a_fault_says_what_to_set(
    address: str,
) -> None:
    finding = await dialplan_door(node_at(ELSEWHERE, agi=address), "")

    assert finding.level is Level.FAULT
    assert f"node1 is on another machine, and agi.address is {address or '127.0.0.1'}" in finding.text
    assert "set agi.address to the address under which Asterisk reaches the controller" in finding.remedy


@pytest.mark.requirement("E2", "E3")
async def test_E2_given_asterisk_elsewhere_when_prompts_are_on_loopback_then_a_fault_says_what_to_set() -> (
    None
):
    finding = await prompts(node_at(ELSEWHERE, "http://127.0.0.1:8080"))

    assert finding.level is Level.FAULT
    assert "node1 is on another machine, and its prompt_url is http://127.0.0.1:8080" in finding.text
    assert "set asterisk.prompt_url" in finding.remedy


def free_port() -> int:
    """Where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as one:
        return int(one.getsockname()[1])


async def an_api(folder: Path, *, has_prompts: bool) -> TestServer:
    """A controller's API, or what of it a proxy lets through."""

    async def live(_request: web.Request) -> web.Response:
        return web.json_response({"live": True})

    app = web.Application()
    app.router.add_get("/healthz", live)
    app.add_routes(prompt_routes([folder]) if has_prompts else [])
    server = TestServer(app)
    await server.start_server()
    return server


@pytest.mark.requirement("E2", "E3")
@pytest.mark.parametrize(
    ("runs", "has_prompts", "level", "text"),
    [
        (True, True, Level.OK, "a controller has them at"),
        (False, True, Level.OK, "a controller has them at"),
        (True, False, Level.FAULT, "who answers has no prompts at"),
        (True, None, Level.FAULT, "nobody answers at"),
        (False, False, Level.OK, "no controller runs"),
        (False, None, Level.OK, "no controller runs"),
    ],
)
async def test_E2_given_an_address_of_prompts_when_asked_there_then_it_is_found_whether_a_node_gets_any(
    tmp_path: Path, *, runs: bool, has_prompts: bool | None, level: Level, text: str
) -> None:
    async with await an_api(tmp_path, has_prompts=bool(has_prompts)) as server:
        url = f"http://127.0.0.1:{server.port if has_prompts is not None else free_port()}"
        http = HttpSettings(port=server.port if runs else free_port())
        finding = await prompts(node_at("http://127.0.0.1:8088", url, http))

    assert finding.level is level
    assert text in finding.text
    assert ("http.address (now 127.0.0.1)" in finding.remedy) == (level is Level.FAULT)


@pytest.mark.requirement("E2", "E3")
async def test_E2_given_an_api_on_loopback_that_does_not_run_when_nodes_are_sent_elsewhere_then_it_is_a_fault(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def nobody(_url: str) -> None:
        return None

    monkeypatch.setattr("controller.doctor.way_back._said_of_a_prompt", nobody)
    finding = await prompts(node_at(ELSEWHERE, "http://192.0.2.5:8080", HttpSettings(port=free_port())))

    assert finding.level is Level.FAULT
    assert "nobody answers at http://192.0.2.5:8080, where node1 fetches them" in finding.text
    assert "set http.address (now 127.0.0.1)" in finding.remedy
