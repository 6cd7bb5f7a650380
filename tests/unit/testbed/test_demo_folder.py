"""The folder of `voicecall demo`: emptied only if a demo made it."""

from pathlib import Path

import pytest

from testbed.demo.run import FolderRefused, fresh_folder


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
