"""`voicecall sound` and `voicecall review` on a database and a data folder of their own."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from engine import copy_database, database_at
from service.sounds.support import cd_quality
from sqlmodel import Session
from typer.testing import CliRunner
from unit.calls.support import ACCOUNT, APP

from controller.cli import app
from controller.prompts import wav
from controller.store.engines import make_engine
from controller.store.enterprise_tables import DocumentKind
from controller.store.tables import Call, Service, SoundFile
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
    run("sound", "delete", ACCOUNT, "offer.wav")
    said = [json.loads(line) for line in run("audit", "export").splitlines()]
    assert [(entry["action"], entry["account_id"]) for entry in said] == [
        (action, ACCOUNT)
        for action in (
            "upload_sound",
            "submit_sound",
            "reject_review",
            "submit_sound",
            "approve_review",
            "delete_sound",
        )
    ]
    assert [entry["login"] for entry in said[:3]] == ["dora", "dora", "oscar"]
    assert said[2]["after"]["reason"] == "too loud"


@pytest.mark.requirement("C5", "C9")
def test_C5_given_a_sound_when_deleted_by_command_then_it_is_gone_unless_a_call_plays_it(
    run: Run, tmp_path: Path
) -> None:
    file = tmp_path / "hello.wav"
    file.write_bytes(distinct_prompt(1))
    run("sound", "upload", ACCOUNT, str(file))

    def write(work: Callable[[Session], None]) -> None:
        engine = make_engine(database_at(tmp_path / "voicecall.db"))
        with Session(engine) as session:
            work(session)
            session.commit()
        engine.dispose()

    def play(session: Session) -> None:
        session.get_one(SoundFile, (ACCOUNT, "hello.wav")).usable_digest = "a" * 64
        folder = (tmp_path / "prompts").absolute()
        plan = {"wait_voice": {"name": "hello.wav", "media": f"sound:{folder}/aa/{'a' * 64}", "seconds": 1}}
        session.add(
            Call(
                id="live",
                session_id="live@host",
                account_id=ACCOUNT,
                app_key=APP,
                service=Service.CALLBACK,
                controller="host",
                node="node1",
                display_number="+8657126880001",
                callee="+8613900001111",
                addressee="+8613900001111",
                accepted_at=datetime.now(UTC),
                plan=plan,
            )
        )

    def end(session: Session) -> None:
        session.get_one(Call, "live").ended_at = datetime.now(UTC)

    write(play)
    assert "used by 1 call(s) in progress: live@host" in run(
        "sound", "delete", ACCOUNT, "hello.wav", status=2
    )
    write(end)
    run("sound", "delete", ACCOUNT, "hello.wav")
    assert json.loads(run("sound", "list", ACCOUNT, "--json")) == []


@pytest.mark.requirement("C2", "C7", "C9")
def test_C2_given_an_enterprise_when_filled_in_by_commands_then_it_goes_through_the_queue(
    run: Run, tmp_path: Path
) -> None:
    whole = {
        "full-name": "Acme (Hangzhou) Co., Ltd.",
        "code": "91330100000000000X",
        "phone": "+86 571 2688 0000",
        "legal-representative": "L. R.",
        "scenario": "Parcels",
        "script": "Your parcel has come.",
        "calls-per-day": "1000",
        "peak-calls": "10",
        "handler-name": "H. P.",
        "handler-phone": "+86 139 0000 1111",
        "handler-address": "1 Road, Hangzhou",
    }
    options = [word for name, value in whole.items() for word in (f"--{name}", value)]
    made = json.loads(run("enterprise", "create", "--account-id", ACCOUNT, *options, "--json"))
    licence = tmp_path / "licence.pdf"
    licence.write_bytes(b"%PDF-1.7 a licence")
    assert "documents.licence" in run("enterprise", "submit", made["id"], status=2)
    for kind in DocumentKind:
        run("enterprise", "document", made["id"], str(licence), "--kind", kind)
    wrong = tmp_path / "licence.txt"
    wrong.write_text("a licence")
    assert "must be application/pdf" in run(
        "enterprise", "document", made["id"], str(wrong), "--kind", "licence", status=2
    )
    run("enterprise", "submit", made["id"])
    (waiting,) = json.loads(run("review", "list", "--json"))
    assert (waiting["kind"], waiting["what"]) == ("enterprise", made["id"])
    run("review", "approve", str(waiting["number"]))
    assert json.loads(run("enterprise", "show", made["id"], "--json"))["state"] == "approved"


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
