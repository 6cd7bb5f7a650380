"""A callback between two phones that hear each other, recorded; the recording is downloaded over the API."""

import asyncio
from pathlib import Path

from testbed.client import CLICK2CALL
from testbed.demo.stage import CALLEE, CALLER, SHOWN, SHOWN_TO_CALLEE, Part, sound
from testbed.softphone_plan import Answer, Play
from testbed.sounds import as_pcm

_PHONE_LIMIT = 20.0
"""Seconds."""

PLANS = {CALLER: Answer(after=0.3), CALLEE: Answer(after=0.5)}
_SAYS = {CALLER: sound("code_intro"), CALLEE: sound("code_intro", "en")}
"""What the two say to each other."""


async def callback(part: Part, directory: Path) -> None:
    """The call and what must have come of it. Raises Refused."""
    await part.ask(
        CLICK2CALL,
        {
            "displayNbr": SHOWN,
            "callerNbr": CALLER,
            "displayCalleeNbr": SHOWN_TO_CALLEE,
            "calleeNbr": CALLEE,
            "playPreVoice": "true",
            "preVoice": "transferring.wav",
            "recordFlag": "true",
            "partyTypeRequiredInDisconnect": "true",
        },
    )
    caller = await part.rings(CALLER, "caller")
    await part.answers(caller, "caller")
    callee = await part.rings(CALLEE, "callee")
    await part.answers(callee, "callee")
    # One after the other, as people do: so each is found whole in the recording.
    for name, call, number in (("callee", callee, CALLEE), ("caller", caller, CALLER)):
        part.step(f"[green]{name}[/] speaks")
        await asyncio.wait_for(call.play(Play(str(as_pcm(_SAYS[number], directory / name)))), _PHONE_LIMIT)
    await callee.hang_up()
    heard_by_callee = await part.ends(callee, "callee")
    heard_by_caller = await part.ends(caller, "caller")
    statuses, record = await part.pushed()
    part.check_order(statuses, "callout alerting answer callout alerting answer disconnect")
    part.check_heard("the caller heard the transfer prompt", sound("transferring"), heard_by_caller)
    part.check_heard("the caller heard the callee", _SAYS[CALLEE], heard_by_caller)
    part.check_heard("the callee heard the caller", _SAYS[CALLER], heard_by_callee)
    seen = f"{caller.caller}, {callee.caller}"
    part.check("neither saw the other's number", seen == f"{SHOWN}, {SHOWN_TO_CALLEE}", f"saw {seen}")
    who = statuses[-1].info.get("partyType")
    part.check("who hung up is told", who == "callee", f"partyType {who}")
    file = await _downloaded(part, record["recordObjectName"], directory)
    for name, number in (("callee", CALLEE), ("caller", CALLER)):
        part.check_heard(f"the recording has the {name}'s voice", _SAYS[number], file)


async def _downloaded(part: Part, name: str, directory: Path) -> Path:
    """The recording, over the API and its signed link, as soon as the platform has it."""
    path = directory / name
    async with part.client() as client, asyncio.timeout(15):
        while (file := await client.recording(name)) is None:  # noqa: ASYNC110 - nothing tells when
            await asyncio.sleep(0.2)
    path.write_bytes(file)
    part.step(f"[bold]GET /rest/provision/voice/record/v1.0[/] {name}: 301 and {len(file)} bytes")
    part.stage.report.listen("callback: its recording", path)
    return path
