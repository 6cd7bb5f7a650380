"""How calls end: each is closed exactly once, with its record, however long the database stays away."""

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from sqlmodel import Session

from controller.calls.call import Callback, LiveCall, StatusTeller
from controller.calls.cdr import gathered, make_cdr
from controller.calls.metering import Meter
from controller.calls.outcome import Outcome
from controller.calls.timeline import Entry, Kind
from controller.calls.written import entry_row, recording_row
from controller.clock import Clock
from controller.store import calls as rows
from controller.store.calls import CdrDelivery
from controller.store.database import Database
from controller.store.persistent import write_persistently

log = logging.getLogger(__name__)

_CLOSE_PATIENCE = 0.02
"""Seconds that the end of a call may wait to be committed together with others."""


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
        cdr_gathering: timedelta,
        minute: timedelta,
    ) -> None:
        """`minute`: what a minute of the maximum duration lasts."""
        self._database = database
        self._statuses = statuses
        self._meter = meter
        self._on_cdr = on_cdr
        self._on_recording = on_recording
        self._clock = clock
        self._host_name = host_name
        self._cdr_gathering = cdr_gathering
        self._minute = minute
        self._under_way: dict[asyncio.Task[None], str] = {}

    @property
    def ids(self) -> frozenset[str]:
        """Ids of the calls whose ends are being written."""
        return frozenset(self._under_way.values())

    async def close(self, call: LiveCall, outcome: Outcome, known_until: datetime | None = None) -> None:
        """End a call: outcome, CDR and outbox in one transaction, then the last status push.

        `known_until`: when it was last known to go on, if that is not now. What was begun is finished, also
        if who asked for it is cancelled.
        """
        ending = asyncio.create_task(self._close(call, outcome, known_until), name=f"close {call.id}")
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

    async def _close(self, call: LiveCall, outcome: Outcome, known_until: datetime | None) -> None:
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

        def end(session: Session) -> bool:
            ended = rows.end_call(
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
            # An attempt may have gone through and its answer been lost.
            return ended or rows.has_ended_at(session, call.id, ended_at)

        if not await self._persistently(end):
            return
        call.timeline.add(last)
        self._meter.ended(call.id, call.request.account_id, call.legs, ended_at)
        self._statuses.tell(call, last)
        if delivery is not None:
            self._on_cdr(due_at)
        if recording is not None:
            self._on_recording()
        log.info("Call ended", extra={"call": call.id, "state_code": outcome.state_code})

    async def _persistently(self, work: Callable[[Any], bool]) -> bool:
        return await write_persistently(self._database, work, "The end of a call", patience=_CLOSE_PATIENCE)
