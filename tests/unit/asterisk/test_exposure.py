"""What the shipped configuration of Asterisk lets be reached, and what a call that comes in can lead to."""

import re
from pathlib import Path

import pytest

from controller.asterisk.configuration import NodeConfiguration, write_files
from controller.asterisk.routing import TrunkConfiguration, render_trunks
from controller.settings import AgiSettings, CaptureSettings
from controller.share import shared

_CALLS = re.compile(
    r"\b(Dial|Originate|Queue|Page|FollowMe|TryExec|Exec|System|Macro|Gosub)\(", re.IGNORECASE
)
_GOTO = re.compile(r"\bGoto(?:If)?\((.*)\)")


@pytest.fixture
def files(tmp_path: Path) -> dict[str, str]:
    """The rendered files by name, with every default."""
    places = dict.fromkeys(("etc_dir", "lib_dir", "spool_dir", "run_dir", "log_dir"), tmp_path)
    configuration = NodeConfiguration(
        node_name="node",
        **places,
        module_dir=tmp_path,
        data_dir=tmp_path,
        http_port=8088,
        ami_port=5038,
        sip_port=5060,
        ari_password="ari",
        ami_password="ami",
    )
    write_files(configuration, tmp_path)
    return {path.name: path.read_text() for path in tmp_path.glob("*.conf")}


def settings_of(text: str) -> dict[str, str]:
    found = re.findall(r"^\s*([a-z_]+)\s*=>?\s*(.*?)\s*$", text, re.MULTILINE)
    return dict(found)


@pytest.mark.requirement("E1")
def test_E1_given_every_default_when_rendered_then_ari_and_ami_are_on_loopback_and_ami_knows_nobody_else(
    files: dict[str, str],
) -> None:
    assert settings_of(files["http.conf"])["bindaddr"] == "127.0.0.1"
    ami = settings_of(files["manager.conf"])
    assert (ami["bindaddr"], ami["webenabled"]) == ("127.0.0.1", "no")
    assert (ami["deny"], ami["permit"]) == ("0.0.0.0/0.0.0.0", "127.0.0.1/255.255.255.255")
    assert "originate" not in ami["write"]
    assert "call" not in ami["write"]
    assert "allowed_origins" not in files["ari.conf"]


@pytest.mark.requirement("E1")
def test_E1_given_the_rendered_files_when_written_then_their_owner_alone_can_read_them(
    files: dict[str, str], tmp_path: Path
) -> None:
    assert files
    assert {path.stat().st_mode & 0o077 for path in tmp_path.glob("*.conf")} == {0}


@pytest.mark.requirement("E1")
def test_E1_given_every_default_when_started_then_door_and_capture_listen_on_loopback() -> None:
    assert AgiSettings().address == "127.0.0.1"
    assert CaptureSettings().address == "127.0.0.1"


@pytest.mark.requirement("A4.3")
@pytest.mark.parametrize("file", sorted(path.name for path in shared("dialplan").glob("*.conf")))
def test_A4_3_given_the_shipped_dialplan_when_a_call_comes_in_then_nothing_in_it_begins_another(
    file: str,
) -> None:
    lines = [
        line for line in (shared("dialplan") / file).read_text().splitlines() if not line.startswith(";")
    ]

    assert not [line for line in lines if _CALLS.search(line)]
    # Jumps stay in their extension: a place in another context has commas.
    assert not [line for line in lines for found in _GOTO.findall(line) if "," in found]


@pytest.mark.requirement("A4.3")
def test_A4_3_given_any_trunk_when_it_sends_a_call_elsewhere_then_asterisk_follows_neither_refer_nor_302(
    files: dict[str, str],
) -> None:
    modules = files["modules.conf"]
    assert "res_pjsip_refer" not in modules
    assert "app_transfer" not in modules
    endpoints = [
        part
        for part in render_trunks([TrunkConfiguration("carrier-a", "sip.example")]).split("\n\n")
        if "type = endpoint" in part
    ]
    assert len(endpoints) == 2
    for endpoint in endpoints:
        assert "allow_transfer = no" in endpoint
        assert "context = from-trunk" in endpoint
        assert "identify_by = ip" in endpoint
