"""The call service: accepts requests, runs one coroutine a call, closes every call exactly once."""

import asyncio
import logging
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from random import Random

from sqlmodel import Session

from controller.asterisk.fleet import Fleet
from controller.asterisk.node import Node
from controller.calls.brake import Brake
from controller.calls.call import (
    Callback,
    CallRequest,
    Identities,
    LiveCall,
    Notification,
    StatusTeller,
    Verification,
    media_of,
)
from controller.calls.callback import Parts, call_back, go_on
from controller.calls.closing import Closing
from controller.calls.conversation import Conversation
from controller.calls.early_sound import EarlySound
from controller.calls.handing_over import HAND_OVER, is_handed_over
from controller.calls.leg import Leg
from controller.calls.line import LegOver, Timeouts
from controller.calls.metering import Meter, NoMeter
from controller.calls.notification import notify
from controller.calls.outcome import CUT_OFF, INTERNAL_ERROR, INTERRUPTED, SPEECH_FAILED, STOPPED, Outcome
from controller.calls.spoken import Speaker
from controller.calls.timeline import Entry, Kind
from controller.calls.verification import verify
from controller.calls.written import call_row, entry_row
from controller.clock import Clock
from controller.prompts.errors import SpeechError
from controller.settings import CallSettings
from controller.store import calls as rows
from controller.store.database import Database
from controller.store.errors import Fenced, Refused
from controller.store.journal import Journal
from controller.store.limits import KeyUse, Limits, NonceUse, Place

log = logging.getLogger(__name__)

_LAST_WRITES = 2.0
"""Seconds for which the last ends of calls are waited for that are just being written."""


class ShuttingDown(Exception):
    """No more calls are taken."""


@dataclass(frozen=True)
class Accepted:
    """The answer to a request: the call will be made. `idle` is how many more the app may have now."""

    session_id: str
    idle: int


class CallService:
    """All calls of this controller."""

    def __init__(
        self,
        database: Database,
        journal: Journal,
        fleet: Fleet,
        statuses: StatusTeller,
        on_cdr: Callable[[datetime], None],
        on_recording: Callable[[], None],
        clock: Clock,
        random: Random,
        settings: CallSettings,
        host_name: str,
        cdr_gathering: timedelta,
        speaker: Speaker | None = None,
        meter: Meter | None = None,
        controller: str | None = None,
        brake: Brake | None = None,
    ) -> None:
        """`controller`: whose the calls are in the database; without it the host's."""
        self._database = database
        self._journal = journal
        self._fleet = fleet
        self._statuses = statuses
        self._clock = clock
        self._settings = settings
        self._controller = controller or host_name
        self._speaker = speaker
        self._meter = meter or NoMeter()
        self._closing = Closing(
            database,
            statuses,
            self._meter,
            on_cdr,
            on_recording,
            clock,
            host_name,
            self._controller,
            cdr_gathering,
            timedelta(seconds=settings.minute),
        )
        self._brake = brake or Brake()
        self._identities = Identities(host_name, clock, random)
        self._live: dict[str, LiveCall] = {}
        self._running: set[str] = set()
        self._stopped: dict[str, Outcome] = {}
        self._accepting: set[asyncio.Task[Accepted]] = set()
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._handed_over: set[str] = set()
        self._draining = False

    def playing(self, media: str) -> list[str]:
        """The session ids of calls in progress that play a medium."""
        return [call.session_id for call in self._live.values() if media in media_of(call.request.plan)]

    @property
    def live(self) -> Collection[LiveCall]:
        """The calls that are not closed yet."""
        return self._live.values()

    @property
    def draining(self) -> bool:
        """No more calls are taken, for good."""
        return self._draining

    @property
    def live_ids(self) -> frozenset[str]:
        """Ids of the calls that are not closed yet: their rows belong to us."""
        return frozenset(self._live)

    @property
    def running_ids(self) -> frozenset[str]:
        """Ids of the calls whose flow still runs: their channels belong to us."""
        return frozenset(self._running)

    @property
    def closing_ids(self) -> frozenset[str]:
        """Ids of the calls whose ends are being written."""
        return self._closing.ids

    @property
    def handed_over_ids(self) -> frozenset[str]:
        """Ids of the calls that are left to the next controller: nothing more is done with them here."""
        return frozenset(self._handed_over)

    async def start(
        self, request: CallRequest, nonce: NonceUse | None, limits: Limits, key: KeyUse | None = None
    ) -> Accepted:
        """Accept a call: written down, then made.

        Raises ShuttingDown, Overloaded, NodeUnavailable, NoRoute, LimitReached, Replayed or AskedBefore;
        then no call is made.
        """
        if self._draining:
            raise ShuttingDown("no more calls are taken")
        node = self._fleet.choose({request.numbers_of(leg)[1] for leg in ("a", "b")})
        # Also if the one who asked goes away meanwhile: written down and made belong together.
        accepting = asyncio.create_task(self._accept(request, node, nonce, limits, key))
        self._accepting.add(accepting)
        accepting.add_done_callback(self._accepting.discard)
        try:
            return await asyncio.shield(accepting)
        finally:
            # A refusal holds this frame, and its task the refusal: garbage that only a search would find.
            del accepting

    async def _accept(
        self, request: CallRequest, node: Node, nonce: NonceUse | None, limits: Limits, key: KeyUse | None
    ) -> Accepted:
        self._brake.check(len(self._live))
        call_id, session_id = self._identities.next(request.service)
        call = LiveCall(call_id, session_id, request, self._clock, self._on_entry, node=node.name)
        call.timeline.add(Entry(0, self._clock.now(), Kind.ACCEPTED))
        self._meter.begin(call_id, request.account_id, call.legs)
        # Live before it is written, so that nobody mistakes it for one that was left behind.
        self._live[call_id] = call
        node.calls.add(call_id)
        try:
            place = await self._write_down(call, nonce, limits, key)
        except Refused:
            self._forget(call)
            raise
        except BaseException:
            # It may be written all the same, as when the connection breaks at the commit.
            self._tasks[call_id] = asyncio.create_task(self._take_back(call), name=f"take back {call_id}")
            raise
        if place.too_often:
            windows = [str(window) for window in place.too_often]
            log.warning(
                "A callee is called more often than recommended",
                extra={"call": call_id, "callee": str(request.addressee), "windows": windows},
            )
            call.tell(Kind.TOO_OFTEN, None, {"windows": windows})
        self._begin(call)
        return Accepted(session_id, place.idle)

    async def _take_back(self, call: LiveCall) -> None:
        """Close a call that nobody was promised, if it was written down."""
        try:
            await self._closing.close(call, INTERNAL_ERROR, was_written=False)
        except Fenced:
            log.warning("A call is another controller's now", extra={"call": call.id})
        finally:
            self._forget(call)

    async def _write_down(
        self, call: LiveCall, nonce: NonceUse | None, limits: Limits, key: KeyUse | None
    ) -> Place:
        row, account = call_row(call, self._controller), call.request.account_id

        def accept(session: Session) -> Place | Refused:
            try:
                place = rows.accept_call(
                    session, row, nonce, limits, key, also=lambda: self._meter.check(session, account)
                )
                self._meter.book(session, account)
                return place
            except Refused as refused:
                # Nothing was written: those that are committed with it need not be written again.
                return refused

        outcome = await self._database.write(accept)
        if isinstance(outcome, Refused):
            raise outcome
        return outcome

    def resume(self, left: LiveCall) -> None:
        """Go on with a callback whose phones talk though its controller went away."""
        call = replace(left, on_entry=self._on_entry)
        log.warning("A call was left behind and goes on", extra={"call": call.id})
        self._live[call.id] = call
        self._fleet[call.node].calls.add(call.id)
        self._meter.go_on(call.id, call.request.account_id, call.legs)
        self._begin(call)

    def _begin(self, call: LiveCall) -> None:
        # At once, so that nobody takes its channels for left behind.
        self._running.add(call.id)
        self._tasks[call.id] = asyncio.create_task(self._run(call), name=call.id)

    async def _run(self, call: LiveCall) -> None:
        try:
            outcome = await self._flow(call)
        except LegOver as over:
            outcome = over.outcome
        except SpeechError as error:
            log.warning("Speech failed", extra={"call": call.id, "error": str(error)})
            outcome = SPEECH_FAILED
        except asyncio.CancelledError as error:
            if is_handed_over(error):
                log.warning("A call is left to the next controller", extra={"call": call.id})
                self._handed_over.add(call.id)
                self._forget(call)
                return
            outcome = self._stopped.get(call.id, INTERRUPTED)
        except Exception:
            log.exception("A call failed", extra={"call": call.id})
            outcome = INTERNAL_ERROR
        finally:
            self._running.discard(call.id)
        try:
            await self.close(call, outcome)
        except Fenced:
            log.warning("A call is another controller's now", extra={"call": call.id})
        finally:
            self._forget(call)

    def _forget(self, call: LiveCall) -> None:
        self._live.pop(call.id, None)
        self._fleet[call.node].calls.discard(call.id)
        self._tasks.pop(call.id, None)
        self._stopped.pop(call.id, None)
        self._meter.forget(call.id)

    def stop(self, session_id: str, app_key: str) -> bool:
        """End a call of an app, whatever it does now; False if it has no such call or it has ended."""
        call = self._live.get(session_id.partition("@")[0])
        if call is None or call.session_id != session_id or call.request.app_key != app_key:
            return False
        return self.end(call.id, STOPPED)

    def cut_off(self, call_id: str) -> None:
        """End a call that its account may not go on with; nothing if it is ending."""
        self.end(call_id, CUT_OFF)

    def end(self, call_id: str, outcome: Outcome) -> bool:
        """End a call, whatever it does now; False if there is no such call or it has ended."""
        task = self._tasks.get(call_id)
        if task is None or call_id not in self._running:
            return False
        # Ended once: a second time would interrupt the hanging up.
        if call_id not in self._stopped:
            self._stopped[call_id] = outcome
            # Not a task that was only just made: it would end without having closed its call.
            asyncio.get_running_loop().call_soon(self._interrupt, call_id, task)
        return True

    def _interrupt(self, call_id: str, task: asyncio.Task[None]) -> None:
        if call_id in self._running:
            task.cancel()

    async def _flow(self, call: LiveCall) -> Outcome:
        node = self._fleet[call.node]

        def make_leg(name: str) -> Leg:
            return self._leg(call, node, name)

        match call.request.plan:
            case Notification() as plan:
                return await notify(call, plan, make_leg, self._settings.max_replays, self._speaker)
            case Verification() as plan:
                return await verify(call, plan, make_leg)
            case Callback() as plan:
                parts = Parts(
                    make_leg,
                    lambda: Conversation(node, call.id),
                    lambda leg: EarlySound(
                        node.ari, leg.id, self._settings.ringback_frequency
                    ).announcement(),
                    self._settings.ring_timeout,
                    self._settings.minute,
                )
                talks = call.timeline.leg("b").answered is not None
                return await (go_on if talks else call_back)(call, plan, parts)

    def _leg(self, call: LiveCall, node: Node, name: str) -> Leg:
        timeouts = Timeouts(
            self._settings.ring_timeout,
            self._settings.first_digit_timeout,
            self._settings.inter_digit_timeout,
            self._settings.trunk_timeout,
        )
        shown, number = call.request.numbers_of(name)
        partner_sees = call.request.partner_sees(name)
        return Leg(node, call.id, name, number, shown, partner_sees, timeouts, call.tell)

    async def close(self, call: LiveCall, outcome: Outcome, known_until: datetime | None = None) -> None:
        """End a call; what was begun is finished, also if who asked for it is cancelled.

        `known_until`: when it was last known to go on, if that is not now.
        """
        await self._closing.close(call, outcome, known_until)

    def _on_entry(self, call: LiveCall, entry: Entry) -> None:
        row = entry_row(call.id, entry)
        add = self._journal.add
        if entry.kind is Kind.ANSWER and entry.leg is not None:
            # From the answer on the call costs money: written down at once.
            add = self._journal.add_now
            self._meter.answered(call.id, entry.leg, entry.at)
        self._statuses.tell(call, entry, after=add(row))

    async def drain(
        self,
        timeout: float,
        hurry: asyncio.Event | None = None,
        hands_over: Callable[[], bool] = lambda: False,
    ) -> None:
        """Take no more calls, let the running ones end for `timeout` seconds or until `hurry`.

        What then still runs is interrupted, and closed with its CDR all the same; but who talks goes on for
        the next controller if this one then `hands_over`.
        """
        self._draining = True
        # A call that is just being accepted gets its task first.
        if self._accepting:
            await asyncio.wait(self._accepting)
        if self._tasks:
            await _all_over(list(self._tasks.values()), timeout, hurry or asyncio.Event())
        running = list(self._tasks.values())
        for call_id, task in list(self._tasks.items()):
            task.cancel(HAND_OVER if hands_over() and self._talks(call_id) else None)
        if running:
            await asyncio.wait(running)
        await self._closing.finish(_LAST_WRITES)

    def _talks(self, call_id: str) -> bool:
        """Whether the phones of a callback talk, and nobody is ending it."""
        if call_id not in self._running or call_id in self._stopped:
            return False
        call = self._live[call_id]
        return isinstance(call.request.plan, Callback) and call.timeline.leg("b").answered is not None


async def _all_over(calls: list[asyncio.Task[None]], timeout: float, hurry: asyncio.Event) -> None:
    """Wait until all are over, for `timeout` seconds at most or until `hurry`."""
    ended, hurried = asyncio.ensure_future(asyncio.wait(calls)), asyncio.ensure_future(hurry.wait())
    await asyncio.wait({ended, hurried}, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
    for waiting in (ended, hurried):
        waiting.cancel()
