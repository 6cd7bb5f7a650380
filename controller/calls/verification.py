"""Voice verification code: call one number, say what comes, read the code, say what follows."""

import itertools
from collections.abc import Callable

from controller.calls.call import LiveCall, Verification
from controller.calls.leg import Leg
from controller.calls.outcome import NORMAL, Outcome


async def verify(call: LiveCall, plan: Verification, make_leg: Callable[[str], Leg]) -> Outcome:
    """The whole call. Raises LegOver when the phone is not reached or hangs up."""
    del call
    async with make_leg("a") as callee:
        # Of what can't be said whole nobody's phone rings.
        await callee.check_playable((plan.pre_tone, *plan.digits))
        await callee.dial()
        await callee.answered()
        # One command for both: the code follows without a gap.
        await callee.play_secretly(plan.digits, after=plan.pre_tone)
        for _ in range(plan.times - 1) if plan.times else itertools.count():
            await callee.play_secretly(plan.digits)
        if plan.post_tone is not None:
            await callee.play(plan.post_tone)
    return NORMAL
