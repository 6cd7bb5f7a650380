"""This machine's clock beside the database server's."""

import asyncio
import logging
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from engine import engine_name

from controller.doctor import declared
from controller.doctor.finding import Level
from controller.membership.skew import ClockSkew
from controller.settings import DatabaseSettings, Settings
from controller.store.database import Database

pytestmark = pytest.mark.requirement("E2", "E3")


@dataclass
class WrongClock:
    """The machine's, and so many seconds more."""

    more: float = 0.0

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=self.more)


@pytest.mark.engine("postgresql")
async def test_E2_given_a_clock_that_is_off_when_looked_at_then_it_is_known_by_how_much_and_told_once(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    clock = WrongClock()
    skew = ClockSkew(database, clock)
    told = []
    caplog.set_level(logging.INFO, "controller.membership.skew")
    for more in (0.0, 3.0, 3.0, -2.0, 0.0, 0.0):
        clock.more = more
        await skew.look()
        # The server of the tests has this machine's clock.
        assert skew.ahead == pytest.approx(more, abs=0.3)
        told.append([record.levelname for record in caplog.records])
        caplog.clear()

    assert told == [[], ["WARNING"], [], [], ["INFO"], []]


@pytest.mark.engine("postgresql")
async def test_E2_given_a_database_that_cant_be_asked_when_looked_at_then_nothing_is_known(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = asyncio.Event()

    async def away(_work: object) -> None:
        asked.set()
        raise OSError

    skew = ClockSkew(database, WrongClock(3))
    await skew.look()
    monkeypatch.setattr(database, "read", away)
    running = asyncio.create_task(skew.run())
    await asked.wait()

    assert skew.ahead is None
    running.cancel()


@pytest.mark.engine("sqlite")
async def test_E2_given_a_database_of_one_controller_when_clocks_are_looked_at_then_there_is_no_other(
    database: Database,
) -> None:
    skew = ClockSkew(database, WrongClock(3))
    await skew.run()

    assert skew.ahead is None


async def test_E3_given_a_clock_that_is_off_when_the_doctor_looks_then_a_warning_says_so(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(data_dir=tmp_path, database=DatabaseSettings(url=database_url))
    monkeypatch.setattr(declared, "SystemClock", lambda: WrongClock(-7))

    found = await declared.database_clock(settings)

    if engine_name() == "sqlite":
        assert found == []
    else:
        assert [finding.level for finding in found] == [Level.WARNING]
        assert "7.0 s behind it" in found[0].text
