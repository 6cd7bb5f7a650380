"""Voice callback: call A, then B, and let them talk; neither sees the other's number."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from controller.calls.call import Callback, CalleeMedia, LiveCall
from controller.calls.conversation import Conversation
from controller.calls.handing_over import is_handed_over
from controller.calls.leg import Leg
from controller.calls.line import LegOver
from controller.calls.outcome import (
    CALLER_GAVE_UP,
    CALLER_GAVE_UP_FIRST,
    CALLER_GAVE_UP_RINGING,
    MAX_DURATION,
    NORMAL,
    Outcome,
)
from controller.calls.timeline import Kind
from controller.calls.waiting import first_of
from controller.prompts.library import is_gone

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Parts:
    """What the flow is made with."""

    make_leg: Callable[[str], Leg]
    make_conversation: Callable[[], Conversation]
    announcement: Callable[[Leg], Awaitable[None]]
    """Returns when a phone's network announces something, before the answer."""
    ring_timeout: float
    """Seconds."""
    minute: float
    """Seconds that a minute of the maximum duration lasts."""


async def call_back(call: LiveCall, plan: Callback, parts: Parts) -> Outcome:
    """The whole call. Raises LegOver when a phone is not reached or hangs up."""
    async with parts.make_leg("a") as caller:
        await caller.dial()
        await caller.answered()
        with _caller_may_give_up(call):
            if plan.pre_voice is not None:
                await caller.play(plan.pre_voice)
        async with parts.make_conversation() as conversation, parts.make_leg("b") as callee:
            with _caller_may_give_up(call):
                await _reach(plan, caller, callee, conversation, parts)
            return await _talk(call, plan, caller, callee, conversation, parts.minute)


async def go_on(call: LiveCall, plan: Callback, parts: Parts) -> Outcome:
    """The rest of a call whose phones talked, and still do, when its controller went away. Raises LegOver."""
    async with parts.make_leg("a") as caller, parts.make_leg("b") as callee:
        conversation = parts.make_conversation()
        # All before anything is awaited: whenever the call is ended from now on, both are hung up.
        for part in (caller, callee, conversation):
            part.adopt()
        async with conversation:
            await caller.take_over()
            await callee.take_over()
            return await _talk(call, plan, caller, callee, conversation, parts.minute)


@contextmanager
def _caller_may_give_up(call: LiveCall) -> Iterator[None]:
    """Until the two talk, A's hanging up is no normal end; it matters how far B has come."""
    try:
        yield
    except LegOver as over:
        if over.outcome != NORMAL.on_leg("a"):
            raise
        b = call.timeline.leg("b")
        if b.dialled is None:
            outcome = CALLER_GAVE_UP_FIRST
        elif b.ringing is None:
            outcome = CALLER_GAVE_UP
        else:
            outcome = CALLER_GAVE_UP_RINGING
        raise LegOver(outcome) from None


async def _reach(plan: Callback, caller: Leg, callee: Leg, conversation: Conversation, parts: Parts) -> None:
    """Dial B while A waits; returns when B has answered."""
    wait_voice = plan.wait_voice
    if wait_voice is not None and is_gone(wait_voice.media):
        log.error("A caller waits without the wait sound, which is gone", extra={"caller": caller.id})
        wait_voice = None
    if wait_voice is not None:
        # Before it is played to: until a sound has ended, Asterisk puts nobody who hears it into a bridge.
        await conversation.join(caller)
        await caller.waiting.loop(wait_voice, parts.ring_timeout)

    progress: asyncio.Queue[bool] = asyncio.Queue()

    async def on_progress(early_media: bool) -> None:
        if plan.callee_media is CalleeMedia.ALL:
            await progress.put(early_media)
        elif wait_voice is None:
            await caller.waiting.ringback()

    async def join_callee() -> None:
        await conversation.join(*((caller, callee) if wait_voice is None else (callee,)))

    async def callee_answers() -> None:
        await callee.dial_beside(caller, join_callee)
        await callee.answered(on_progress)

    async def callee_is_heard() -> None:
        if plan.callee_media is CalleeMedia.ALL:
            await _let_hear(caller, callee, progress)
        elif plan.callee_media is CalleeMedia.FAIL:
            await parts.announcement(callee)
            await caller.waiting.quiet()
        await asyncio.Event().wait()

    await first_of(callee_answers(), caller.over(), callee_is_heard())
    await caller.waiting.quiet()
    if not plan.record:
        await conversation.rejoin(callee)


async def _let_hear(caller: Leg, callee: Leg, progress: asyncio.Queue[bool]) -> None:
    """Have A hear what B's network plays; as long as it plays nothing, ringback that is made here.

    `progress`: B rings (False), or its network is about to play something (True). Either may come with sound.
    """
    while True:
        announced = await progress.get()
        if not announced:
            await caller.waiting.ringback()
        if await callee.is_heard(announced=announced):
            return await caller.waiting.quiet()
        await caller.waiting.ringback()


async def _talk(
    call: LiveCall, plan: Callback, caller: Leg, callee: Leg, conversation: Conversation, minute: float
) -> Outcome:
    """From B's answer to the end."""

    async def maximum_duration() -> None:
        if plan.record:
            await _record(call, plan, conversation)
        await caller.waiting.stays_quiet()
        await _limit(call, plan, caller, callee, conversation, minute)

    try:
        await first_of(maximum_duration(), caller.over(), callee.over())
    except (LegOver, asyncio.CancelledError) as error:
        if conversation.recorded and not is_handed_over(error):
            # Interrupted in asking for it: there may be a recording, which must not stay on Asterisk.
            _tell_recording(call, conversation)
        raise
    return MAX_DURATION


async def _record(call: LiveCall, plan: Callback, conversation: Conversation) -> None:
    """Record both from now on, and tell them so."""
    if plan.hint_tone is not None and is_gone(plan.hint_tone.media):
        # Whoever shall be told of it is not recorded without.
        log.error("A call is not recorded, as its hint tone is gone", extra={"call": call.id})
        return
    if await conversation.record() and _tell_recording(call, conversation):
        for tone in (plan.hint_tone, plan.inspection_tone):
            if tone is not None:
                await conversation.play_to_all(tone, "hint")


def _tell_recording(call: LiveCall, conversation: Conversation) -> bool:
    """Once; False if it was told."""
    if call.timeline.recording_started is not None:
        return False
    call.tell(Kind.RECORDING, None, {"name": conversation.recording_name})
    return True


async def _limit(
    call: LiveCall,
    plan: Callback,
    caller: Leg,
    callee: Leg,
    conversation: Conversation,
    minute: float,
) -> None:
    """Returns when the maximum duration is over; one minute before, it is told to whom it shall be."""
    if not plan.max_minutes:
        await asyncio.Event().wait()
    answered = call.timeline.leg("b").answered
    assert answered is not None
    # By the clock on the wall, as another controller may have begun to count.
    left = plan.max_minutes * minute - (call.clock.now() - answered).total_seconds()
    await asyncio.sleep(left - minute)
    if left > 0 and plan.last_minute_voice is not None and not call.timeline.last_minute_told:
        call.tell(Kind.PROMPT, None, {"prompt": plan.last_minute_voice.name, "last_minute": True})
        if plan.last_minute_to == {"a", "b"}:
            await conversation.play_to_all(plan.last_minute_voice, "last-minute")
        else:
            for leg in (caller, callee):
                if leg.name in plan.last_minute_to:
                    await leg.announce(plan.last_minute_voice)
    await asyncio.sleep(min(left, minute))
