"""`voicecall sound` and `voicecall review` on a database and a data folder of their own."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from engine import copy_database, database_at
from service.sounds.support import cd_quality
from typer.testing import CliRunner
from unit.calls.support import ACCOUNT

from controller.cli import app
from controller.prompts import wav
from testbed.sounds import distinct_prompt

Run = Callable[..., str]


@pytest.fixture
def run(template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run the command; returns what it says."""
    copy_database(template, tmp_path / "voicecall.db")
    monkeypatch.setenv("VOICECALL_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("VOICECALL_DATABASE__URL", database_at(tmp_path / "voicecall.db"))

    def invoke(*arguments: str, status: int = 0) -> str:
        result = CliRunner().invoke(app, arguments)
        assert result.exit_code == status, result.output
        return result.output

    return invoke


@pytest.mark.requirement("C5", "C7", "C9")
def test_C9_given_a_converted_upload_when_rejected_and_submitted_again_then_the_lists_say_so(
    run: Run, tmp_path: Path
) -> None:
    file = tmp_path / "offer.flac"
    cd_quality(file)
    run("sound", "upload", ACCOUNT, str(file), "--name", "offer.wav", "--convert", "--submit", "--by", "dora")
    (waiting,) = json.loads(run("review", "list", "--json"))
    assert (waiting["what"], waiting["by"]) == ("offer.wav", "dora")

    run("review", "reject", str(waiting["number"]), "--reason", "too loud", "--by", "oscar")
    assert run("review", "list") == "nothing\n"
    listed = run("sound", "list", ACCOUNT)
    assert "rejected" in listed
    assert "too loud" in listed

    run("sound", "submit", ACCOUNT, "offer.wav")
    (second,) = json.loads(run("review", "list", "--json"))
    (decided,) = json.loads(run("review", "approve", str(second["number"]), "--json"))
    assert decided["state"] == "approved"
    assert len(json.loads(run("review", "list", "--all", "--json"))) == 2
    (sound,) = json.loads(run("sound", "list", ACCOUNT, "--json"))
    assert (sound["state"], sound["usable"], sound["converted_from"]) == (
        "approved",
        "no",
        "FLAC, 44100 Hz, 2 channels",
    )


@pytest.mark.requirement("C5")
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("sound", "check", "{mp3}"), "not a WAV file"),
        (("sound", "check", "{nothing}"), "no such file"),
        (("sound", "convert", "{text}", "--out", "out.wav"), "WAV, MP3, Ogg and FLAC can"),
        (("sound", "upload", ACCOUNT, "{mp3}", "--name", "a.wav"), "not a WAV file"),
        (("sound", "upload", ACCOUNT, "{good}", "--name", "../a.wav"), "letters, digits"),
        (("sound", "upload", "nobody", "{good}"), "there is no account nobody"),
        (("sound", "submit", ACCOUNT, "none.wav"), "there is no sound file none.wav"),
        (("review", "approve", "7"), "there is no submission 7"),
        (("review", "reject", "7", "--reason", " "), "needs a reason"),
    ],
)
def test_C5_given_what_can_not_be_done_when_asked_then_one_line_says_why(
    run: Run, tmp_path: Path, arguments: tuple[str, ...], words: str
) -> None:
    (tmp_path / "good.wav").write_bytes(distinct_prompt(1))
    (tmp_path / "text").write_text("text")
    cd_quality(tmp_path / "music.mp3", 0.2)
    names = {"mp3": "music.mp3", "nothing": "nothing", "text": "text", "good": "good.wav"}
    paths = {name: str(tmp_path / file) for name, file in names.items()}
    said = run(*(word.format(**paths) for word in arguments), status=2)
    assert words in said
    assert len(said.splitlines()) == 1


@pytest.mark.requirement("C5")
def test_C5_given_a_file_of_another_form_when_converted_then_the_written_file_passes_the_check(
    run: Run, tmp_path: Path
) -> None:
    out = tmp_path / "out.wav"
    source = tmp_path / "music.ogg"
    cd_quality(source)
    assert "Ogg, 44100 Hz, 2 channels" in run("sound", "convert", str(source), "--out", str(out))
    assert "has the required form: 1.0 s" in run("sound", "check", str(out))
    assert wav.check(out.read_bytes()).seconds == pytest.approx(1.0, abs=0.05)
