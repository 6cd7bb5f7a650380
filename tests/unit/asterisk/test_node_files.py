"""`voicecall node-files`: what a node of one's own is configured with."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from controller.cli import app


def _directories(tmp_path: Path, *options: str) -> str:
    settings = tmp_path / "voicecall.toml"
    settings.write_text('[asterisk]\nari_password = "ari"\nami_password = "ami"\n')
    made = tmp_path / "node"
    done = CliRunner().invoke(app, ["node-files", str(made), *options, "--config", str(settings)])
    assert done.exit_code == 0, done.output
    return (made / "asterisk.conf").read_text()


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
