"""The first administrator."""

import asyncio
import stat
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import typer
from engine import copy_database, database_at
from pydantic import SecretStr
from sqlmodel import Session, select

from controller.cli import tell_first_administrator
from controller.clock import SystemClock
from controller.management.first_run import first_administrator
from controller.management.passwords import Passwords
from controller.settings import ManagementSettings, Settings
from controller.store.database import Database
from controller.store.management_tables import AuditEntry, User

pytestmark = pytest.mark.requirement("C1")


def users(session: Session) -> list[User]:
    return list(session.exec(select(User)))


@pytest.fixture
def url(tmp_path: Path, template: Path) -> str:
    copy_database(template, tmp_path / "t.db")
    return database_at(tmp_path / "t.db")


async def test_C1_given_no_user_when_started_then_an_administrator_with_a_random_password(url: str) -> None:
    async with Database(url) as database:
        made = await first_administrator(database, ManagementSettings(), SystemClock())
        again = await first_administrator(database, ManagementSettings(), SystemClock())
        (user,) = await database.read(users)
        (entry,) = await database.read(lambda session: list(session.exec(select(AuditEntry))))

    assert made is not None
    assert made.password is not None
    assert again is None
    assert (user.login, user.role, user.account_id) == ("admin", "administrator", None)
    assert await Passwords().matches(user.password_hash, made.password)
    assert (entry.action, entry.target) == ("first_run", user.id)


async def test_C1_given_two_controllers_when_started_at_once_then_one_administrator(url: str) -> None:
    async with Database(url) as one, Database(url) as other:
        made = await asyncio.gather(
            *(first_administrator(it, ManagementSettings(), SystemClock()) for it in (one, other))
        )
        assert len(await one.read(users)) == 1

    assert sorted(it is None for it in made) == [False, True]


async def test_C1_given_a_password_that_was_set_when_started_then_it_is_that_one_and_not_shown(
    url: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    settings = ManagementSettings(
        administrator="root", administrator_password=SecretStr("set for automation")
    )
    async with Database(url) as database:
        await tell(database, settings, tmp_path)
        (user,) = await database.read(users)

    assert user.login == "root"
    assert await Passwords().matches(user.password_hash, "set for automation")
    assert capsys.readouterr() == ("", "")


async def test_C1_given_a_password_that_anybody_would_try_when_started_then_nothing_is_made_and_it_says_why(
    url: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    settings = ManagementSettings(administrator_password=SecretStr("Voicecall2026!"))
    async with Database(url) as database:
        with pytest.raises(typer.Exit):
            await tell(database, settings, tmp_path)
        assert await database.read(users) == []

    said = capsys.readouterr().err
    assert "management.administrator_password must have at least 8 characters beside words" in said
    assert "Voicecall2026!" not in said


async def tell(database: Database, management: ManagementSettings, folder: Path) -> None:
    settings = Settings(data_dir=folder, management=management)
    controller = SimpleNamespace(database=database, settings=settings, url="http://127.0.0.1:8080")
    await tell_first_administrator(controller)  # type: ignore[arg-type]


async def test_C1_given_a_terminal_when_started_then_the_password_is_shown_once(
    url: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    async with Database(url) as database:
        await tell(database, ManagementSettings(), tmp_path)
        shown = capsys.readouterr().err
        await tell(database, ManagementSettings(), tmp_path)
        (user,) = await database.read(users)

    password = shown.partition("password ")[2].split()[0]
    assert await Passwords().matches(user.password_hash, password)
    assert capsys.readouterr().err == ""
    assert not (tmp_path / "administrator-password").exists()


async def test_C1_given_no_terminal_when_started_then_the_password_is_in_a_private_file_and_in_no_log(
    url: str, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    caplog.set_level("INFO")
    async with Database(url) as database:
        await tell(database, ManagementSettings(), tmp_path)
        (user,) = await database.read(users)

    file = tmp_path / "administrator-password"
    password = file.read_text().strip()
    assert await Passwords().matches(user.password_hash, password)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    said = caplog.text
    assert str(file) in said
    assert password not in said
    assert capsys.readouterr().err == ""
