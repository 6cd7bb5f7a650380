"""Codes on the fake Asterisk: what is played, and what isn't."""

from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from unit.calls.support import Ended, House, running_house

from controller.ari.fake import ANSWERS, FakeAsterisk
from controller.calls.call import Prompt, Verification
from controller.calls.timeline import Kind


@pytest.mark.requirement("A3.1")
@pytest.mark.parametrize("gone", [0, 1, 2])
async def test_A3_1_given_a_digit_whose_sound_is_gone_when_answered_then_8006_and_no_shorter_code_is_read(
    house: House, tmp_path: Path, gone: int
) -> None:
    house.phone_does(ANSWERS)
    files = [tmp_path / f"digit{number}.alaw" for number in range(3)]
    for file in files:
        file.write_bytes(b"\xd5" * 80)
    files[gone].unlink()
    digits = tuple(Prompt("digit", f"sound:{file.with_suffix('')}") for file in files)
    accepted = await house.start(plan=Verification(Prompt("hello.wav", "sound:hello"), digits, None, 2))
    ended = await house.ended(accepted)

    assert (ended.state_code, ended.cut_point) == (8006, 524)
    assert "channels.play" not in house.asked


LENGTHS = {"hello": 0.1, "one": 0.1, "two": 0.6, "pause": 0.1}
"""Seconds of each; without "two" the rest is over so early that a busy machine leaves no doubt."""


@dataclass
class Far:
    """A house whose node fetches what it plays, and may not get it."""

    house: House
    plan: Verification
    lacks: Callable[[str, int], bool] = lambda _digit, _time: False
    """Takes a digit, and for which time it is to be played."""
    played: Counter[str] = field(default_factory=Counter)

    def sound(self, media: str) -> float | None:
        """As the fake asks for it."""
        digit = media.rpartition("/")[2].removesuffix(".alaw")
        self.played[digit] += 1
        return None if self.lacks(digit, self.played[digit]) else LENGTHS[digit]

    async def read(self) -> Ended:
        """A call that reads the code."""
        return await self.house.ended(await self.house.start(plan=self.plan))


@pytest.fixture
async def far(asterisk: FakeAsterisk, template: Path, tmp_path: Path) -> AsyncIterator[Far]:
    files = [tmp_path / "prompts" / name for name in ("hello", "one", "two", "pause")]
    files[0].parent.mkdir()
    for file in files:
        file.with_suffix(".alaw").write_bytes(b"\xd5" * 800)
    hello, *digits = (Prompt(file.name, f"sound:{file}", LENGTHS[file.name]) for file in files)
    async with running_house(asterisk, template, tmp_path, prompt_url="http://192.0.2.1:8080") as house:
        house.phone_does(ANSWERS)
        made = Far(house, Verification(hello, tuple(digits), None, 1))
        asterisk.sounds = made.sound
        yield made


@pytest.mark.requirement("A3.1", "E2")
async def test_A3_1_given_a_node_that_fetches_when_codes_are_read_then_it_shows_each_digit_once(
    far: Far,
) -> None:
    assert [(await far.read()).state_code for _ in range(3)] == [0, 0, 0]

    assert far.played == {"hello": 4, "one": 4, "two": 4, "pause": 4}


@pytest.mark.requirement("A3.1", "E2")
@pytest.mark.parametrize("missing", ["one", "two"])
async def test_A3_1_given_a_digit_that_the_node_does_not_get_when_asked_then_8006_and_nobody_is_called(
    far: Far, missing: str
) -> None:
    far.lacks = lambda digit, _time: digit == missing

    ended = await far.read()

    assert (ended.state_code, ended.cut_point) == (8006, 524)
    assert Kind.CALLOUT not in ended.kinds


@pytest.mark.requirement("A3.1", "E2")
async def test_A3_1_given_a_digit_that_the_node_has_lost_when_read_then_8006_and_all_is_shown_anew(
    far: Far,
) -> None:
    # The second time is after the first, in which it showed that it has it.
    far.lacks = lambda digit, time: digit == "two" and time == 2

    first = await far.read()
    again = await far.read()

    assert (first.state_code, first.cut_point, again.state_code) == (8006, 524, 0)
    assert Kind.ANSWER in first.kinds
    assert far.played == {"hello": 4, "one": 4, "two": 4, "pause": 4}
