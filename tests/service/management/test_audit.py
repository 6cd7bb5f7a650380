"""The audit trail: who did what, in a chain that shows when somebody touched it."""

import json
from pathlib import Path
from urllib.parse import quote

import pytest
from engine import copy_database, database_at
from service.management.world import ALPHA, BETA, World, tamper, user_id
from sqlalchemy.exc import DBAPIError
from sqlmodel import Session, col, delete, select, update
from typer.testing import CliRunner

from controller.cli import app
from controller.management.roles import Role
from controller.store import audit
from controller.store.management_tables import AuditEntry

pytestmark = pytest.mark.requirement("C1", "C9")


async def some_entries(world: World) -> None:
    read = await world.ask("GET", f"/accounts/{ALPHA}")
    for most in (1, 2, 3):
        read = await world.ask("PATCH", f"/accounts/{ALPHA}", {"max_calls": most}, headers=read.etag)
        assert read.status == 200


async def test_C9_given_a_change_when_made_then_the_trail_says_who_what_whence_before_and_after(
    here: World,
) -> None:
    read = await here.ask("GET", f"/accounts/{ALPHA}")
    done = await here.ask("PATCH", f"/accounts/{ALPHA}", {"max_calls": 9}, headers=read.etag)

    (entry,) = (await here.ask("GET", "/audit")).body["items"]

    assert entry["actor"] == user_id(Role.ADMINISTRATOR, None)
    assert (entry["login"], entry["address"]) == ("administrator@operator", "127.0.0.1")
    assert (entry["action"], entry["kind"], entry["target"]) == ("edit_account", "account", ALPHA)
    assert (entry["account_id"], entry["outcome"]) == (ALPHA, "done")
    assert entry["request_id"] == done.headers["X-Request-Id"]
    assert (entry["before"]["max_calls"], entry["after"]["max_calls"]) == (None, 9)


async def test_C9_given_a_change_that_may_not_be_made_when_tried_then_the_trail_has_it_as_refused(
    here: World,
) -> None:
    await here.ask("POST", "/accounts", {"id": "x"}, role=Role.VIEWER, of=BETA)

    (entry,) = (await here.ask("GET", "/audit", of=BETA)).body["items"]

    assert (entry["action"], entry["outcome"]) == ("create_account", "refused")
    assert entry["login"] == f"viewer@{BETA}"


async def test_C9_given_a_change_that_fails_when_written_then_nothing_of_it_is_in_the_trail(
    here: World,
) -> None:
    await here.ask("POST", "/accounts", {"id": ALPHA})

    assert (await here.ask("GET", "/audit")).body["items"] == []


def test_C9_given_secrets_in_a_thing_when_it_is_written_down_then_they_are_masked() -> None:
    masked = audit._masked_object(
        {
            "app_secret": "x",
            "name": "n",
            "login": {"password": "y"},
            "keys": [{"api_token": "z"}],
            "secret": None,
        }
    )

    assert masked == {
        "app_secret": "***",
        "name": "n",
        "login": {"password": "***"},
        "keys": [{"api_token": "***"}],
        "secret": None,
    }


@pytest.mark.parametrize(
    "statement",
    [
        update(AuditEntry).where(col(AuditEntry.sequence) == 2).values(login="somebody else"),
        delete(AuditEntry).where(col(AuditEntry.sequence) == 2),
    ],
    ids=["changed", "removed"],
)
async def test_C9_given_an_entry_when_it_is_to_be_changed_or_removed_then_the_database_refuses(
    here: World, statement
) -> None:
    await some_entries(here)

    with pytest.raises(DBAPIError, match="append-only"):
        await here.write(lambda session: session.exec(statement))


TAMPERING = {
    "a value": ("UPDATE audit_entry SET login = 'x' WHERE sequence = 2", "entry 2 was changed"),
    "a time": (
        "UPDATE audit_entry SET at = '2026-01-01 00:00:00.000000' WHERE sequence = 2",
        "entry 2 was changed",
    ),
    "what was before": ("UPDATE audit_entry SET before = NULL WHERE sequence = 3", "entry 3 was changed"),
    "an entry in between": ("DELETE FROM audit_entry WHERE sequence = 2", "entry 2 is missing"),
    "the last entry": ("DELETE FROM audit_entry WHERE sequence = 3", "entries after 2 are missing"),
    "the link": (
        f"UPDATE audit_entry SET previous = '{'1' * 64}' WHERE sequence = 2",
        "entry 2 does not follow",
    ),
}


@pytest.mark.parametrize(("tampering", "found"), TAMPERING.values(), ids=TAMPERING.keys())
async def test_C9_given_a_trail_that_was_tampered_with_when_verified_then_it_says_where(
    here: World, tampering: str, found: str
) -> None:
    await some_entries(here)
    assert (await here.ask("GET", "/audit/verification")).body["intact"] is True
    await here.write(lambda session: tamper(session, tampering))

    state = (await here.ask("GET", "/audit/verification")).body

    assert state["intact"] is False
    assert state["fault"].startswith(found)


async def test_C9_given_the_trail_when_listed_then_an_account_sees_its_own_entries_alone(here: World) -> None:
    await some_entries(here)
    await here.ask("POST", "/tokens", {"name": "t", "role": "viewer"}, of=BETA)

    def actions(reply) -> list[str]:
        return [entry["action"] for entry in reply.body["items"]]

    assert actions(await here.ask("GET", "/audit", of=BETA)) == ["create_token"]
    assert actions(await here.ask("GET", "/audit", of=ALPHA)) == ["edit_account"] * 3
    assert len(actions(await here.ask("GET", "/audit"))) == 4
    assert actions(await here.ask("GET", "/audit?action=create_token")) == ["create_token"]
    assert actions(await here.ask("GET", "/audit?until=2026-11-24T07:00:00Z")) == []


@pytest.mark.parametrize(
    "when",
    ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2026-11-26T00:00:00", "2026", "1795714960"],
)
@pytest.mark.parametrize("path", ["/audit", "/calls"])
async def test_C9_given_a_time_that_is_none_or_means_another_when_a_list_is_asked_for_then_422_names_it(
    here: World, path: str, when: str
) -> None:
    reply = await here.ask("GET", f"{path}?until={quote(when)}")

    assert (reply.status, reply.fields) == (422, ["until"])


async def test_C9_given_the_command_when_the_trail_is_exported_and_verified_then_it_can_be_checked_elsewhere(
    here: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await some_entries(here)
    await here.read(lambda session: list(session.exec(select(AuditEntry))))
    monkeypatch.setenv("VOICECALL_DATABASE__URL", database_at(tmp_path / "world.db"))
    runner = CliRunner()

    verified = runner.invoke(app, ["audit", "verify"])
    exported = runner.invoke(app, ["audit", "export"])
    lines = [json.loads(line) for line in exported.stdout.splitlines()]
    expected = runner.invoke(app, ["audit", "verify", "--expect", lines[1]["hash"]])
    unexpected = runner.invoke(app, ["audit", "verify", "--expect", "0" * 64])

    assert verified.stdout.startswith("3 entries, none changed; the last has hash " + lines[-1]["hash"])
    assert [line["previous"] for line in lines[1:]] == [line["hash"] for line in lines[:-1]]
    assert (expected.exit_code, unexpected.exit_code) == (0, 1)


def test_C9_given_more_entries_than_are_read_at_once_when_verified_then_all_are_looked_at(
    tmp_path: Path, template: Path
) -> None:
    from datetime import UTC, datetime

    from controller.store.engines import make_engine

    copy_database(template, tmp_path / "t.db")
    moment = datetime(2026, 11, 24, tzinfo=UTC)
    engine = make_engine(database_at(tmp_path / "t.db"), synchronous="OFF")
    with Session(engine) as session, session.begin():
        for number in range(1200):
            audit.append(session, audit.Deed(moment, f"r{number}", None, "", "", "a", "k", "t"))
        state = audit.verify(session)
    engine.dispose()

    assert (state.entries, state.fault) == (1200, None)
