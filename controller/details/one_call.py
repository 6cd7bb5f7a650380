"""One call in detail: what there is in the database and on disk, put together."""

import asyncio
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from controller.asterisk.simulated import is_simulated
from controller.calls.timeline import Kind, Timeline
from controller.capture.leg_capture import Message
from controller.capture.room import CallCapture, Captures
from controller.clock import Clock
from controller.details.capture import capture_report
from controller.details.legs import leg_names, leg_report, timeline_of
from controller.details.push_bodies import Bodies
from controller.details.report import (
    CallReport,
    CdrDeliveryReport,
    Cost,
    Decisions,
    PushReport,
    RecordingReport,
    Request,
)
from controller.details.steps import failover, steps_of
from controller.details.verdict import verdict
from controller.details.waveform import peaks
from controller.details.words import sip
from controller.phone_number import PhoneNumber
from controller.recordings.download import recording_path_and_query
from controller.recordings.files import recording_path
from controller.recordings.links import LinkSigner
from controller.settings import Settings
from controller.store.call_detail import StoredCall, stored_call
from controller.store.database import Database
from controller.store.recordings import KEPT
from controller.store.tables import CdrPush, Service
from controller.wording import Say, english


@dataclass
class CallDetails:
    """Tells of one call."""

    database: Database
    settings: Settings
    clock: Clock
    signer: LinkSigner
    captures: Captures

    async def report(
        self, name: str, *, of_account: str | None, say: Say = english, inside: bool = False
    ) -> CallReport | None:
        """All of the call with this session id or call id; None if there is none, or another account's.

        :param of_account: the only account whose calls are seen; None sees all.
        :param inside: whether whole SIP messages with the addresses of carriers may be seen.
        """
        stored = await self.database.read(partial(stored_call, name=name, account_id=of_account))
        if stored is None:
            return None
        captures = await self.captures.of_call(stored.call.id)
        return self._report(stored, await self._recording(stored), captures, say, inside)

    async def messages(self, name: str, *, of_account: str | None) -> list[Message] | None:
        """The SIP messages of a call as they are kept, in order; None if there is no such call."""
        stored = await self.database.read(partial(stored_call, name=name, account_id=of_account))
        if stored is None:
            return None
        captures = await self.captures.of_call(stored.call.id)
        return sorted((message for leg in captures.legs for message in leg.messages), key=lambda it: it.at)

    def _report(
        self,
        stored: StoredCall,
        recording: RecordingReport | None,
        captures: CallCapture,
        say: Say,
        inside: bool,
    ) -> CallReport:
        call, record = stored.call, stored.record or {}
        timeline = timeline_of(stored)
        end = call.ended_at or self.clock.now()
        legs = [leg_report(stored, timeline, name, end, say) for name in leg_names(call)]
        digits, decisions = not self.settings.details.mask_digits, self._decisions(stored, timeline, say)
        bodies = Bodies(stored, self.clock, digits=digits)
        return CallReport(
            verdict=verdict(stored, timeline, legs, say),
            request=_request(stored),
            decisions=decisions,
            state_code=call.state_code,
            cut_point=record.get("cut_point"),
            sip_status=record.get("sip_status", 0),
            sip_text=sip(record.get("sip_status", 0)),
            legs=legs,
            steps=steps_of(stored, timeline, digits=digits, say=say),
            pushes=[
                PushReport(
                    **attempt.model_dump(include=set(PushReport.model_fields)), body=bodies.of(attempt)
                )
                for attempt in stored.attempts
            ],
            cdr_delivery=None if stored.cdr_push is None else _delivery(stored.cdr_push),
            cost=_cost(stored),
            recording=recording,
            capture=capture_report(
                call.accepted_at, legs, captures, say, simulated=decisions.simulated, inside=inside
            ),
        )

    def _decisions(self, stored: StoredCall, timeline: Timeline, say: Say) -> Decisions:
        call = stored.call
        prefix = self.settings.calls.simulated_prefix
        numbers = [number for number in (call.callee, call.addressee) if number is not None]
        callback = call.service == Service.CALLBACK
        return Decisions(
            controller=call.controller,
            node=call.node,
            first_trunk=timeline.leg("a").trunk,
            second_trunk=timeline.leg("b").trunk,
            failovers=[
                failover(entry.detail, (entry.leg or "a").upper() if callback else say("the callee"), say)
                for entry in timeline.entries
                if entry.kind is Kind.FAILOVER
            ],
            simulated=bool(prefix) and any(is_simulated(PhoneNumber(number), prefix) for number in numbers),
        )

    async def _recording(self, stored: StoredCall) -> RecordingReport | None:
        row = stored.recording
        if row is None:
            return None
        shape: list[float] = []
        if row.state in KEPT:
            path = recording_path(self.settings.recording_dir, row.call_id, row.started_at)
            shape = await asyncio.to_thread(_peaks, path)
        link = recording_path_and_query(self.signer, row.name) if row.state in KEPT else None
        return RecordingReport(name=row.name, state=row.state, seconds=row.seconds, link=link, peaks=shape)


def _peaks(path: Path) -> list[float]:
    try:
        return peaks(path)
    except OSError:
        # It was purged a moment ago, or lies on another node's disk.
        return []


def _request(stored: StoredCall) -> Request:
    call = stored.call
    callback = call.service == Service.CALLBACK
    return Request(
        service=Service(call.service),
        display_number=call.display_number,
        first_number=call.callee,
        second_display_number=call.second_display_number,
        second_number=call.addressee if callback else None,
        bind_number=call.bind_number,
        options=_options(call.plan) if call.plan else None,
        user_data=call.user_data,
        push_profile=call.push_profile,
    )


def _options(plan: dict[str, Any]) -> dict[str, Any]:
    """What a callback was asked for; of voices the customer's names, not where they lie."""
    return {
        name: value.get("name") if isinstance(value, dict) else value
        for name, value in plan.items()
        if name not in ("callee", "display_number")
    }


def _delivery(push: CdrPush) -> CdrDeliveryReport:
    state = "held" if push.due_at is None else "waiting"
    if push.filed_at is not None:
        state = "filed"
    if push.delivered_at is not None:
        state = "delivered"
    return CdrDeliveryReport.model_validate(
        {"state": state, "attempts": push.attempts, "next_at": push.due_at}
    )


def _cost(stored: StoredCall) -> Cost | None:
    rating = stored.rating
    if rating is None:
        return None
    return Cost(
        amount=rating.amount, minute_price=rating.minute_price, minutes=rating.minutes, legs=rating.legs
    )
