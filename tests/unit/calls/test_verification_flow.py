"""Codes on the fake Asterisk: what is played, and what isn't."""

from pathlib import Path

import pytest
from unit.calls.support import House

from controller.ari.fake import ANSWERS
from controller.calls.call import Prompt, Verification


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
