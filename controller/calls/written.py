"""A call as it is written down: rows for the database."""

from datetime import datetime
from typing import Any

from controller.calls.call import LiveCall, is_inspected, kept_plan
from controller.calls.cdr import recording_of
from controller.calls.timeline import Entry


def call_row(call: LiveCall, controller: str) -> dict[str, Any]:
    """The call, when it is accepted; `controller` is whose it is."""
    request = call.request
    return {
        "id": call.id,
        "session_id": call.session_id,
        "account_id": request.account_id,
        "app_key": request.app_key,
        "service": request.service,
        "controller": controller,
        "node": call.node,
        "display_number": request.display_number.e164,
        "second_display_number": second.e164 if (second := request.second_display_number) else None,
        "bind_number": request.bind_number.e164 if request.bind_number else None,
        "callee": request.callee.e164,
        "addressee": request.addressee.e164,
        "plan": kept_plan(request.plan),
        "user_data": request.user_data,
        "status_url": request.status_url,
        "fee_url": request.fee_url,
        "push_profile": request.push_profile,
        "accepted_at": call.accepted_at,
    }


def entry_row(call_id: str, entry: Entry) -> dict[str, Any]:
    """An entry of its timeline."""
    return {
        "call_id": call_id,
        "sequence": entry.sequence,
        "at": entry.at,
        "kind": entry.kind,
        "leg": entry.leg,
        "detail": entry.detail or None,
    }


def recording_row(call: LiveCall, recorded_until: datetime) -> dict[str, Any] | None:
    """Its recording, when it has ended; None if it wasn't recorded."""
    recording = recording_of(call, recorded_until)
    if recording is None:
        return None
    return {
        "account_id": call.request.account_id,
        "name": recording.name,
        "node": call.node,
        "state": "pending" if recording.kept else "discard",
        "started_at": recording.started_at,
        "seconds": 0.0,
        "inspected": is_inspected(call.request.plan),
    }
