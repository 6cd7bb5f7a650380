"""A line: one channel from dialling to hanging up, over whichever trunk takes it.

A line reads its own events in order; whatever the flow waits for, the end of the line ends the waiting.
"""

import asyncio
import contextlib
import logging
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from controller import ari
from controller.asterisk.errors import NodeUnavailable
from controller.asterisk.node import Node
from controller.asterisk.routing import Way
from controller.calls.handing_over import is_handed_over
from controller.calls.outcome import (
    CALL_TIMEOUT,
    NODE_LOST,
    NORMAL,
    PLAY_FAILED,
    RING_TIMEOUT,
    Outcome,
    failed_leg,
    is_trunk_failure,
    speaks_against_trunk,
)
from controller.calls.timeline import Kind
from controller.phone_number import PhoneNumber
from controller.time_limit import time_limit

log = logging.getLogger(__name__)

_LINE_ID = re.compile(r"(\d+_\d+_\d+_\d{14})\.[ab]")

_NETWORK_OUT_OF_ORDER = 38
"""Q.850: what a trunk that can't be dialled amounts to."""

_SETTLE_TIMEOUT = 5.0
"""Seconds in which Asterisk tells the end of a channel that it no longer knows."""

_LONGEST_SILENCE = 31.0
"""Seconds that a network may say nothing. At 32 (SIP's timer B) Asterisk ends the call with a 408 of its own,
which can't be told from one of the far end, whose phone did not answer."""

_DIAL_STATUS_OF = {"Ringing": "RINGING", "Up": "ANSWER"}
"""The state of a channel in a snapshot, as the progress that led there."""

_AGAIN = (0.1, 0.5)
"""Seconds after which an end that Asterisk failed at is asked for again."""

END_FOLLOWS = 0.3
"""Seconds in which the end of a channel follows the failure of its playback or of another command: a phone
that hangs up makes these fail first."""

OnProgress = Callable[[bool], Awaitable[None]]
Tell = Callable[[Kind, str, Mapping[str, Any] | None], object]


class LegOver(Exception):
    """The leg has ended; `outcome` says how. After the answer this is the normal end of a call."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome.text)
        self.outcome = outcome


@dataclass(frozen=True)
class Timeouts:
    """How long a leg waits, in seconds."""

    ringing: float
    first_digit: float
    inter_digit: float
    trunk: float
    """For a word from a trunk, where there is another one."""


class Line:
    """A channel to one phone. Used as a block: at its end the phone is hung up, whatever happened."""

    def __init__(
        self,
        node: Node,
        call_id: str,
        name: str,
        number: PhoneNumber,
        display_number: PhoneNumber,
        partner_sees: PhoneNumber,
        timeouts: Timeouts,
        tell: Tell,
    ) -> None:
        self.name = name
        self.id = f"{call_id}.{name}"
        self._node = node
        self._call_id = call_id
        self._number = number
        self._display_number = display_number
        self._partner_sees = partner_sees
        self._timeouts = timeouts
        self._tell = tell
        self._events = node.ari.listen(f"channel:{self.id}")
        self._attempt: Callable[[], Awaitable[None]] = self._originate
        self._ways: list[Way] = []
        self._way = Way("")
        self._trunk_failed = False
        self._told_callout = False
        self._exists = False
        self._over: Outcome | None = None
        self._ringing = False
        self._entered = False
        self._answered = False

    async def dial(self) -> None:
        """Dial; the leg can be heard and played to once it has answered. Raises LegOver."""
        await self._dial_by(self._originate)

    async def dial_beside(self, other: "Line", join: Callable[[], Awaitable[None]]) -> None:
        """Dial once the channel has joined a bridge, so that early media is heard. Raises LegOver."""

        async def create_and_dial() -> None:
            await self._create(beside=other)
            await join()
            await self._dial_created()

        await self._dial_by(create_and_dial)

    async def _dial_by(self, attempt: Callable[[], Awaitable[None]]) -> None:
        self._attempt = attempt
        self._ways = list(self._node.ways(self._number))
        await self._dial_next_way()

    async def _dial_next_way(self) -> None:
        """Dial over the next way that takes the call. Raises LegOver."""
        while True:
            self._way = self._ways.pop(0)
            try:
                await self._attempt()
            except LegOver as over:
                if not self._goes_on(over.outcome):
                    raise
            else:
                return

    def _goes_on(self, outcome: Outcome) -> bool:
        """Whether the leg, which ended so, is to be dialled over another trunk; then it is as good as new."""
        self._judge_trunk(outcome)
        if not (self._trunk_failed and self._ways):
            return False
        failed = {"trunk": self._way.trunk, "sip_status": outcome.sip_status, "cause": outcome.cause}
        trunk = self._ways[0].trunk
        log.warning("A trunk failed at a call", extra={"call": self._call_id, "next": trunk, **failed})
        self._tell(Kind.FAILOVER, self.name, {"trunk": trunk, "failed": failed})
        self._trunk_failed = self._exists = self._ringing = self._entered = False
        self._over = None
        return True

    def _judge_trunk(self, outcome: Outcome) -> None:
        """Have the node know what a leg that ended unanswered says of its trunk."""
        # One that rang has said so already.
        if self._way.trunk is None or self._ringing:
            return
        if speaks_against_trunk(outcome):
            self._node.trunks.call_failed(self._way.trunk)
        elif outcome.sip_status:
            self._node.trunks.call_got_through(self._way.trunk)

    def _tell_callout(self) -> None:
        if not self._told_callout:
            self._told_callout = True
            self._tell(Kind.CALLOUT, self.name, {"trunk": self._way.trunk} if self._way.trunk else None)

    async def _originate(self) -> None:
        # One number for everybody costs Asterisk half of what the variables do.
        same = self._partner_sees == self._display_number
        async with self._making():
            channel = await self._node.ari.channels.originate(
                self._way.dial_string,
                channel_id=self.id,
                timeout=self._safety_net,
                caller_id=self._display_number.e164 if same else None,
                variables=None if same else self._variables(),
                formats="alaw",
            )
            self._node.on_dialled(self.id, channel.protocol_id)
        self._tell_callout()

    async def _create(self, beside: "Line") -> None:
        """Make the channel without dialling it, so that it can join a bridge first. Raises LegOver."""
        async with self._making():
            channel = await self._node.ari.channels.create(
                self._way.dial_string,
                channel_id=self.id,
                originator=beside.id,
                variables=self._variables(),
            )
            self._node.on_dialled(self.id, channel.protocol_id)
            # A channel can be dialled once it has entered the application, not when it is created.
            await self._next(_SETTLE_TIMEOUT, ari.StasisStart)
            self._entered = True

    async def _dial_created(self) -> None:
        async with self._making():
            await self._node.ari.channels.dial(self.id, timeout=self._safety_net)
        self._tell_callout()

    @property
    def _safety_net(self) -> int:
        """Our own timer decides how long it rings; Asterisk's is for a controller that went away."""
        return round(self._timeouts.ringing) + 5

    def _variables(self) -> ari.Variables:
        return {
            # Of a channel that is dialled, the far end sees the connected line, not the caller id.
            "CONNECTEDLINE(num,i)": self._display_number.e164,
            # And once in a bridge, the caller id of the other channel: never the phone's own number.
            "CALLERID(num)": self._partner_sees.e164,
        }

    @asynccontextmanager
    async def _making(self) -> AsyncIterator[None]:
        """What goes wrong while a channel is made or dialled, as the end of the leg."""
        try:
            self._node.check_available()
            self._exists = True
            yield
        except ari.ResponseError as error:
            self._trunk_failed = True
            raise LegOver(self._unreachable()) from error
        except (ari.AriError, NodeUnavailable, TimeoutError) as error:
            raise LegOver(NODE_LOST) from error

    def _unreachable(self) -> Outcome:
        return failed_leg(self.name, _NETWORK_OUT_OF_ORDER, 0, second_leg=self.name == "b")

    async def answered(self, on_progress: OnProgress | None = None) -> None:
        """Wait for the answer, over the next trunk when one fails.

        Raises LegOver on busy, refusal, time-out and every other end. `on_progress` is called when the phone
        rings (False) and when its network plays something (True).
        """
        while True:
            try:
                await self._answer(on_progress)
            except LegOver as over:
                if not self._goes_on(over.outcome):
                    raise
            else:
                return
            await self._dial_next_way()

    async def _answer(self, on_progress: OnProgress | None) -> None:
        loop = asyncio.get_running_loop()
        begun, patience = loop.time(), self._timeouts.ringing
        # Who has one trunk alone waits for it, whatever it says.
        heard_of = not self._ways
        while not (self._answered and self._entered):
            limit = begun + (patience if self._ringing else min(patience, _LONGEST_SILENCE))
            asks = not (heard_of or self._ringing) and begun + self._timeouts.trunk < limit
            if asks:
                limit = begun + self._timeouts.trunk
            try:
                event = await self._next(limit - loop.time(), ari.Dial, ari.StasisStart, ari.ObjectPresent)
            except TimeoutError:
                if asks:
                    heard_of = await self._has_trunk_spoken()
                    if not heard_of:
                        await self._give_trunk_up()
                    continue
                await self.hang_up(cause=19)
                raise LegOver(self._nobody_answered()) from None
            if isinstance(event, ari.Dial):
                self._progress(event.dialstatus)
                if on_progress is not None and event.dialstatus in ("RINGING", "PROGRESS"):
                    await on_progress(event.dialstatus == "PROGRESS")
            elif isinstance(event, ari.StasisStart) and not self._entered:
                # A channel that was made first entered then; hearing of that twice is no answer.
                self._entered = True
                self._progress("ANSWER")
            elif isinstance(event, ari.ObjectPresent) and event.channel is not None:
                self._entered = self._entered or event.channel.state == "Up"
                self._progress(_DIAL_STATUS_OF.get(event.channel.state, ""))

    async def _has_trunk_spoken(self) -> bool:
        """Whether the trunk has sent anything, be it 100 Trying. What can't be found out counts as yes."""
        try:
            # Asterisk notes the cause that every response would have.
            return bool(await self._node.ari.channels.variable(self.id, "HANGUPCAUSE_KEYS()"))
        except ari.AriError:
            return True

    async def _give_trunk_up(self) -> None:
        """End what gets no word from its trunk. Raises LegOver."""
        await self.hang_up(cause=_NETWORK_OUT_OF_ORDER)
        # Its end must not be taken for that of the next attempt, which has the same id.
        await self._end_or_nothing_said()
        self._trunk_failed = True
        raise LegOver(CALL_TIMEOUT.on_leg(self.name, 408, _NETWORK_OUT_OF_ORDER))

    async def _end_or_nothing_said(self) -> None:
        with contextlib.suppress(LegOver):
            await self._end_or_nothing(_SETTLE_TIMEOUT)

    def _nobody_answered(self) -> Outcome:
        if self._answered:
            return NODE_LOST
        outcome = RING_TIMEOUT if self._ringing else CALL_TIMEOUT
        return outcome.on_leg(self.name, 480 if self._ringing else 408, 19)

    def _progress(self, dial_status: str) -> None:
        if self._way.trunk is not None and dial_status in ("RINGING", "PROGRESS", "ANSWER"):
            self._node.trunks.call_got_through(self._way.trunk)
        if dial_status in ("RINGING", "PROGRESS") and not self._ringing:
            self._ringing = True
            self._tell(Kind.ALERTING, self.name, None)
        elif dial_status == "ANSWER" and not self._answered:
            self._answered = True
            self._tell(Kind.ANSWER, self.name, None)

    async def over(self) -> None:
        """Wait for the end of the leg and raise its LegOver; keys are not heard meanwhile."""
        await self._next(None)

    async def _end_or_nothing(self, within: float) -> None:
        """Wait `within` seconds for the end of the channel and raise its LegOver if it comes."""
        with contextlib.suppress(TimeoutError):
            await self._next(within)

    async def command(self, doing: Awaitable[Any]) -> None:
        """Do something to the channel; if it is gone already, its end is on its way and tells why."""
        try:
            await doing
        except (ari.NotFound, ari.Conflict):
            await self._end_or_nothing(_SETTLE_TIMEOUT)
            raise LegOver(NODE_LOST) from None
        except ari.ResponseError as error:
            # A channel that is being hung up is refused in many ways.
            await self._end_or_nothing(END_FOLLOWS)
            raise LegOver(PLAY_FAILED.on_leg(self.name)) from error
        except ari.AriError as error:
            raise LegOver(NODE_LOST) from error

    async def _next(self, timeout: float | None, *kinds: type[ari.Event]) -> ari.Event:
        """The next event of these kinds (of none: wait for the end).

        Raises LegOver when the channel ends and TimeoutError after `timeout` seconds.
        """
        async with time_limit(None if timeout is None else max(timeout, 0)):
            # Whoever asks later must hear of the end too: it may come together with something else.
            while self._over is None:
                event = await self._events.get()
                if isinstance(event, ari.ChannelDestroyed):
                    self._over = self._end(event)
                elif isinstance(event, ari.ObjectGone):
                    self._over = NODE_LOST
                elif isinstance(event, kinds):
                    return event
        self._exists = False
        raise LegOver(self._over)

    def _end(self, event: ari.ChannelDestroyed) -> Outcome:
        if self._answered:
            return NORMAL.on_leg(self.name)
        if not self._ringing and is_trunk_failure(event.tech_cause or 0):
            self._trunk_failed = True
        status = event.tech_cause or self._node.sip_status(self._number, event.cause)
        return failed_leg(self.name, event.cause, status, second_leg=self.name == "b")

    async def hang_up(self, cause: int = 16) -> None:
        """Hang up if the phone hasn't. What Asterisk can't be told now it is told after the gap."""
        if not self._exists:
            return
        self._exists = False
        await insist(lambda: self._node.ari.channels.hang_up(self.id, cause=cause), self._call_id)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if not is_handed_over(error):
                await self.hang_up()
        finally:
            self._events.close()
            self._let_go()

    def _let_go(self) -> None:
        """Hold nothing that holds the line: else a call stays until garbage is searched for."""
        self._attempt = _is_over


async def _is_over() -> None:
    raise LegOver(NODE_LOST)


def call_of_channel(channel: ari.Channel) -> str | None:
    """The call that a channel belongs to; None: it isn't one of ours."""
    known = _LINE_ID.fullmatch(channel.id)
    return known[1] if known else None


async def insist(end: Callable[[], Awaitable[None]], call_id: str) -> None:
    """Have Asterisk end something, asked again when it fails; whatever else goes wrong a connect mends.

    Whoever is cancelled meanwhile asks once more first: the request may not have been sent yet. The call's id
    is for the log.
    """
    interruption: asyncio.CancelledError | None = None
    while True:
        try:
            await _ask(end, call_id)
        except asyncio.CancelledError as error:
            interruption = error
        else:
            break
    if interruption is not None:
        raise interruption


async def _ask(end: Callable[[], Awaitable[None]], call_id: str) -> None:
    for pause in (*_AGAIN, None):
        try:
            await end()
        except ari.ResponseError as error:
            if isinstance(error, ari.ServerError) and pause is not None:
                await asyncio.sleep(pause)
                continue
            if not isinstance(error, ari.NotFound):
                log.warning("Asterisk refuses to end something", extra={"call": call_id, "error": str(error)})
            return
        except ari.AriError:
            return
        else:
            return
