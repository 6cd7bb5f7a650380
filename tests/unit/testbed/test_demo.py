"""`voicecall demo`: its folder is emptied only if a demo made it; what goes wrong is told in a line."""

import asyncio
from io import StringIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from testbed.demo import run
from testbed.demo.run import FolderRefused, fresh_folder, run_demo
from testbed.demo.stage import Refused


def test_given_a_folder_that_a_demo_made_when_made_anew_then_it_is_empty_and_what_it_links_to_stays(
    tmp_path: Path,
) -> None:
    mine, demo = tmp_path / "mine", tmp_path / "demo"
    mine.mkdir()
    (mine / "letter.txt").touch()
    fresh_folder(demo)
    (demo / "phone").mkdir()
    (demo / "phone" / "heard.wav").touch()
    (demo / "link").symlink_to(mine)

    fresh_folder(demo)

    assert not [path for path in demo.iterdir() if not path.name.startswith(".")]
    assert (mine / "letter.txt").exists()


def test_given_a_folder_with_other_files_when_a_demo_wants_it_then_it_is_refused_and_nothing_is_gone(
    tmp_path: Path,
) -> None:
    (tmp_path / "letter.txt").write_text("Dear reader")

    with pytest.raises(FolderRefused, match="holds files that no demo made"):
        fresh_folder(tmp_path)

    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


def test_given_an_empty_folder_when_a_demo_wants_it_then_it_is_the_demos(tmp_path: Path) -> None:
    fresh_folder(tmp_path)
    (tmp_path / "heard.wav").touch()

    fresh_folder(tmp_path)

    assert not (tmp_path / "heard.wav").exists()


def test_given_a_file_when_a_demo_wants_it_as_a_folder_then_it_is_refused(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").touch()

    with pytest.raises(FolderRefused, match="is not a folder"):
        fresh_folder(tmp_path / "letter.txt")


@pytest.mark.parametrize("error", [Refused("no"), TimeoutError(), OSError("no socket")], ids=repr)
async def test_given_a_call_that_fails_when_the_others_still_run_then_one_line_says_so_and_the_status_is_1(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    async def fails(*_what: Any) -> None:
        raise error

    async def goes_on(*_what: Any) -> None:
        await asyncio.Event().wait()

    stage: Any = SimpleNamespace(part=lambda _service: None)
    monkeypatch.setattr(run.verification_part, "verification", fails)
    monkeypatch.setattr(run.notification_part, "notification", goes_on)
    monkeypatch.setattr(run.callback_part, "callback", goes_on)
    monkeypatch.setattr(run, "_demo", lambda _report, directory: run._three_calls(stage, directory))
    shown = StringIO()

    status = await run_demo(Console(file=shown), tmp_path)

    assert status == 1
    assert "The demo could not be completed:" in shown.getvalue()
