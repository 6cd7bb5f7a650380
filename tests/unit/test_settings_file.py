"""The settings file: everything that can be set can be written down and read back."""

from pathlib import Path

import pytest
from pydantic import ValidationError

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


@pytest.mark.parametrize(
    ("wrong", "names"),
    [
        ('name = "a,b"', "name"),
        ('host_name = "voice example"', "host_name"),
        ('[asterisk]\nname = "node/1"', "asterisk.name"),
        ('[asterisk]\napplication = "voice call"', "asterisk.application"),
        ('[asterisk]\nprompt_url = "10.0.0.5:8080"', "asterisk.prompt_url"),
        ('[asterisk]\nprompt_url = "http://10.0.0.5:8080/here"', "asterisk.prompt_url"),
    ],
)
def test_given_a_setting_that_is_no_name_when_read_then_the_error_names_it(
    tmp_path: Path, wrong: str, names: str
) -> None:
    path = tmp_path / "voicecall.toml"
    path.write_text(wrong, "utf-8")

    with pytest.raises(ValidationError) as refused:
        load_settings(path)
    assert [".".join(map(str, error["loc"])) for error in refused.value.errors()] == [names]
