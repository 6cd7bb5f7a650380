import os
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from controller.prompts.speech.cache import SpeechCache, key_of


@dataclass
class Clock:
    now: float = 1_000_000.0

    def __call__(self) -> float:
        self.now += 1
        return self.now


@dataclass
class Room:
    folder: Path
    clock: Clock = field(default_factory=Clock)

    def cache(self, max_bytes: int = 10_000, max_days: float = 30) -> SpeechCache:
        return SpeechCache(self.folder, max_bytes=max_bytes, max_days=max_days, clock=self.clock)


@pytest.fixture
def room(tmp_path: Path) -> Room:
    return Room(tmp_path / "cache")


@pytest.mark.requirement("D3")
def test_given_a_kept_sound_when_asked_for_then_it_is_there_also_after_a_restart(room: Room) -> None:
    room.cache().put("ab1", b"sound")
    assert room.cache().get("ab1") == b"sound"
    assert room.cache().get("ab2") is None


def test_given_other_ingredients_when_the_key_is_made_then_it_is_another_one() -> None:
    assert key_of("a", "bc") != key_of("ab", "c")
    assert key_of("a", "b") == key_of("a", "b")


@pytest.mark.requirement("D3")
def test_given_too_much_when_more_is_kept_then_what_was_not_used_for_longest_goes(room: Room) -> None:
    cache = room.cache(max_bytes=3500)
    for key in ("aa", "bb", "cc"):
        cache.put(key, bytes(1000))
    assert cache.get("aa") == bytes(1000)
    cache.put("dd", bytes(1000))
    assert [key for key in ("aa", "bb", "cc", "dd") if cache.get(key)] == ["aa", "dd"]


def test_given_a_sound_that_nobody_used_for_long_when_asked_for_then_it_is_gone(room: Room) -> None:
    cache = room.cache(max_days=1)
    cache.put("aa", b"old")
    room.clock.now += 86_500
    assert cache.get("aa") is None
    cache.put("bb", b"new")
    assert [path.stem for path in room.folder.glob("*/*")] == ["bb"]


@pytest.mark.parametrize("broken", [b"", b"RIFF", b"nothing like it" * 10])
def test_given_a_broken_file_when_asked_for_then_it_is_a_miss_and_goes(room: Room, broken: bytes) -> None:
    cache = room.cache()
    cache.put("aa", b"sound")
    (path,) = room.folder.glob("*/*.wav")
    path.write_bytes(broken)
    assert cache.get("aa") is None
    assert not path.exists()


def test_given_a_sound_when_kept_then_only_the_owner_may_read_it(room: Room) -> None:
    room.cache().put("aa", b"sound")
    (path,) = room.folder.glob("*/*.wav")
    assert path.stat().st_mode & 0o077 == 0
    assert room.folder.stat().st_mode & 0o077 == 0


def test_given_a_failed_write_when_kept_then_no_draft_is_left(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "utime", full)
    with pytest.raises(OSError, match="No space"):
        room.cache().put("aa", b"sound")
    assert not [path for path in room.folder.glob("*/*") if path.is_file()]
