"""`voicecall calls` on a database of its own."""

import asyncio
import csv
import io
from datetime import timedelta
from pathlib import Path

import pytest
from engine import database_at
from service.details.support import NOW, desk
from typer.testing import CliRunner

from controller.cli import app
from controller.details import calls_csv

pytestmark = pytest.mark.requirement("B4")

COUNT = 7


def run(folder: Path, *words: str, status: int = 0) -> str:
    environment = {
        "VOICECALL_DATA_DIR": str(folder),
        "VOICECALL_DATABASE__URL": database_at(folder / "calls.db"),
    }
    result = CliRunner().invoke(app, ["calls", *words], env=environment)
    assert result.exit_code == status, result.output
    return result.output


@pytest.fixture
def platform(tmp_path: Path) -> Path:
    """One with some calls, each of which is another second's."""

    async def fill() -> None:
        async with desk(tmp_path) as calls:
            for number in range(COUNT):
                await calls.ended(NOW + timedelta(seconds=number), id=f"1200_{number}_1", state_code=8102)

    asyncio.run(fill())
    return tmp_path


def ids(text: str) -> list[str]:
    return [row["call_id"] for row in csv.DictReader(io.StringIO(text))]


@pytest.mark.parametrize(
    ("words", "count"), [((), COUNT), (("--limit", "5"), 5), (("--limit", "2"), 2), (("--result", "0"), 0)]
)
def test_B4_given_calls_when_asked_for_as_csv_then_all_that_are_found_or_the_newest_of_them(
    platform: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], count: int
) -> None:
    monkeypatch.setattr(calls_csv, "MOST", 2)

    said = run(platform, "--csv", *words)

    assert ids(said) == [f"1200_{number}_1" for number in range(COUNT)][::-1][:count]
    assert said.splitlines()[0] == ",".join(calls_csv.COLUMNS)


def test_B4_given_csv_and_json_when_asked_for_at_once_then_it_is_refused(tmp_path: Path) -> None:
    assert "--csv goes with neither" in run(tmp_path, "--csv", "--json", status=2)


def test_B4_given_a_wrong_filter_when_asked_for_as_csv_then_its_option_is_named(platform: Path) -> None:
    assert "--callee must have 3 characters" in run(platform, "--csv", "--callee", "1", status=2)
