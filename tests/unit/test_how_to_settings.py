"""The settings of the how-to pages on more than one machine, as the controller reads them."""

import re
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from controller.settings import Settings, load_settings

PAGES = Path(__file__).parents[2] / "docs/how-to"

pytestmark = pytest.mark.requirement("E2")


def blocks(page: str, language: str) -> list[str]:
    """Those in lists too."""
    text = (PAGES / f"{page}.md").read_text("utf-8")
    found = re.findall(rf"^( *)```{language}\n((?:.*\n)*?)\1```$", text, re.MULTILINE)
    return ["".join(f"{line[len(indent) :]}\n" for line in block.splitlines()) for indent, block in found]


def read(page: str, folder: Path) -> Settings:
    [text] = blocks(page, "toml")
    file = folder / "voicecall.toml"
    file.write_text(text, "utf-8")
    return load_settings(file)


def check_found_by(settings: Settings) -> None:
    """Nodes elsewhere are told addresses of the controller's that they reach, and at which it listens."""
    here = settings.http.address
    assert not ip_address(here).is_loopback
    assert settings.agi.address == settings.capture.address == here
    for node in settings.nodes:
        assert node.prompt_url == f"http://{here}:{settings.http.port}"
        assert node.ami_address == urlsplit(node.ari_url).hostname != here
        assert node.ari_password and node.ami_password


def test_E2_given_the_settings_of_several_nodes_when_read_then_nodes_and_controller_find_each_other(
    tmp_path: Path,
) -> None:
    settings = read("several-nodes", tmp_path)

    assert [(node.name, node.weight) for node in settings.nodes] == [("node1", 1), ("node2", 2)]
    check_found_by(settings)


def test_E2_given_the_settings_of_several_controllers_when_read_then_each_has_its_own_besides_what_all_have(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    common = read("several-controllers", tmp_path)
    [own] = (block for block in blocks("several-controllers", "sh") if block.startswith("VOICECALL_"))
    for line in own.splitlines():
        name, _, value = line.partition("=")
        monkeypatch.setenv(name, value)

    settings = read("several-controllers", tmp_path)

    assert (settings.name, settings.application) == ("a", "voicecall-a")
    check_found_by(settings)
    assert (settings.database_url, settings.data_dir) == (common.database_url, common.data_dir)
    assert settings.asterisk == common.asterisk.model_copy(
        update={"prompt_url": settings.asterisk.prompt_url}
    )
