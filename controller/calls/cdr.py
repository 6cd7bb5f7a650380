"""The call detail record: what a call was and how it ended. Written once, when it ends."""

import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Self

import msgspec

from controller.calls.call import Callback, LiveCall
from controller.calls.outcome import Outcome
from controller.calls.timeline import LegTimes


@dataclass(frozen=True)
class CallDetailRecord:
    """Everything that a bill or a customer wants to know of one call; numbers are E.164 text."""

    record_id: str
    session_id: str
    account_id: str
    app_key: str
    service: str
    host_name: str
    display_number: str
    callee: str
    second_display_number: str | None
    second_callee: str | None
    first_leg: LegTimes
    second_leg: LegTimes
    ended_at: datetime
    state_code: int
    cut_point: int
    sip_status: int
    first_leg_cause: int
    second_leg_cause: int
    collection_started_at: datetime | None
    keys: str
    tts_plays: int
    recording_name: str | None
    recording_started_at: datetime | None
    user_data: str | None
    speech_seconds: int = 0
    """What synthesis took; not in records of earlier versions."""
    bind_number: str | None = None
    """Not in records of earlier versions."""

    @property
    def failed(self) -> bool:
        return self.cut_point != 0

    def to_json(self) -> dict[str, Any]:
        """A form that fits in a JSON column; times are ISO 8601."""
        record: dict[str, Any] = msgspec.to_builtins(self)
        return record

    @classmethod
    def from_json(cls, record: dict[str, Any]) -> Self:
        """The inverse of `to_json`."""
        return msgspec.convert(record, cls)


SHORTEST_RECORDING = timedelta(seconds=3)
"""Of talk; what is shorter leaves no file."""


@dataclass(frozen=True)
class CallRecording:
    """What was recorded of a call; `kept` unless there was too little talk."""

    name: str
    started_at: datetime
    kept: bool


def recording_of(call: LiveCall, ended_at: datetime) -> CallRecording | None:
    """The recording of a call that has ended, if it was recorded."""
    started_at, answered = call.timeline.recording_started, call.timeline.leg("b").answered
    if started_at is None or answered is None:
        return None
    return CallRecording(f"{call.id}.wav", started_at, ended_at - answered >= SHORTEST_RECORDING)


def make_cdr(
    call: LiveCall,
    outcome: Outcome,
    ended_at: datetime,
    host_name: str,
    recorded_until: datetime | None = None,
) -> CallDetailRecord:
    """The record of a call that ended with `outcome`; `recorded_until` if that may be later than its end."""
    timeline, request = call.timeline, call.request
    second = request.numbers_of("b") if isinstance(request.plan, Callback) else None
    recorded = recording_of(call, recorded_until or ended_at)
    kept = recorded is not None and recorded.kept
    return CallDetailRecord(
        record_id=f"CAE-{ended_at:%Y%m%d%H%M%S}-{call.id}"[:64],
        session_id=call.session_id,
        account_id=request.account_id,
        app_key=request.app_key,
        service=request.service,
        host_name=host_name,
        display_number=request.display_number.e164,
        callee=request.callee.e164,
        second_display_number=second[0].e164 if second else None,
        second_callee=second[1].e164 if second else None,
        first_leg=timeline.leg("a"),
        second_leg=timeline.leg("b"),
        ended_at=ended_at,
        state_code=outcome.state_code,
        cut_point=outcome.cut_point,
        sip_status=outcome.sip_status,
        first_leg_cause=0 if outcome.leg == "b" else outcome.cause,
        second_leg_cause=outcome.cause if outcome.leg == "b" else 0,
        collection_started_at=timeline.collection_started,
        keys="".join(timeline.collected),
        tts_plays=timeline.spoken_plays,
        recording_name=recorded.name if recorded and kept else None,
        recording_started_at=recorded.started_at if recorded and kept else None,
        user_data=request.user_data,
        speech_seconds=math.ceil(timeline.speech_seconds),
        bind_number=request.bind_number.e164 if request.bind_number else None,
    )


def gathered(ended_at: datetime, gathering: timedelta) -> datetime:
    """When a record is due: after the second in which it ended, so that its companions are there too."""
    return ended_at.replace(microsecond=0) + gathering
