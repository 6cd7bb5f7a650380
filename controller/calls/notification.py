"""Voice notification: call one number, play one to five items in order, collect digits where asked."""

from collections.abc import Callable

from controller.calls.call import LiveCall, Notification, PlayItem
from controller.calls.leg import Leg
from controller.calls.outcome import NO_DIGITS, NORMAL, Outcome
from controller.calls.spoken import Speaker, made_playable
from controller.calls.timeline import Kind


async def notify(
    call: LiveCall,
    plan: Notification,
    make_leg: Callable[[str], Leg],
    max_replays: int,
    speaker: Speaker | None = None,
) -> Outcome:
    """The whole call. Raises LegOver when the callee is not reached or hangs up, SpeechError before that.

    A phone that rings later is better than one that rings and then hears silence: what is to be said is
    synthesised first.
    """
    async with made_playable(call, plan.items, speaker) as items, make_leg("a") as callee:
        await callee.dial()
        await callee.answered()
        for item in items:
            if not await _play(call, callee, item, max_replays):
                return NO_DIGITS
    return NORMAL


async def _play(call: LiveCall, callee: Leg, item: PlayItem, max_replays: int) -> bool:
    """Play an item, again as long as its digits demand it; False if it collects and no key was pressed."""
    for _ in range(max_replays + 1):
        digits = await callee.play_and_collect(item)
        if not item.collect:
            return True
        if not digits:
            return False
        call.tell(Kind.COLLECTED, callee.name, {"digits": digits})
        if not item.replay.demands_replay(digits):
            return True
    return True
