"""The page on copies: what it says is done beside a controller that writes, and brought back elsewhere."""

import asyncio
import contextlib
import os
import re
import shutil
import textwrap
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from engine import database_at, engine_name
from sqlmodel import Session, col, select

from controller.key_file import load_or_make_key
from controller.settings import DatabaseSettings, Settings
from controller.store.database import Database
from controller.store.errors import DatabaseUnusable
from controller.store.schema import migrate
from controller.store.tables import Account, App
from testbed.postgresql import server_programs

PAGE = Path(__file__).parents[2] / "docs/how-to/back-up.md"
SECRET = "s3cret-APP-0001"


def blocks() -> list[str]:
    found = re.findall(r"^ *```sh\n((?:.*\n)*?) *```$", PAGE.read_text("utf-8"), re.MULTILINE)
    return [textwrap.dedent(block) for block in found]


def house(directory: Path) -> Settings:
    """The settings of a controller whose folder is there."""
    kept = DatabaseSettings()
    if engine_name() == "postgresql":
        kept = DatabaseSettings(url=database_at(directory / "voicecall"))
    return Settings(data_dir=directory / "var", database=kept)


@asynccontextmanager
async def writing(database: Database) -> AsyncIterator[None]:
    """Somebody writes until the end of the block."""

    async def write() -> None:
        for number in range(100_000):
            await database.write(lambda session, name=f"account-{number}": session.add(Account(id=name)))

    task = asyncio.create_task(write())
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def sh(text: str, directory: Path, settings: Settings, **environment: str) -> None:
    if engine_name() == "postgresql":
        environment["DATABASE_URL"] = settings.database_url.replace("+psycopg", "")
        environment["PATH"] = f"{server_programs()}:{os.environ['PATH']}"
    process = await asyncio.create_subprocess_exec(
        *("sh", "-euc", text), cwd=directory, env={**os.environ, **environment}
    )
    assert await asyncio.wait_for(process.wait(), 60) == 0


def secret(session: Session) -> str:
    return session.exec(select(App.secret).where(col(App.key) == "app-1")).one()


@pytest.mark.requirement("E2", "E4")
async def test_E2_given_a_copy_made_beside_somebody_who_writes_when_brought_back_then_its_secrets_are_read(
    tmp_path: Path,
) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    for directory in (old, new):
        directory.mkdir()
    settings = house(old)
    of_sqlite, of_postgresql, _in_containers, restore = blocks()
    await asyncio.to_thread(migrate, settings.database_url)
    load_or_make_key(settings.recording_key)
    settings.recording_dir.mkdir()
    (settings.recording_dir / "talk.wav").write_bytes(b"RIFF")
    async with Database.of(settings) as database, writing(database):
        app = App(key="app-1", account_id="acme", service="notification", secret=SECRET)
        await database.write(lambda session: session.add(Account(id="acme")))
        await database.write(lambda session: session.add(app))
        await sh(of_postgresql if database.shared else of_sqlite, old, settings)

    (copy,) = (old / "backup").iterdir()
    settings = house(new)
    shutil.copytree(copy, settings.data_dir)
    if engine_name() == "postgresql":
        await sh(restore, old, settings, copy=str(copy))
    async with Database.of(settings) as database:
        assert await database.read(secret) == SECRET
    assert settings.recording_key.read_bytes() == (old / "var" / "recording-links.key").read_bytes()
    assert (settings.recording_dir / "talk.wav").read_bytes() == b"RIFF"

    settings.secret_key_file.unlink()
    async with Database.of(settings) as database:
        with pytest.raises(DatabaseUnusable, match=r"bring back the file secrets\.key"):
            await database.read(secret)
