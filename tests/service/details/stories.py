"""Calls as they were lived: written to a real database the way the call service does."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from service.details.support import NOW, Desk
from sqlmodel import Session

from controller.calls.call import Callback, CallRequest, LiveCall, Notification, Plan, Prompt, kept_plan
from controller.calls.cdr import make_cdr
from controller.calls.outcome import Outcome
from controller.calls.timeline import Entry, Kind
from controller.capture.room import Captures
from controller.clock import SystemClock
from controller.details.one_call import CallDetails
from controller.details.report import CallReport
from controller.phone_number import PhoneNumber
from controller.recordings.links import LinkSigner
from controller.settings import DetailSettings, Settings
from controller.store.calls import add_entries, end_call

A, B = PhoneNumber("+8613900001111"), PhoneNumber("+8613866663333")
SHOWN, SHOWN_TO_B = PhoneNumber("+8657126880001"), PhoneNumber("+8657126880002")

Happening = tuple[float, Kind, str | None, dict[str, Any] | None]
"""Seconds after the acceptance, what, at which leg, and its detail."""


@dataclass
class Clock:
    at: datetime = NOW

    def now(self) -> datetime:
        return self.at


def callback(**changes: Any) -> Callback:
    return Callback(B, SHOWN_TO_B, wait_voice=Prompt("wait.wav", "sound:/x/secret-path", 2.0), **changes)


async def lived(
    desk: Desk,
    happenings: Sequence[Happening],
    outcome: Outcome | None,
    end: float = 0.0,
    plan: Plan | None = None,
) -> str:
    """A call to which this happened; it goes on if there is no outcome. Returns its session id."""
    plan = plan or Notification(())
    request = CallRequest("acme", "acme-1", SHOWN, A, plan, user_data="order 7")
    second = plan.display_number.e164 if isinstance(plan, Callback) else None
    call_id = await desk.begin(
        service=plan.service,
        app_key="acme-2" if second else "acme-1",
        callee=A.e164,
        addressee=request.addressee.e164,
        second_display_number=second,
        plan=kept_plan(plan),
        user_data="order 7",
    )
    session_id = f"{call_id}@host.example"
    call = LiveCall(call_id, session_id, request, SystemClock(), lambda _call, _entry: None)
    call.timeline.add(Entry(0, NOW, Kind.ACCEPTED))
    for number, (seconds, kind, leg, detail) in enumerate(happenings, start=1):
        call.timeline.add(Entry(number, NOW + timedelta(seconds=seconds), kind, leg, detail or {}))
    rows = [
        {
            "call_id": call_id,
            "sequence": entry.sequence,
            "at": entry.at,
            "kind": entry.kind,
            "leg": entry.leg,
            "detail": entry.detail or None,
        }
        for entry in call.timeline.entries[1:]
    ]

    def write(session: Session) -> None:
        if rows:
            add_entries(session, rows)
        if outcome is None:
            return
        ended_at = NOW + timedelta(seconds=end)
        end_call(
            session,
            call_id,
            ended_at=ended_at,
            state_code=outcome.state_code,
            last_entry={
                "call_id": call_id,
                "sequence": len(rows) + 1,
                "at": ended_at,
                "kind": Kind.DISCONNECT,
                "leg": None,
                "detail": {
                    "state_code": outcome.state_code,
                    "text": outcome.text,
                    "cut_point": outcome.cut_point,
                    "party": outcome.leg,
                },
            },
            cdr=make_cdr(call, outcome, ended_at, "host.example").to_json(),
            app_key=request.app_key,
            delivery=None,
        )

    await desk.database.write(write)
    return session_id


def details_of(desk: Desk, *, mask_digits: bool = False, now: float = 0.0) -> CallDetails:
    settings = Settings(data_dir=Path(desk.directory), details=DetailSettings(mask_digits=mask_digits))
    clock = Clock(NOW + timedelta(seconds=now))
    signer = LinkSigner(b"k" * 32, clock, timedelta(minutes=30))
    return CallDetails(desk.database, settings, clock, signer, Captures(settings.capture, None, clock))


async def told(desk: Desk, *arguments: Any, **more: Any) -> CallReport:
    """What is told of a call that was lived so."""
    session_id = await lived(desk, *arguments, **more)
    report = await details_of(desk).report(session_id, of_account="acme")
    assert report is not None
    return report
