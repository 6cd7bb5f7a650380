"""The directory of a running controller, as the database changes."""

import asyncio
from typing import Any

import pytest

from controller.accounts.directory import Directory, LiveDirectory
from controller.store.database import Database
from controller.store.directory import count_change, read_directory
from controller.store.tables import Account, Trunk


async def ignored(_directory: Directory) -> None:
    """Nobody acts on changes here."""


async def add_account(database: Database, name: str) -> None:
    def add(session: Any) -> None:
        session.add(Account(id=name))
        count_change(session)

    await database.write(add)


async def test_given_a_slow_refresh_when_a_newer_one_overtakes_it_then_the_newer_stays_in_force(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    live = LiveDirectory(database, ignored)
    has_read, overtaken = asyncio.Event(), asyncio.Event()
    read = database.read

    async def slow_once(work: Any) -> Any:
        result = await read(work)
        if work is read_directory and not has_read.is_set():
            has_read.set()
            await overtaken.wait()
        return result

    monkeypatch.setattr(database, "read", slow_once)
    await add_account(database, "first")
    slow = asyncio.create_task(live.refresh())
    await has_read.wait()
    await add_account(database, "second")
    await live.refresh()
    overtaken.set()
    await slow

    assert set(live.now.accounts) == {"first", "second"}


async def test_given_a_change_that_takes_its_time_when_refreshed_again_then_that_waits_for_it(
    database: Database,
) -> None:
    begun, goes_on = asyncio.Event(), asyncio.Event()
    in_force: list[set[str]] = []

    async def change(directory: Directory) -> None:
        begun.set()
        await goes_on.wait()
        in_force.append(set(directory.accounts))

    live = LiveDirectory(database, change)
    await add_account(database, "first")
    noticed = asyncio.create_task(live.refresh())
    await begun.wait()

    async def ask() -> list[set[str]]:
        await live.refresh()
        return list(in_force)

    asked = asyncio.create_task(ask())
    # It has seen that there is nothing new as soon as another read, asked for later, is done.
    await database.read(read_directory)
    await asyncio.sleep(0)
    goes_on.set()

    assert await asked == [{"first"}]
    await noticed


@pytest.mark.requirement("E1")
async def test_given_a_trunk_that_other_rules_let_in_when_read_then_the_rest_is_in_force(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    def add(session: Any) -> None:
        session.add(Trunk(name="broken", host="sip.carrier.example:5070"))
        session.add(Trunk(name="sound", host="192.0.2.7"))
        count_change(session)

    await database.write(add)
    live = LiveDirectory(database, ignored)

    await live.refresh()

    assert [trunk.name for trunk in live.now.trunks] == ["sound"]
    assert "A trunk can't be used" in caplog.text
