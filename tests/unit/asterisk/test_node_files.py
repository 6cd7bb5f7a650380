"""`voicecall node-files`: what a node of one's own is configured with."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from controller.cli import app


def _written(tmp_path: Path, *options: str, settings: str = "") -> Path:
    """The folder."""
    file = tmp_path / "voicecall.toml"
    file.write_text(f'[asterisk]\nari_password = "ari"\nami_password = "ami"\n{settings}')
    made = tmp_path / "node"
    done = CliRunner().invoke(app, ["node-files", str(made), *options, "--config", str(file)])
    assert done.exit_code == 0, done.output
    return made


def _directories(tmp_path: Path, *options: str) -> str:
    return (_written(tmp_path, *options) / "asterisk.conf").read_text()


@pytest.mark.requirement("E5")
def test_E5_given_no_module_dir_when_node_files_are_written_then_asterisk_looks_where_it_was_built_to(
    tmp_path: Path,
) -> None:
    text = _directories(tmp_path)
    assert "astmoddir" not in text
    assert "astetcdir => /etc/asterisk\n" in text
    assert "astvarlibdir => /var/lib/asterisk\n" in text


def test_given_a_module_dir_when_node_files_are_written_then_it_stands_there(tmp_path: Path) -> None:
    assert "\nastmoddir => /opt/asterisk/modules\n" in _directories(
        tmp_path, "--module-dir", "/opt/asterisk/modules"
    )


@pytest.mark.requirement("B4", "E2")
@pytest.mark.parametrize(
    ("options", "settings", "lines"),
    [
        ([], "", ["enabled = no", "capture_address = 127.0.0.1:9060"]),
        (["--capture-address=10.0.0.5"], "", ["enabled = yes", "capture_address = 10.0.0.5:9060"]),
        (["--capture-address=fd00::5"], "", ["enabled = yes", "capture_address = [fd00::5]:9060"]),
        (
            ["--capture-address=10.0.0.5"],
            "[capture]\nport = 9061\n",
            ["enabled = yes", "capture_address = 10.0.0.5:9061"],
        ),
    ],
)
def test_B4_given_a_controllers_address_when_node_files_are_written_then_sip_and_rtcp_are_sent_there(
    tmp_path: Path, options: list[str], settings: str, lines: list[str]
) -> None:
    text = (_written(tmp_path, *options, settings=settings) / "hep.conf").read_text().splitlines()

    assert set(lines) <= set(text)


@pytest.mark.requirement("E2")
def test_E2_given_two_controllers_when_node_files_are_written_then_ami_is_taken_from_both(
    tmp_path: Path,
) -> None:
    masks = [f"10.0.0.{host}/255.255.255.255" for host in (5, 6)]
    options = [f"--control-network={mask}" for mask in masks]

    text = (_written(tmp_path, *options) / "manager.conf").read_text().splitlines()

    assert f"permit = {','.join(masks)}" in text


@pytest.mark.requirement("E5")
def test_E5_given_an_address_outside_when_node_files_are_written_then_phones_are_told_it_but_those_inside(
    tmp_path: Path,
) -> None:
    options = [
        "--external-address=203.0.113.5",
        "--local-network=10.0.0.0/8",
        "--local-network=172.28.0.0/24",
    ]

    text = (_written(tmp_path, *options) / "pjsip_transport.conf").read_text().splitlines()

    assert text == [
        "external_media_address = 203.0.113.5",
        "external_signaling_address = 203.0.113.5",
        "local_net = 10.0.0.0/8",
        "local_net = 172.28.0.0/24",
    ]


def test_given_a_port_with_a_controllers_address_when_node_files_are_written_then_it_is_refused(
    tmp_path: Path,
) -> None:
    done = CliRunner().invoke(app, ["node-files", str(tmp_path), "--capture-address=10.0.0.5:9060"])

    assert done.exit_code == 2
    assert "must be an IP address; its port is capture.port" in done.output


@pytest.mark.requirement("E5")
@pytest.mark.parametrize("setting", ["ari_user", "ari_password", "ami_user", "ami_password"])
@pytest.mark.parametrize("value", ["cut;off", "two words", "#x", "a]b", "back\\slash", "x" * 129])
def test_E5_given_what_asterisk_would_read_as_another_password_when_files_are_written_then_it_is_refused(
    tmp_path: Path, setting: str, value: str
) -> None:
    asterisk = {"ari_password": "ari", "ami_password": "ami", setting: value}
    file = tmp_path / "voicecall.toml"
    file.write_text("[asterisk]\n" + "".join(f"{name} = {json.dumps(it)}\n" for name, it in asterisk.items()))

    done = CliRunner().invoke(app, ["node-files", str(tmp_path / "node"), "--config", str(file)])

    assert done.exit_code == 2
    assert f"asterisk.{setting} has a blank" in done.output
    assert value not in done.output
    assert not (tmp_path / "node").exists()


@pytest.mark.requirement("E5")
@pytest.mark.parametrize("setting", ["ari_user", "ari_password", "ami_user", "ami_password"])
def test_E5_given_no_password_when_files_are_written_then_it_is_refused(tmp_path: Path, setting: str) -> None:
    asterisk = {"ari_password": "ari", "ami_password": "ami", setting: ""}
    file = tmp_path / "voicecall.toml"
    file.write_text("[asterisk]\n" + "".join(f"{name} = {json.dumps(it)}\n" for name, it in asterisk.items()))

    done = CliRunner().invoke(app, ["node-files", str(tmp_path / "node"), "--config", str(file)])

    assert done.exit_code == 2
    assert f"asterisk.{setting} is empty" in done.output
    assert not (tmp_path / "node").exists()


@pytest.mark.requirement("E5")
def test_E5_given_other_punctuation_in_a_password_when_files_are_written_then_it_stands_there(
    tmp_path: Path,
) -> None:
    file = tmp_path / "voicecall.toml"
    file.write_text('[asterisk]\nari_password = "p@s$s:/%w,d"\nami_password = "$x{y}="\n')

    done = CliRunner().invoke(app, ["node-files", str(tmp_path / "node"), "--config", str(file)])

    assert done.exit_code == 0, done.output
    assert "\npassword = p@s$s:/%w,d\n" in (tmp_path / "node/ari.conf").read_text()
    assert "\nsecret = $x{y}=\n" in (tmp_path / "node/manager.conf").read_text()


@pytest.mark.requirement("E5")
@pytest.mark.parametrize(("options", "expected"), [([], False), (["--log-to-console"], True)])
def test_E5_given_a_node_in_a_container_when_files_are_written_then_its_log_goes_to_the_console_too(
    tmp_path: Path, options: list[str], expected: bool
) -> None:
    text = (_written(tmp_path, *options) / "logger.conf").read_text()

    assert ("console => warning,error\n" in text) == expected
    assert text.count("console =>") == expected
    assert "\nmessages.log => notice,warning,error\n" in text
