"""`voicecall billing`, `stop-calls` and `resume-calls` on a database of their own."""

import csv
import getpass
import io
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from engine import copy_database, database_at
from service.billing.support import Made, add_calls
from sqlmodel import Session
from typer.testing import CliRunner
from unit.calls.support import ACCOUNT

from controller.billing.prices import OwnTariff, set_price
from controller.cli import app
from controller.rules.amounts import from_units
from controller.store.engines import make_engine
from controller.store.tables import Account

pytestmark = pytest.mark.requirement("C8", "C9")
Run = Callable[..., str]


@pytest.fixture
def run(template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command on a database with a prepaid account that has had a call of two minutes an hour ago."""
    copy_database(template, tmp_path / "voicecall.db")
    engine = make_engine(database_at(tmp_path / "voicecall.db"))
    now = datetime.now(UTC)
    with Session(engine) as session, session.begin():
        set_price(session, None, OwnTariff(from_units(1800), from_units(0)), now - timedelta(days=2))
        session.get_one(Account, ACCOUNT).prepaid = True
        add_calls(session, [Made("c1", now - timedelta(hours=1), first=61)])
    engine.dispose()
    monkeypatch.setenv("VOICECALL_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("VOICECALL_DATABASE__URL", database_at(tmp_path / "voicecall.db"))
    monkeypatch.chdir(tmp_path)

    def call(*words: str, status: int = 0) -> str:
        result = CliRunner().invoke(app, words)
        assert result.exit_code == status, result.output
        return result.output

    return call


def trail(run: Run) -> list[dict[str, Any]]:
    """What the audit trail says of commands."""
    entries = [json.loads(line) for line in run("audit", "export").splitlines()]
    return [entry for entry in entries if entry["address"] == "command"]


def months() -> list[str]:
    """This month and, as the call was an hour ago, perhaps the one before."""
    now = datetime.now(UTC) + timedelta(hours=8)
    return sorted({f"{now:%Y-%m}", f"{now - timedelta(hours=1):%Y-%m}"})


def test_C8_given_a_payment_when_posted_settled_and_corrected_then_tables_and_json_say_what_is_left(
    run: Run,
) -> None:
    assert "posted; the balance is 10.00 CNY" in run(
        "billing", "top-up", ACCOUNT, "10", "--reference", "INV-1"
    )
    assert "was posted before" in run("billing", "top-up", ACCOUNT, "10", "--reference", "INV-1")
    assert run("billing", "settle") == "1 calls rated, 1 accounts charged; rent of 0 numbers charged\n"
    assert run("billing", "settle") == "0 calls rated, 0 accounts charged; rent of 0 numbers charged\n"
    assert "9.74" in run("billing", "correct", ACCOUNT, "--text", "a gift", "--", "0.1")
    assert "9.24" in run("billing", "correct", ACCOUNT, "--text", "an error", "--", "-0.5")

    [account] = json.loads(run("billing", "balances", "--json"))
    assert (account["balance"], account["prepaid"], account["held"]) == ("9.24", True, [])
    entries = json.loads(run("billing", "entries", ACCOUNT, "--json"))
    assert [entry["kind"] for entry in entries] == ["correction", "correction", "calls", "top-up"]
    assert "9.24" in run("billing", "balances")
    last = list(csv.DictReader(io.StringIO(run("billing", "statement", ACCOUNT, months()[-1]))))[-1]
    assert last["balance"] == "9.24"
    calls = "".join(run("billing", "statement", ACCOUNT, month, "--calls") for month in months())
    assert "c1,app-1,notification,1,61,2,0.18,0.36" in calls
    [usage] = json.loads(run("billing", "usage", ACCOUNT, "--json"))
    assert (usage["calls"], usage["minutes"], usage["amount"]) == (1, 2, "0.36")


def test_C8_given_an_account_that_is_used_up_when_looked_at_then_holds_and_alarms_say_so(run: Run) -> None:
    run("billing", "settle")

    assert json.loads(run("billing", "holds", "--json"))[0]["reason"] == "exhausted"
    assert [alarm["alarm"] for alarm in json.loads(run("billing", "alarms", "--json"))] == ["frozen"]
    run("billing", "top-up", ACCOUNT, "1")
    assert run("billing", "holds") == "nothing\n"


def test_C9_given_commands_that_move_money_or_stop_calls_when_given_then_the_audit_trail_has_each(
    run: Run,
) -> None:
    run("billing", "top-up", ACCOUNT, "10", "--reference", "INV-1")
    run("billing", "top-up", ACCOUNT, "10", "--reference", "INV-1")  # changes nothing
    run("billing", "correct", ACCOUNT, "--text", "an error", "--", "-0.5")
    run("billing", "set-price", ACCOUNT, "--minute", "0.15")
    run("stop-calls", "--account", ACCOUNT, "--text", "stolen")
    run("resume-calls", "--account", ACCOUNT)
    run("stop-calls", "--hang-up")

    said = trail(run)
    assert [(entry["action"], entry["kind"], entry["account_id"]) for entry in said] == [
        ("create_top_up", "transfer", ACCOUNT),
        ("create_correction", "transfer", ACCOUNT),
        ("create_price", "price", ACCOUNT),
        ("stop_account_calls", "kill switch", ACCOUNT),
        ("resume_account_calls", "kill switch", ACCOUNT),
        ("stop_all_calls", "kill switch", None),
    ]
    assert (said[0]["after"]["amount"], said[1]["after"]["amount"]) == ("10.00", "0.50")
    assert said[2]["after"]["minute_price"] == "0.15"
    assert [hold["note"] for hold in said[4]["before"]["items"] if hold["reason"] == "stopped"] == ["stolen"]
    assert said[-1]["after"]["items"][0]["ends_calls"] is True
    assert {entry["login"] for entry in said} == {getpass.getuser()}
    assert "none changed" in run("audit", "verify")


def test_C8_given_a_declared_number_when_applied_or_settled_then_its_rent_is_charged_once(
    run: Run, tmp_path: Path
) -> None:
    run("billing", "set-price", ACCOUNT, "--number", "25")
    declared = f'[[accounts]]\nid = "{ACCOUNT}"\nprepaid = true\nnumber_price = "25"\n'
    (tmp_path / "numbers.toml").write_text(declared + 'numbers = ["+8657126880077"]\n')

    run("apply", "numbers.toml")
    assert "rent of 0 numbers charged" in run("billing", "settle")
    run("apply", "numbers.toml")

    entries = json.loads(run("billing", "entries", ACCOUNT, "--json"))
    assert [(entry["kind"], entry["amount"]) for entry in entries if entry["kind"] == "rent"] == [
        ("rent", "25.00")
    ]


def test_C8_given_the_kill_switch_when_pulled_and_taken_back_then_the_database_has_it(run: Run) -> None:
    assert run("stop-calls", "--account", ACCOUNT, "--text", "stolen") == f"{ACCOUNT}'s calls are stopped\n"
    assert "already" in run("stop-calls", "--account", ACCOUNT)
    run("stop-calls", "--hang-up")

    held = json.loads(run("billing", "holds", "--json"))
    assert [(hold["account"], hold["ends_calls"]) for hold in held] == [("everybody", True), (ACCOUNT, False)]
    run("resume-calls", "--account", ACCOUNT)
    run("resume-calls")
    assert "are not stopped" in run("resume-calls", status=2)
    assert run("billing", "holds") == "nothing\n"


def test_C8_given_prices_of_an_account_when_set_then_they_are_listed_with_those_to_come(run: Run) -> None:
    assert run("billing", "set-price", ACCOUNT, "--minute", "0.15") == "changed\n"
    assert run("billing", "set-price", ACCOUNT, "--minute", "0.15") == "unchanged\n"
    run("billing", "set-price", ACCOUNT, "--number", "25", "--from", "2099-01-01")

    listed = json.loads(run("billing", "prices", "--json"))
    assert [(price["account"], price["minute_price"], price["number_price"]) for price in listed] == [
        (None, "0.18", "0.00"),
        (ACCOUNT, "0.15", None),
        (ACCOUNT, None, "25.00"),
    ]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("billing", "top-up", ACCOUNT, "0"), "AMOUNT must be more than 0"),
        (("billing", "top-up", ACCOUNT, "ten"), "AMOUNT must be an amount"),
        (("billing", "top-up", "nobody", "1"), "there is no account nobody"),
        (("billing", "correct", ACCOUNT, "1", "--text", " "), "must say what it is for"),
        (("billing", "set-price", ACCOUNT, "--minute", "-1"), "--minute must not be negative"),
        (("billing", "set-price", ACCOUNT, "--minute", "1", "--from", "2020-01-01"), "in the past"),
        (("billing", "statement", ACCOUNT, "November"), "is not a month"),
        (("stop-calls", "--account", "nobody"), "there is no account nobody"),
    ],
)
def test_C8_given_a_faulty_command_when_run_then_one_line_says_what_is_wrong(
    run: Run, words: tuple[str, ...], said: str
) -> None:
    output = run(*words, status=2)

    assert said in output
    assert "Traceback" not in output
