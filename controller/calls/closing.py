"""How calls end: each is closed exactly once, with its record, however long the database stays away."""

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from enum import Enum, auto

from sqlmodel import Session

from controller.calls.call import Callback, LiveCall, StatusTeller
from controller.calls.cdr import gathered, make_cdr
from controller.calls.metering import Meter
from controller.calls.outcome import Outcome
from controller.calls.timeline import Entry, Kind
from controller.calls.written import call_row, entry_row, recording_row
from controller.clock import Clock
from controller.store import calls as rows
from controller.store.calls import CdrDelivery
from controller.store.database import Database
from controller.store.persistent import write_persistently

log = logging.getLogger(__name__)

_CLOSE_PATIENCE = 0.02
"""Seconds that the end of a call may wait to be committed together with others."""

_TOLD_BY_THEN = timedelta(minutes=1)
"""From the end of a call: what of its durable pushes is not told from memory until then is told again."""


class _End(Enum):
    """What became of the end of a call."""

    WRITTEN = auto()
    WRITTEN_ANEW = auto()
    """With the call, which the database had lost."""
    LOST = auto()
    """The database has neither the call nor its application any more."""
    NOT_OURS = auto()
    """Somebody else has ended it, or it never was."""


class Closing:
    """Closes calls."""

    def __init__(
        self,
        database: Database,
        statuses: StatusTeller,
        meter: Meter,
        on_cdr: Callable[[datetime], None],
        on_recording: Callable[[], None],
        clock: Clock,
        host_name: str,
        controller: str,
        cdr_gathering: timedelta,
        minute: timedelta,
    ) -> None:
        """`controller`: whose the calls are in the database; `minute`: what one of the maximum duration
        lasts.
        """
        self._database = database
        self._statuses = statuses
        self._meter = meter
        self._on_cdr = on_cdr
        self._on_recording = on_recording
        self._clock = clock
        self._host_name = host_name
        self._controller = controller
        self._cdr_gathering = cdr_gathering
        self._minute = minute
        self._under_way: dict[asyncio.Task[None], str] = {}

    @property
    def ids(self) -> frozenset[str]:
        """Ids of the calls whose ends are being written."""
        return frozenset(self._under_way.values())

    async def close(
        self,
        call: LiveCall,
        outcome: Outcome,
        known_until: datetime | None = None,
        *,
        was_written: bool = True,
    ) -> None:
        """End a call: outcome, CDR and outbox in one transaction, then the last status push.

        `known_until`: when it was last known to go on, if that is not now. Without `was_written` it may be
        that it was never written down, and then nothing is. What was begun is finished, also if who asked
        for it is cancelled.
        """
        ending = asyncio.create_task(
            self._close(call, outcome, known_until, was_written), name=f"close {call.id}"
        )
        self._under_way[ending] = call.id
        ending.add_done_callback(self._under_way.pop)
        await asyncio.shield(ending)

    async def finish(self, timeout: float) -> None:
        """Wait for what was begun; the calls whose ends can't be written by then are the next start's."""
        if not self._under_way:
            return
        _done, left = await asyncio.wait(self._under_way, timeout=timeout)
        if left:
            log.error("Calls stay open: their ends can't be written", extra={"calls": len(left)})
            for ending in left:
                ending.cancel()
            await asyncio.wait(left)

    def _end_of(self, call: LiveCall, now: datetime, known_until: datetime | None) -> datetime:
        """What the call is billed until."""
        end = now if known_until is None else min(now, known_until)
        plan, answered = call.request.plan, call.timeline.leg("b").answered
        if isinstance(plan, Callback) and plan.max_minutes and answered is not None:
            # Hanging up takes a moment, and there may have been no controller to do it in time.
            end = min(end, answered + plan.max_minutes * self._minute)
        return max(end, call.timeline.entries[-1].at)

    async def _close(
        self, call: LiveCall, outcome: Outcome, known_until: datetime | None, was_written: bool
    ) -> None:
        now = self._clock.now()
        ended_at = self._end_of(call, now, known_until)
        last = Entry(
            call.timeline.next_sequence,
            ended_at,
            Kind.DISCONNECT,
            None,
            {
                "state_code": outcome.state_code,
                "text": outcome.text,
                "cut_point": outcome.cut_point,
                "party": outcome.leg,
            },
        )
        # Asterisk records without a controller too: whether that is worth keeping is not known before it is
        # fetched.
        recording = recording_row(call, now)
        cdr = make_cdr(call, outcome, ended_at, self._host_name, recorded_until=now).to_json()
        url = call.request.fee_url
        due_at = gathered(ended_at, self._cdr_gathering)
        delivery = CdrDelivery(url, due_at) if url else None

        def end_it(session: Session) -> bool:
            return rows.end_call(
                session,
                call.id,
                ended_at=ended_at,
                state_code=outcome.state_code,
                last_entry=entry_row(call.id, last),
                cdr=cdr,
                app_key=call.request.app_key,
                delivery=delivery,
                recording=recording,
            )

        def end(session: Session) -> _End:
            # An attempt may have gone through and its answer been lost.
            if end_it(session) or rows.has_ended_at(session, call.id, ended_at):
                return _End.WRITTEN
            if not was_written or rows.is_written(session, call.id):
                return _End.NOT_OURS
            if not self._write_anew(session, call, ended_at + _TOLD_BY_THEN):
                return _End.LOST
            end_it(session)
            return _End.WRITTEN_ANEW

        how = await self._persistently(end)
        if how is _End.NOT_OURS:
            return
        if how is _End.LOST:
            log.error(
                "A call is lost: neither it nor its application is in the database any more",
                extra={"call": call.id, "state_code": outcome.state_code},
            )
            return
        if how is _End.WRITTEN_ANEW:
            log.error(
                "The database had lost a call in progress; it is written anew with its end",
                extra={"call": call.id},
            )
        call.timeline.add(last)
        self._meter.ended(call.id, call.request.account_id, call.legs, ended_at)
        self._statuses.tell(call, last)
        if delivery is not None:
            self._on_cdr(due_at)
        if recording is not None:
            self._on_recording()
        log.info("Call ended", extra={"call": call.id, "state_code": outcome.state_code})

    def _write_anew(self, session: Session, call: LiveCall, tell_again_at: datetime) -> bool:
        # That it was accepted is in its row.
        entries = [
            entry_row(call.id, entry) for entry in call.timeline.entries if entry.kind is not Kind.ACCEPTED
        ]
        return rows.write_anew(session, call_row(call, self._controller), entries, tell_again_at)

    async def _persistently(self, work: Callable[[Session], _End]) -> _End:
        return await write_persistently(self._database, work, "The end of a call", patience=_CLOSE_PATIENCE)
