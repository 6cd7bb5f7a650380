"""A verification code: what comes before it, the code digit by digit, what comes after."""

import secrets
from pathlib import Path

from controller.prompts import wav
from testbed.client import CALLVERIFY
from testbed.demo.stage import SHOWN, VERIFIED, Part, sound
from testbed.listening import Audio, Match, find, load_wav, sequence, sound_stretches
from testbed.softphone_plan import Answer

PLAN = Answer(after=0.1)

_LENGTH = 6
_DIGITS = {digit: sound(f"digit_{digit}") for digit in "0123456789"}

GOODBYE = "goodbye.wav"


def write_goodbye(directory: Path) -> Path:
    """A sound file of the account's own, in `directory`: the last words of the shipped ending."""
    file = sound("code_outro")
    begin = sound_stretches(load_wav(file))[-1].start - 0.1
    alaw = wav.read(file.read_bytes())[round(begin * wav.RATE) :]
    path = directory / GOODBYE
    path.write_bytes(wav.write(alaw))
    return path


def code_heard(recording: Audio) -> list[tuple[str, Match]]:
    """The digits after the shipped introduction, each with how well it fits.

    The code is made of recordings: these tell exactly which were heard, where a recogniser mishears some.
    """
    introduction = load_wav(sound("code_intro"))
    spoken = recording.part(max(0.0, find(introduction, recording).offset + introduction.seconds))
    return sequence({digit: load_wav(file) for digit, file in _DIGITS.items()}, spoken)


async def verification(part: Part, directory: Path) -> None:
    """The call and what must have come of it. Raises Refused."""
    code = "".join(secrets.choice(list(_DIGITS)) for _ in range(_LENGTH))
    await part.ask(
        CALLVERIFY,
        {
            "displayNbr": SHOWN,
            "calleeNbr": VERIFIED,
            "languageType": 2,
            "preTone": "code_intro.wav",
            "verifyCode": code,
            "posTone": GOODBYE,
            "times": 1,
        },
    )
    call = await part.rings(VERIFIED)
    await part.answers(call)
    heard = await part.ends(call)
    recording = load_wav(heard)
    before_ending = recording.part(0.0, find(load_wav(directory / GOODBYE), recording).offset)
    statuses, _record = await part.pushed()
    part.check_order(statuses, "callout alerting answer disconnect")
    part.check_heard("the introduction was heard", sound("code_intro"), heard)
    part.check_heard("the ending was heard", directory / GOODBYE, heard)
    digits = code_heard(before_ending)
    worst = min((match.correlation for _, match in digits), default=0.0)
    part.check(
        "the code was heard, digit by digit",
        "".join(digit for digit, _ in digits) == code,
        f"{len(digits)} digits, correlation {worst:.3f} at least with their sources",
    )
