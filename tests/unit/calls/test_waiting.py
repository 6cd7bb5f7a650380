"""What A of a callback hears until B answers, whatever B's network sends and however busy Asterisk is."""

import asyncio
import math
from pathlib import Path
from typing import Any

import pytest
from unit.calls.support import SHOWN, House, crowded, until_somebody_waits

from controller.ari.fake import ANSWERS, WAITS, FakePhone
from controller.calls.call import Callback, CalleeMedia, Prompt
from controller.calls.service import Accepted
from controller.calls.timeline import Kind
from controller.phone_number import PhoneNumber

pytestmark = pytest.mark.requirement("A1.3")

B = PhoneNumber("+8613900002222")
WAIT, RINGBACK = "sound:wait", "tone:ring"


async def called_back(house: House, wait: str = WAIT, **plan: Any) -> tuple[Accepted, FakePhone]:
    """A callback whose A has answered and whose B is dialled."""
    house.asterisk.sounds = lambda _medium: math.inf
    house.asterisk.phones = lambda endpoint, _variables: WAITS if B.e164 in endpoint else ANSWERS
    wait_voice = Prompt("wait.wav", wait, 60.0)
    accepted = await house.start(plan=Callback(callee=B, display_number=SHOWN, wait_voice=wait_voice, **plan))
    await house.told.until(accepted.session_id, Kind.CALLOUT, 2)
    if wait == WAIT:
        await heard(house, WAIT)
    return accepted, house.asterisk.phone(f"{accepted.session_id.partition('@')[0]}.b")


def hears(house: House) -> set[str]:
    """What is played to A now."""
    return {
        medium for playback in house.asterisk._switch.media.playbacks.values() for medium in playback.media
    }


async def heard(house: House, *media: str) -> None:
    """Wait until A hears this and nothing else."""
    await house.asterisk.until(lambda: hears(house) == set(media))


async def test_given_early_media_when_b_rings_afterwards_then_a_goes_on_hearing_it(house: House) -> None:
    _accepted, b = await called_back(house)
    b.progress()
    await heard(house)
    b.ring()
    await asyncio.sleep(0.2)

    assert hears(house) == set()


async def test_given_a_180_with_sound_when_b_rings_then_it_takes_the_place_of_ringback(house: House) -> None:
    _accepted, b = await called_back(house)
    b.ring()
    await heard(house, RINGBACK)
    b.channel.sounds_since = asyncio.get_running_loop().time()

    await heard(house)


async def test_given_early_media_that_is_no_rtp_when_it_is_announced_then_a_hears_it(house: House) -> None:
    house.asterisk.faults.answer("channels.rtpstatistics", 403, "Unsupported channel type", times=100)
    _accepted, b = await called_back(house)
    b.progress()

    await heard(house)


async def test_given_a_183_without_sound_when_b_answers_at_once_then_nobody_waits_for_sound(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("controller.calls.leg._SOUND_PAUSES", {True: (0.0, 10.0), False: (10.0,)})
    accepted, b = await called_back(house)
    b.progress()
    b.answer()
    # An answer brings sound as well: who looks for it would find it.
    b.channel.sounds_since = None

    await house.told.until(accepted.session_id, Kind.ANSWER, 2, limit=3)
    await heard(house)


async def test_given_an_asterisk_that_is_busy_when_b_rings_and_answers_then_a_hears_b_alone(
    house: House,
) -> None:
    accepted, b = await called_back(house)
    async with crowded(house):
        b.ring()
        await until_somebody_waits(house)
        b.answer()
        await house.told.until(accepted.session_id, Kind.ANSWER, 2)
    await house.asterisk.until(lambda: house.asked.count("bridges.addChannel") == 3)

    assert hears(house) == set()


@pytest.mark.parametrize("lost", [1, 2])
async def test_given_a_stop_that_asterisk_loses_when_b_answers_then_ringback_does_not_go_on_into_the_talk(
    house: House, lost: int
) -> None:
    accepted, b = await called_back(house)
    b.ring()
    await heard(house, RINGBACK)
    house.asterisk.faults.answer("playbacks.stop", 404, times=lost)
    b.answer()

    await house.told.until(accepted.session_id, Kind.ANSWER, 2)
    await heard(house)


@pytest.mark.parametrize("media", ["none", "fail", "all"])
async def test_given_a_wait_sound_that_is_gone_when_b_rings_then_a_hears_ringback(
    house: House, tmp_path: Path, media: str
) -> None:
    gone = f"sound:{tmp_path / 'gone'}"
    accepted, b = await called_back(house, gone, callee_media=CalleeMedia(media))
    b.ring()
    await heard(house, RINGBACK)
    b.answer()

    await house.told.until(accepted.session_id, Kind.ANSWER, 2)
    await heard(house)
