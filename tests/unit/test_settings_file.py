"""The settings file: everything that can be set can be written down and read back."""

from pathlib import Path

import pytest

from controller.settings import Settings, load_settings
from testbed.controller_process import write_settings


def test_given_every_setting_when_written_to_a_file_then_it_is_read_back_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "voicecall.toml"
    monkeypatch.chdir(tmp_path)
    settings = Settings(data_dir=tmp_path)

    write_settings(settings, file)

    assert load_settings(file).model_dump() == settings.model_dump()
