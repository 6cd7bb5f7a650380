"""A verification code: what comes before it, the code digit by digit, what comes after."""

import asyncio
import secrets
from pathlib import Path

from controller.prompts import wav
from controller.prompts.reading import Language
from testbed.client import CALLVERIFY
from testbed.demo.stage import SHOWN, VERIFIED, Part, sound
from testbed.ear import edits
from testbed.listening import Audio, find, load_wav, sound_stretches
from testbed.softphone_plan import Answer

_DIGIT_HEARD_AT_LEAST = 0.9
_MISHEARD_AT_MOST = 1
"""Digits: the small recogniser is not as good as a person."""

PLAN = Answer(after=0.3)

_DIGITS = 6


GOODBYE = "goodbye.wav"


def write_goodbye(directory: Path) -> Path:
    """A sound file of the account's own, in `directory`: the last words of the shipped ending."""
    file = sound("code_outro")
    begin = sound_stretches(load_wav(file))[-1].start - 0.1
    alaw = wav.read(file.read_bytes())[round(begin * wav.RATE) :]
    path = directory / GOODBYE
    path.write_bytes(wav.write(alaw))
    return path


def _code() -> str:
    """Digits without one twice in a row: the recogniser writes most doubled syllables once."""
    code = secrets.choice("0123456789")
    while len(code) < _DIGITS:
        code += secrets.choice([digit for digit in "0123456789" if digit != code[-1]])
    return code


async def verification(part: Part, directory: Path) -> None:
    """The call and what must have come of it. Raises Refused."""
    code = _code()
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
    introduction, ending = load_wav(sound("code_intro")), load_wav(directory / GOODBYE)
    begin = find(introduction, recording).offset + introduction.seconds
    spoken = recording.part(begin, find(ending, recording).offset)
    understood, (statuses, _record) = await asyncio.gather(_understood(part, spoken), part.pushed())
    part.check_order(statuses, "callout alerting answer disconnect")
    part.check_heard("the introduction was heard", sound("code_intro"), heard)
    part.check_heard("the ending was heard", directory / GOODBYE, heard)
    found = [find(load_wav(sound(f"digit_{digit}")), spoken) for digit in code]
    worst = min(match.correlation for match in found)
    part.check(
        "each digit of the code was heard",
        worst >= _DIGIT_HEARD_AT_LEAST and len(sound_stretches(spoken)) >= 2,
        f"correlation {worst:.3f} at least",
    )
    wrong = edits(list(understood), list(code))
    right = f"{_DIGITS - wrong} of {_DIGITS} digits"
    part.check("the code was understood", wrong <= _MISHEARD_AT_MOST, right)


async def _understood(part: Part, spoken: Audio) -> str:
    ear = await part.stage.ear
    return await asyncio.to_thread(ear.hear_digits_in, spoken.samples, Language.CHINESE)
