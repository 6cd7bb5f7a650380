"""The folder of prompts, which several controllers can share."""

import os
from pathlib import Path

import pytest

from controller.prompts.library import PromptLibrary

AUDIO = b"\xd5" * 8000


def files(library: PromptLibrary) -> list[str]:
    return sorted(path.name for path in library._directory.glob("*/*"))


@pytest.fixture
def library(tmp_path: Path) -> PromptLibrary:
    return PromptLibrary(tmp_path / "prompts")


def test_given_two_controllers_when_they_keep_the_same_at_once_then_both_have_it(
    library: PromptLibrary, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, others = Path.write_bytes, [PromptLibrary(library._directory)]

    def write_bytes(path: Path, data: bytes) -> int:
        written = write(path, data)
        if others:
            others.pop().keep(AUDIO)
        return written

    monkeypatch.setattr(Path, "write_bytes", write_bytes)
    stored = library.keep(AUDIO)
    assert not others
    assert library.audio(stored.digest) == AUDIO
    assert files(library) == [f"{stored.digest}.alaw"]


def test_given_a_disk_that_is_full_when_a_prompt_is_kept_then_nothing_is_left_of_it(
    library: PromptLibrary, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, _data: bytes) -> int:
        path.touch()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="No space"):
        library.keep(AUDIO)
    assert files(library) == []


def test_given_drafts_that_a_kill_left_behind_when_swept_then_those_of_long_ago_go(
    library: PromptLibrary,
) -> None:
    stored = library.keep(AUDIO)
    folder = Path(library.file(stored.digest)).parent
    for name, at in (("old", 1000), ("young", 5000)):
        draft = folder / f"{name}.0123.draft"
        draft.write_bytes(b"half")
        os.utime(draft, (at, at))
    library.sweep(lambda _digest: True, now=5000, grace=3600)
    assert files(library) == sorted([f"{stored.digest}.alaw", "young.0123.draft"])


def test_given_what_another_controller_removes_meanwhile_when_swept_then_the_rest_is_done(
    library: PromptLibrary,
) -> None:
    first, *others = (library.keep(bytes([number]) * 8000).digest for number in range(3))
    library.sweep(lambda _digest: False, now=1e10, grace=10)

    def is_needed(digest: str) -> bool:
        if digest == first:
            for suffix in (".alaw", ".unused"):
                Path(f"{library.file(digest)}{suffix}").unlink()
        return False

    gone = library.sweep(is_needed, now=1e10 + 20, grace=10)
    assert sorted(gone) == sorted(others)
    assert files(library) == []


def test_given_a_draft_that_became_a_prompt_when_others_are_forgotten_then_that_is_fine(
    library: PromptLibrary, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = library.keep(AUDIO)
    folder = Path(library.file(stored.digest)).parent
    seen = [folder / "gone.0123.draft", Path(f"{library.file(stored.digest)}.alaw")]
    monkeypatch.setattr(Path, "glob", lambda _folder, _pattern: seen)
    library.keep_only([], before=1e10)
    assert not seen[1].exists()
