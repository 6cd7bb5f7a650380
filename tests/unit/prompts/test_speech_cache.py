import hashlib
import json
import os
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from controller.prompts.speech.cache import SpeechCache


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
def test_given_a_kept_prompt_when_asked_for_then_it_is_there_also_after_a_restart(room: Room) -> None:
    assert room.cache().put("ab1", bytes(8000)) == 1.0
    assert room.cache().seconds("ab1") == 1.0
    assert room.cache().path("ab1").read_bytes() == bytes(8000)
    assert room.cache().seconds("ab2") is None


def test_given_other_ingredients_when_the_key_is_made_then_it_is_another_one(room: Room) -> None:
    assert room.cache().key("a", "bc") != room.cache().key("ab", "c")
    assert room.cache().key("a", "b") == room.cache().key("a", "b")


@pytest.mark.requirement("D3")
def test_D3_given_what_was_said_when_its_name_is_guessed_then_it_takes_the_secret(room: Room) -> None:
    said = ("3", "espeak/1", "zh", "您的余额为十元。")
    name = SpeechCache(room.folder, b"one").key(*said)

    assert name == SpeechCache(room.folder, b"one").key(*said)
    assert name != SpeechCache(room.folder, b"other").key(*said)
    assert name != SpeechCache(room.folder).key(*said)
    assert name != hashlib.sha256(json.dumps(said, ensure_ascii=False).encode()).hexdigest()


@pytest.mark.requirement("D3")
def test_given_too_much_when_more_is_kept_then_what_was_not_used_for_longest_goes(room: Room) -> None:
    cache = room.cache(max_bytes=3500)
    for key in ("aa", "bb", "cc"):
        cache.put(key, bytes(1000))
    assert cache.seconds("aa")
    cache.put("dd", bytes(1000))
    assert [key for key in ("aa", "bb", "cc", "dd") if cache.seconds(key)] == ["aa", "cc", "dd"]


@pytest.mark.requirement("D3")
def test_given_a_pinned_prompt_when_there_is_too_much_or_it_is_old_then_it_stays_until_it_is_let_go(
    room: Room,
) -> None:
    cache = room.cache(max_bytes=2500, max_days=1)
    with cache.pinned(["aa"]), cache.pinned(["aa", "bb"]):
        for key in ("aa", "bb", "cc", "dd"):
            cache.put(key, bytes(1000))
        room.clock.now += 86_500
        cache.purge()
        assert [path.stem for path in sorted(room.folder.glob("*/*"))] == ["aa", "bb"]
    cache.purge()
    assert list(room.folder.glob("*/*")) == []


def test_given_a_prompt_that_nobody_used_for_long_when_purged_then_it_is_gone(room: Room) -> None:
    cache = room.cache(max_days=1)
    cache.put("aa", b"old")
    room.clock.now += 86_500
    cache.put("bb", b"new")
    cache.purge()
    assert [path.stem for path in room.folder.glob("*/*")] == ["bb"]


def test_given_an_empty_file_when_asked_for_then_it_is_a_miss(room: Room) -> None:
    cache = room.cache()
    cache.put("aa", b"sound")
    cache.path("aa").write_bytes(b"")
    assert cache.seconds("aa") is None


def test_given_a_prompt_when_kept_then_asterisk_may_read_it_whoever_it_runs_as(room: Room) -> None:
    before = os.umask(0o022)
    try:
        room.cache().put("aa", b"sound")
    finally:
        os.umask(before)
    path = room.cache().path("aa")
    assert path.suffix == ".alaw"
    assert path.stat().st_mode & 0o777 == 0o644
    assert path.parent.stat().st_mode & 0o777 == 0o755


def test_given_a_failed_write_when_kept_then_no_draft_is_left(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "utime", full)
    with pytest.raises(OSError, match="No space"):
        room.cache().put("aa", b"sound")
    assert not [path for path in room.folder.glob("*/*") if path.is_file()]
