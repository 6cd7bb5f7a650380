"""The secret before the present one in the declaration: from the file to the directory, every fault named."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from controller.accounts.changes import Change
from controller.accounts.declaration import DeclarationError, apply, read_declaration
from controller.accounts.directory import Application, directory_of
from controller.store.database import Database
from controller.store.directory import read_directory

APP = """
[[accounts]]
id = "acme"

[[accounts.apps]]
key = "app"
secret = "new secret"
service = "notification"
"""
RENEWED = APP + 'previous_secret = { secret = "old secret", until = 2030-01-02T08:00:00+08:00 }\n'
UNTIL = datetime(2030, 1, 2, tzinfo=UTC)


async def applied(database: Database, tmp_path: Path, *texts: str) -> tuple[list[list[Change]], Application]:
    changes = []
    for text in texts:
        (tmp_path / "d.toml").write_text(text, "utf-8")
        declared = read_declaration(tmp_path / "d.toml")
        changes.append(await database.write(lambda session: apply(session, declared, [])))  # noqa: B023
    return changes, directory_of(await database.read(read_directory)).applications["app"]


@pytest.mark.requirement("C3")
async def test_C3_given_a_previous_secret_when_declared_twice_then_it_is_good_until_then_and_nothing_changes(
    database: Database, tmp_path: Path
) -> None:
    (_first, second), app = await applied(database, tmp_path, RENEWED, RENEWED)

    assert {change.what for change in second} == {"unchanged"}
    assert app.secrets(UNTIL - timedelta(seconds=1)) == ("new secret", "old secret")
    assert app.secrets(UNTIL) == ("new secret",)


@pytest.mark.requirement("C3")
async def test_C3_given_a_previous_secret_when_it_is_no_longer_declared_then_it_is_gone(
    database: Database, tmp_path: Path
) -> None:
    _changes, app = await applied(database, tmp_path, RENEWED, APP)

    assert app.secrets(UNTIL - timedelta(seconds=1)) == ("new secret",)


FAULTS = {
    '{ secret = "old secret" }': "accounts.0.apps.0.previous_secret.until is missing",
    '{ secret = "short", until = 2030-01-02T00:00:00Z }': "previous_secret.secret must have at least 8",
    '{ secret = "old secret", until = 2030-01-02T00:00:00 }': "previous_secret.until must have a time zone",
    '{ secret = "old secret", until = 2030-01-02 }': "previous_secret.until must have a time zone",
    '{ secret = "old secret", until = "soon" }': "previous_secret.until must be a date and a time",
    '"old secret"': "previous_secret must be a table",
}


@pytest.mark.requirement("C3")
@pytest.mark.parametrize("value", FAULTS)
def test_C3_given_a_faulty_previous_secret_when_declared_then_place_and_fault_are_named_and_no_secret(
    tmp_path: Path, value: str
) -> None:
    (tmp_path / "d.toml").write_text(f"{APP}previous_secret = {value}\n", "utf-8")

    with pytest.raises(DeclarationError) as caught:
        read_declaration(tmp_path / "d.toml")

    assert FAULTS[value] in str(caught.value)
    assert "old secret" not in str(caught.value)
