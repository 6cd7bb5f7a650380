"""`voicecall pushes` and `voicecall cdr` on a database of their own."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from engine import copy_database, database_at
from sqlalchemy import select
from sqlmodel import Session
from typer.testing import CliRunner
from unit.calls.support import ACCOUNT, APP

from controller.cli import app
from controller.store.engines import make_engine
from controller.store.tables import App, Call, Cdr, CdrPush, PushAttempt, PushEndpoint, Service

MOMENT = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)
URL = "http://customer.test/fee"

Run = Callable[..., str]


@pytest.fixture(scope="module")
def template(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("template") / "voicecall.db"
    copy_database(template, path)
    engine = make_engine(database_at(path))
    with Session(engine) as session, session.begin():
        session.add(App(key="app-2", account_id=ACCOUNT, service=Service.NOTIFICATION, secret="12345678"))
        session.flush()
        for number, own_app in ((1, APP), (2, APP), (3, "app-2")):
            call_id, at = f"1200_{number}_1_x", MOMENT + timedelta(hours=number)
            session.add(
                Call(
                    id=call_id,
                    session_id=f"{call_id}@host",
                    account_id=ACCOUNT,
                    app_key=own_app,
                    service="notification",
                    controller="host",
                    node="node1",
                    display_number="+8657126880001",
                    callee="+8613900001111",
                    accepted_at=at,
                    ended_at=at,
                )
            )
            session.flush()
            session.add(Cdr(call_id=call_id, app_key=own_app, ended_at=at, record={}))
            session.flush()
            filed_at = at if number == 1 else None
            session.add(
                CdrPush(call_id=call_id, app_key=own_app, url=f"{URL}?n=1", ended_at=at, filed_at=filed_at)
            )
        for own_app in (APP, "app-2"):
            session.add(
                PushEndpoint(
                    app_key=own_app,
                    url=URL,
                    failing_since=MOMENT,
                    failed_at=MOMENT,
                    failures=7,
                    error="timeout: no answer in 5 s",
                    disabled_at=MOMENT if own_app == APP else None,
                )
            )
        session.add(
            PushAttempt(
                call_id="1200_1_1_x",
                message_id="m",
                app_key=APP,
                url=URL,
                event_type="fee",
                attempt=1,
                at=MOMENT,
                latency_ms=5000,
                failure="timeout",
                error="no answer in 5 s",
            )
        )
    engine.dispose()
    return path


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


@pytest.fixture
def due(tmp_path: Path) -> Callable[[], list[str]]:
    """The calls whose CDRs are due."""

    def read() -> list[str]:
        engine = make_engine(database_at(tmp_path / "voicecall.db"))
        with Session(engine) as session:
            found = [row.call_id for row in session.execute(select(CdrPush)).scalars() if row.due_at]
        engine.dispose()
        return sorted(found)

    return read


@pytest.mark.requirement("B2")
def test_B2_given_undelivered_cdrs_when_listed_then_each_with_its_state(run: Run) -> None:
    lines = run("cdr", "list").splitlines()

    assert [line.split()[0] for line in lines] == ["STATE", "filed", "held", "held"]
    assert "1200_1_1_x" in lines[1]
    assert "1200_3_1_x" in lines[3]
    assert URL in lines[1]
    assert "n=1" not in lines[1]


@pytest.mark.requirement("B2")
@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], ["1200_1_1_x", "1200_2_1_x", "1200_3_1_x"]),
        (["--app", "app-2"], ["1200_3_1_x"]),
        (["--since", "2026-11-24T10:00:00"], ["1200_2_1_x", "1200_3_1_x"]),
        (["--since", "2026-11-25"], []),
        (["--call", "1200_2_1_x@host"], ["1200_2_1_x"]),
    ],
)
def test_B2_given_undelivered_cdrs_when_pushed_by_hand_then_just_those_are_due(
    run: Run, due: Callable[[], list[str]], arguments: list[str], expected: list[str]
) -> None:
    text = run("cdr", "push", *arguments)

    assert due() == expected
    assert text.startswith(f"{len(expected)} CDRs" if expected else "no CDR")


def test_given_a_disabled_endpoint_when_its_cdrs_are_pushed_then_it_is_enabled_and_others_stay(
    run: Run,
) -> None:
    before = run("pushes", "list").splitlines()
    run("cdr", "push", "--call", "1200_2_1_x")
    after = run("pushes", "list").splitlines()

    assert [line.split()[:2] for line in before[1:]] == [["disabled", APP], ["failing", "app-2"]]
    assert [line.split()[:2] for line in after[1:]] == [["failing", "app-2"]]


def test_given_an_endpoint_without_cdrs_when_enabled_then_nothing_is_held_against_it(run: Run) -> None:
    assert URL in run("pushes", "enable", APP)
    assert URL in run("pushes", "enable", "app-2", "--url", f"{URL}?x=1")
    assert run("pushes", "list") == "every endpoint is well\n"
    run("pushes", "enable", APP, status=2)


@pytest.mark.requirement("B2", "C9")
def test_C9_given_cdrs_and_endpoints_when_pushed_and_enabled_then_the_audit_trail_has_it(run: Run) -> None:
    run("cdr", "push", "--app", "app-2")
    run("pushes", "enable", APP)

    said = [json.loads(line) for line in run("audit", "export").splitlines()]
    assert [(entry["action"], entry["target"], entry["account_id"], entry["after"]) for entry in said] == [
        ("push_cdrs_again", "app-2", ACCOUNT, {"cdrs": 1}),
        ("enable_push_endpoints", APP, ACCOUNT, {"urls": [URL]}),
    ]


@pytest.mark.requirement("B4")
def test_B4_given_a_call_when_its_attempts_are_asked_for_then_each_is_a_line(run: Run) -> None:
    lines = run("pushes", "attempts", "1200_1_1_x@host").splitlines()

    assert lines[1].split()[2:6] == ["fee", "1", "5000", "timeout"]
    assert "no attempt" in run("pushes", "attempts", "1200_9_1_x", status=2)


def test_given_no_database_yet_when_asked_then_the_reason_is_named(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VOICECALL_DATA_DIR", str(tmp_path / "empty"))
    monkeypatch.setenv("VOICECALL_DATABASE__URL", database_at(tmp_path / "empty" / "voicecall.db"))

    assert "start the controller once" in run("cdr", "list", status=2)
