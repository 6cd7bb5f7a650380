"""Voice callback: call A, then B, and let them talk; neither sees the other's number."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from controller.calls.call import Callback, CalleeMedia, LiveCall, Prompt
from controller.calls.conversation import Conversation
from controller.calls.leg import Leg, LegOver
from controller.calls.outcome import (
    CALLER_GAVE_UP,
    CALLER_GAVE_UP_FIRST,
    CALLER_GAVE_UP_RINGING,
    MAX_DURATION,
    Outcome,
)
from controller.calls.timeline import Kind
from controller.calls.waiting import first_of


@dataclass(frozen=True)
class Parts:
    """What the flow is made with."""

    make_leg: Callable[[str], Leg]
    make_conversation: Callable[[], Conversation]
    ring_timeout: float
    """Seconds."""
    minute: float
    """Seconds that a minute of the maximum duration lasts."""


async def call_back(call: LiveCall, plan: Callback, parts: Parts) -> Outcome:
    """The whole call. Raises LegOver when a phone is not reached or hangs up."""
    async with parts.make_leg("a") as caller:
        await caller.dial()
        await caller.answered()
        if plan.pre_voice is not None:
            await _prepare(caller, plan.pre_voice)
        async with parts.make_conversation() as conversation, parts.make_leg("b") as callee:
            await _reach(plan, caller, callee, conversation, parts.ring_timeout)
            return await _talk(call, plan, caller, callee, conversation, parts.minute)


async def _prepare(caller: Leg, pre_voice: Prompt) -> None:
    """Tell A that the call is being transferred, to the end."""
    try:
        await caller.play(pre_voice)
    except LegOver as over:
        raise LegOver(CALLER_GAVE_UP_FIRST if over.outcome.leg == caller.name else over.outcome) from None


async def _reach(
    plan: Callback, caller: Leg, callee: Leg, conversation: Conversation, ring_timeout: float
) -> None:
    """Dial B while A waits; returns when B has answered."""
    await conversation.join(caller)
    if plan.wait_voice is not None:
        await caller.loop(plan.wait_voice, ring_timeout)

    async def callee_answers() -> None:
        await callee.create(beside=caller)
        await conversation.join(callee)
        await callee.dial_created()
        await callee.answered(on_progress=lambda early_media: _let_hear(plan, caller, callee, early_media))

    try:
        await first_of(callee_answers(), caller.over())
    except LegOver as over:
        if over.outcome.leg != caller.name:
            raise
        raise LegOver(CALLER_GAVE_UP_RINGING if callee.rang else CALLER_GAVE_UP) from None
    await caller.quiet()


async def _let_hear(plan: Callback, caller: Leg, callee: Leg, early_media: bool) -> None:
    """What A hears from now on: B rings, or B's network plays something (`early_media`)."""
    if plan.callee_media is CalleeMedia.NONE:
        return
    if plan.callee_media is CalleeMedia.FAIL and (callee.alerted or not early_media):
        # Before any ringing, what the network plays is why it fails.
        return
    if early_media and await callee.is_heard():
        await caller.quiet()
    else:
        await caller.ringback()


async def _talk(
    call: LiveCall, plan: Callback, caller: Leg, callee: Leg, conversation: Conversation, minute: float
) -> Outcome:
    """From B's answer to the end."""
    if plan.record and await conversation.record():
        call.tell(Kind.RECORDING, None, {"name": conversation.recording_name})
        if plan.hint_tone is not None:
            await conversation.play_to_all(plan.hint_tone)
    await first_of(_limit(plan, caller, callee, conversation, minute), caller.over(), callee.over())
    return MAX_DURATION


async def _limit(plan: Callback, caller: Leg, callee: Leg, conversation: Conversation, minute: float) -> None:
    """Returns when the maximum duration is over; one minute before, it is told to whom it shall be."""
    if not plan.max_minutes:
        await asyncio.Event().wait()
    await asyncio.sleep((plan.max_minutes - 1) * minute)
    if plan.last_minute_voice is not None:
        if plan.last_minute_to == {"a", "b"}:
            await conversation.play_to_all(plan.last_minute_voice)
        else:
            for leg in (caller, callee):
                if leg.name in plan.last_minute_to:
                    await leg.announce(plan.last_minute_voice)
    await asyncio.sleep(minute)
