"""A notification with a spoken template: the phone hears it and presses 1, the digit comes back as a push.

What the phone heard is the very prompt that was synthesised, and a recogniser understands it.
"""

import asyncio
from pathlib import Path

from controller.prompts import wav
from controller.prompts.reading import Language
from testbed.client import CALLNOTIFY
from testbed.demo.stage import NOTIFIED, SHOWN, TEMPLATE_ID, Part
from testbed.ear import share_understood
from testbed.listening import load_wav
from testbed.softphone_plan import Answer, Digits

_PARCEL, _PLACE = "308615", "东门"
_SAID = "您的快递三零八六一五已到东门确认请按一"
_UNDERSTOOD_AT_LEAST = 0.8

_KEY_AFTER = 5.0
"""Seconds: the text, of 4.5 s, is over, and so are not the 5 s in which a key is waited for."""

PLAN = Answer(after=0.3, digits=(Digits("1", after=_KEY_AFTER),))


async def notification(part: Part, directory: Path) -> None:
    """The call and what must have come of it. Raises Refused."""
    await part.ask(
        CALLNOTIFY,
        {
            "displayNbr": SHOWN,
            "calleeNbr": NOTIFIED,
            "playInfoList": [
                {"templateId": TEMPLATE_ID, "templateParas": [_PARCEL, _PLACE], "collectInd": 1}
            ],
        },
    )
    call = await part.rings(NOTIFIED)
    await part.answers(call)
    part.step(f"[green]phone[/] listens, and presses 1 after {_KEY_AFTER:g} s")
    heard = await part.ends(call)
    text, (statuses, record) = await asyncio.gather(_understood(part, heard), part.pushed())
    share = share_understood(_SAID, text)
    synthesised = await asyncio.to_thread(_synthesised, part.stage.settings.speech_dir, directory)
    part.stage.report.listen("notification: the prompt as synthesised", synthesised)
    part.check_heard("the prompt was heard to its end", synthesised, heard)
    part.check("the text was understood", share >= _UNDERSTOOD_AT_LEAST, f"{share:.0%} of it: {text}")
    part.check("the phone saw the display number", call.caller == SHOWN, call.caller)
    part.check_order(statuses, "callout alerting answer collectInfo disconnect")
    digits = [status.info["digitInfo"] for status in statuses if status.event_type == "collectInfo"]
    part.check("the digit came back", digits == ["1"] and record.get("dynIVRPath") == "1", f"{digits}")
    part.check("the text was synthesised", record.get("ttsPlayTimes") == 1, f"{record.get('ttsPlayTimes')}")


def _synthesised(speech_dir: Path, directory: Path) -> Path:
    """The prompt that was made for this call, the only one of a fresh platform, as a WAV file."""
    files = list(speech_dir.glob("*/*.alaw"))
    if len(files) != 1:
        raise FileNotFoundError(f"{len(files)} prompts were synthesised in {speech_dir}, not one")
    path = directory / "synthesised-prompt.wav"
    path.write_bytes(wav.write(files[0].read_bytes()))
    return path


async def _understood(part: Part, heard: Path) -> str:
    ear = await part.stage.ear
    return await asyncio.to_thread(ear.hear_samples, load_wav(heard).samples, Language.CHINESE)
