"""`voicecall account`, `user`, `app`, `number`: daily work at the command line, on a database of its own."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from engine import copy_database, database_at
from sqlalchemy import select
from sqlmodel import Session
from typer.testing import CliRunner
from unit.calls.support import ACCOUNT, APP

from controller.cli import app
from controller.management.passwords import Passwords
from controller.management_command import GROUPS
from controller.store.audit import verify
from controller.store.directory import revision
from controller.store.engines import make_engine
from controller.store.management_tables import AuditEntry, User
from controller.store.sealing import seal_of
from controller.store.tables import Account
from controller.store.tables import App as AppRow

pytestmark = pytest.mark.requirement("C9")

NUMBER = "+8657126880055"


class Command:
    """The command, and the database that it works on."""

    def __init__(self, folder: Path) -> None:
        self._database = database_at(folder / "voicecall.db")
        self._key = folder / "secrets.key"

    def run(self, *words: str, sent: str | None = None, status: int = 0) -> str:
        """What it says; on standard error if it fails."""
        result = CliRunner().invoke(app, words, input=sent)
        assert result.exit_code == status, result.output
        return result.stderr if status else result.stdout

    def json(self, *words: str) -> Any:
        return json.loads(self.run(*words, "--json"))

    def read(self, work: Callable[[Session], Any]) -> Any:
        engine = make_engine(self._database, seal=seal_of("", self._key))
        with Session(engine) as session:
            found = work(session)
        engine.dispose()
        return found


@pytest.fixture
def here(template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    copy_database(template, tmp_path / "voicecall.db")
    monkeypatch.setenv("VOICECALL_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("VOICECALL_DATABASE__URL", database_at(tmp_path / "voicecall.db"))
    return Command(tmp_path)


def test_C9_given_an_account_user_number_and_app_when_made_by_command_then_they_are_there_as_by_api(
    here: Command,
) -> None:
    before = here.read(revision)

    account = here.json("account", "create", "--id", "fresh", "--max-apps", "9")
    here.json(
        *("user", "create", "--account-id", "fresh", "--login", "dev", "--role", "developer"),
        *("--password", "correct horse battery"),
    )
    here.json("number", "create", "--account-id", "fresh", "--number", NUMBER)
    number = here.json("number", "allot", NUMBER)
    made = here.json(
        *("app", "create", "--account-id", "fresh", "--name", "Parcels", "--service", "callback"),
        *("--recording", "true", "--ip-whitelist", "192.0.2.0/24", "--ip-whitelist", "198.51.100.7/32"),
    )

    assert (account["max_apps"], number["state"]) == (9, "active")
    assert made["ip_whitelist"] == ["192.0.2.0/24", "198.51.100.7/32"]
    row = here.read(lambda session: session.get_one(AppRow, made["app_key"]))
    assert (row.secret, row.recording, row.account_id) == (made["app_secret"], True, "fresh")
    assert here.read(revision) > before


def test_C9_given_things_when_listed_then_a_table_for_people_and_json_for_programs(here: Command) -> None:
    here.run("account", "create", "--id", "fresh", "--name", "Fresh Ltd")

    table = here.run("account", "list")
    told = here.json("account", "list")
    one = here.run("account", "show", "fresh")

    assert table.splitlines()[0].split()[:3] == ["ID", "NAME", "ACTIVE"]
    assert any(line.split()[:3] == ["fresh", "Fresh", "Ltd"] for line in table.splitlines())
    assert [item["id"] for item in told] == sorted(["fresh", ACCOUNT])
    assert "rules" in told[0]
    assert any(line.split() == ["name", "Fresh", "Ltd"] for line in one.splitlines())


def test_C9_given_more_things_than_a_page_when_listed_then_all_are_there(here: Command) -> None:
    engine = make_engine(here._database)
    with Session(engine) as session, session.begin():
        session.add_all([Account(id=f"many-{number:03}") for number in range(401)])
    engine.dispose()

    assert len(here.json("account", "list")) == 402


def test_C9_given_a_list_with_filters_when_asked_for_then_they_hold(here: Command) -> None:
    assert [item["app_key"] for item in here.json("app", "list", "--active", "true")] == [APP]
    assert here.json("app", "list", "--active", "false") == []
    assert here.run("number", "list", "--state", "released") == "nothing\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("app", "create", "--account-id", ACCOUNT, "--name", "x"), "service is missing"),
        (("account", "edit", ACCOUNT, "--max-apps", "nine"), "max_apps must be an integer"),
        (("account", "edit", ACCOUNT, "--active", "perhaps"), "active must be true or false"),
        (("account", "edit", ACCOUNT, "--rules", '{"hours": ["25:00-26:00"]}'), "rules.hours.0"),
        (("account", "show", "nowhere"), "There is no such thing"),
        (("app", "create", "--account-id", "nowhere", "--name", "x"), "service is missing"),
        (("number", "list", "--account-id", "nowhere"), "There is no such account"),
        (("account", "create", "--id", ACCOUNT), f"There is an account {ACCOUNT} already"),
        (("number", "list", "--state", "lost"), "state must be"),
    ],
)
def test_C9_given_a_fault_when_a_command_is_given_then_it_is_named_and_the_status_is_2(
    here: Command, words: tuple[str, ...], said: str
) -> None:
    assert said in here.run(*words, status=2)
    assert here.read(lambda session: session.execute(select(AuditEntry)).all()) == []


def test_C4_given_a_number_in_use_when_released_by_command_then_it_says_what_uses_it(here: Command) -> None:
    here.run("number", "create", "--account-id", ACCOUNT, "--number", NUMBER)
    here.run("number", "allot", NUMBER)
    here.run("app", "edit", APP, "--bind-number", NUMBER)

    said = here.run("number", "release", NUMBER, status=2)
    here.run("app", "edit", APP, "--bind-number", "null")

    assert f"used by application {APP}" in said
    assert here.json("number", "release", NUMBER)["state"] == "released"


def test_C1_given_a_password_on_standard_input_when_a_user_is_made_then_it_is_theirs(
    here: Command,
) -> None:
    words = ("user", "create", "--login", "li.wei", "--role", "viewer", "--password", "-", "--json")
    made = json.loads(here.run(*words, sent="correct horse battery\n"))

    user = here.read(lambda session: session.get_one(User, made["id"]))
    assert asyncio.run(Passwords().matches(user.password_hash, "correct horse battery"))


def test_C3_given_a_secret_when_renewed_by_command_then_the_old_one_stays_for_the_grace(
    here: Command,
) -> None:
    old = here.read(lambda session: session.get_one(AppRow, APP).secret)

    renewed = here.json("app", "renew-secret", APP, "--grace-hours", "24")

    row = here.read(lambda session: session.get_one(AppRow, APP))
    assert (row.secret, row.previous_secret) == (renewed["app_secret"], old)


@pytest.mark.requirement("C6")
def test_C6_given_a_template_when_written_edited_and_submitted_by_command_then_it_waits_for_its_review(
    here: Command,
) -> None:
    text = "Hello ${TXT_8}, your parcel is here."
    made = here.json("template", "create", "--account-id", ACCOUNT, "--template-id", "parcel", "--text", text)
    before = here.read(revision)
    wrong = here.run("template", "edit", made["id"], "--text", "Hello ${TXT_99}", status=2)
    edited = here.json("template", "edit", made["id"], "--name", "Parcels")
    submitted = here.json("template", "submit", made["id"])
    waiting = here.json("review", "list")
    listed = here.run("template", "list")

    assert (made["state"], edited["name"], edited["text"]) == ("draft", "Parcels", text)
    assert "TXT_99" in wrong
    assert (submitted["state"], submitted["usable"]) == ("submitted", False)
    assert [review["kind"] for review in waiting] == ["template"]
    assert any(line.split()[:2] == [f"{ACCOUNT}:parcel", "Parcels"] for line in listed.splitlines())

    here.run("template", "delete", made["id"])
    assert here.run("template", "list") == "nothing\n"
    assert here.read(revision) > before


@pytest.mark.requirement("C2")
def test_C2_given_a_contact_when_made_replaced_and_deleted_by_command_then_its_secret_is_never_shown(
    here: Command,
) -> None:
    address = "https://example.com/hook"
    words = ("contact", "create", "--account-id", ACCOUNT, "--name", "Li Wei", "--webhook-url", address)
    secret = "whsec_" + "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0"
    made = json.loads(here.run(*words, "--webhook-secret", "-", "--json", sent=f"{secret}\n"))
    replaced = here.json("contact", "replace", made["id"], "--name", "Wang", "--email", "wang@example.com")
    listed = here.run("contact", "list")
    here.run("contact", "delete", made["id"])

    assert made["signed"]
    assert secret not in json.dumps([made, replaced]) + listed
    assert (replaced["name"], replaced["webhook_url"]) == ("Wang", None)
    assert here.json("contact", "list") == here.json("notice", "list") == []


def test_C9_given_changes_by_command_when_the_audit_trail_is_read_then_it_has_them_and_who_gave_it(
    here: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOGNAME", "somebody")
    here.run("account", "edit", ACCOUNT, "--name", "Renamed")

    (entry,) = here.read(lambda session: session.execute(select(AuditEntry)).scalars().all())
    assert (entry.action, entry.target, entry.login, entry.address) == (
        "edit_account",
        ACCOUNT,
        "somebody",
        "command",
    )
    assert entry.after["name"] == "Renamed"
    assert here.read(verify).fault is None


@pytest.mark.parametrize("group", GROUPS)
def test_C9_given_a_group_of_commands_when_help_is_asked_for_then_each_command_has_its_own(
    here: Command, group: str
) -> None:
    assert all(name in here.run(group, "--help") for name in GROUPS[group].commands)
    for name in GROUPS[group].commands:
        assert "--json" in here.run(group, name, "--help")


def test_C9_given_a_database_of_another_version_when_a_command_is_given_then_it_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VOICECALL_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("VOICECALL_DATABASE__URL", database_at(tmp_path / "voicecall.db"))

    result = CliRunner().invoke(app, ["account", "list"])

    assert result.exit_code == 2
    assert "not at the newest schema" in result.stderr


@pytest.mark.requirement("E1")
def test_E1_given_trunks_and_a_route_when_made_by_command_then_the_order_is_kept_and_use_is_told(
    here: Command,
) -> None:
    for name in ("carrier-a", "carrier-b"):
        here.json("trunk", "create", "--name", name, "--host", "192.0.2.7", "--qualify-seconds", "0")
    route = here.json("route", "create", "--prefix", "+44", "--trunks", "carrier-b", "--trunks", "carrier-a")
    refused = here.run("trunk", "delete", "carrier-a", status=2)
    here.run("route", "delete", "+44")
    here.run("trunk", "delete", "carrier-a")

    assert route["trunks"] == ["carrier-b", "carrier-a"]
    assert "used by route +44" in refused
    assert [trunk["name"] for trunk in here.json("trunk", "list")] == ["carrier-b"]
