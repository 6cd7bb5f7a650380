"""The two messages in the wire API's names. Source: wire API document, sections 5 and 6."""

import hashlib
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import msgspec

from controller.calls.call import Callback, LiveCall
from controller.calls.cdr import CallDetailRecord, gathered
from controller.calls.timeline import Entry, Kind
from controller.pushes.push import Push

GATHERING = timedelta(seconds=1.2)
"""How long a record waits for others of its app that end in the same second."""

_EVENT_TYPES = {
    Kind.CALLOUT: "callout",
    Kind.ALERTING: "alerting",
    Kind.ANSWER: "answer",
    Kind.COLLECTED: "collectInfo",
    Kind.DISCONNECT: "disconnect",
}

_PARTY_TYPES = {"a": "caller", "b": "callee", None: "platform"}
"""The cloud's values are not known; these say who hung up."""

_BUCKET = "recordings"
_SERVICE_TYPES = {"callback": "002", "notification": "001", "verification": "001"}


def wire_time(moment: datetime) -> str:
    """UTC in whole seconds, as the wire API has it."""
    return moment.isoformat(" ")[:19]


def is_told(call: LiveCall, entry: Entry) -> bool:
    """Whether the customer is told of something that happened."""
    return call.request.status_url is not None and entry.kind in _EVENT_TYPES


def status_push(call: LiveCall, entry: Entry, attempt: int = 1) -> Push:
    """The push that tells of something that happened; only for what `is_told`.

    What it carries follows from the call's timeline alone, so that it is the same at every attempt.
    """
    message = status_message(call, entry)
    number = _number(call, entry)
    return Push(
        call.request.app_key,
        call.request.status_url or "",
        f"msg_{call.id}_{number}",
        message["eventType"],
        msgspec.json.encode(message),
        (call.id,),
        number,
        attempt,
        entry.at,
    )


def _number(call: LiveCall, entry: Entry) -> int:
    """How many pushes there were before it; entries that a crash took count, as they may have been told."""
    # The first entry, of the acceptance, is never told and not always there.
    before = [earlier.kind for earlier in call.timeline.entries if 0 < earlier.sequence < entry.sequence]
    missing = max(0, entry.sequence - 1 - len(before))
    return missing + sum(kind in _EVENT_TYPES for kind in before)


def status_message(call: LiveCall, entry: Entry) -> dict[str, Any]:
    """The status push for something that happened, in the wire API's names."""
    info: dict[str, Any] = {"timestamp": wire_time(entry.at), "sessionId": call.session_id}
    if call.request.user_data is not None:
        info["userData"] = call.request.user_data
    if entry.kind is Kind.COLLECTED:
        info["digitInfo"] = entry.detail["digits"]
    else:
        shown, called = call.request.numbers_of(entry.leg or "a")
        info["caller"] = shown.e164
        info["called"] = called.e164
    if entry.kind is Kind.DISCONNECT:
        info["stateCode"] = entry.detail["state_code"]
        info["stateDesc"] = entry.detail["text"]
        plan = call.request.plan
        if isinstance(plan, Callback) and plan.tells_party:
            info["partyType"] = _PARTY_TYPES[entry.detail.get("party")]
    return {"eventType": _EVENT_TYPES[entry.kind], "statusInfo": info}


def status_messages(call: LiveCall) -> list[dict[str, Any]]:
    """What there is to tell of a call so far, in order, whether or not the customer wants to know."""
    return [status_message(call, entry) for entry in call.timeline.entries if entry.kind in _EVENT_TYPES]


def fee_push(app_key: str, url: str, records: Mapping[str, CallDetailRecord], attempt: int = 1) -> Push:
    """The CDR push for records of one app, by call."""
    ids = sorted(records)
    digest = hashlib.sha256(",".join(ids).encode()).hexdigest()[:32]
    message = fee_message(list(records.values()))
    return Push(
        app_key,
        url,
        f"msg_cdr_{digest}",
        "fee",
        msgspec.json.encode(message),
        tuple(ids),
        None,
        attempt,
        min(gathered(record.ended_at, GATHERING) for record in records.values()),
    )


def fee_message(records: list[CallDetailRecord]) -> dict[str, Any]:
    """The CDR push for records of one app."""
    return {"eventType": "fee", "feeLst": [fee_info(record) for record in records]}


def fee_info(record: CallDetailRecord) -> dict[str, Any]:
    """One record; what does not apply is left out."""
    first, second = record.first_leg, record.second_leg
    moments = {
        "callOutStartTime": first.dialled,
        "callOutAlertingTime": first.ringing,
        "callOutAnswerTime": first.answered,
        "fwdStartTime": second.dialled,
        "fwdAlertingTime": second.ringing,
        "fwdAnswerTime": second.answered,
        "callEndTime": record.ended_at,
        "failTime": record.ended_at if record.failed else None,
        "dynIVRStartTime": record.collection_started_at,
        "recordStartTime": record.recording_started_at,
    }
    info: dict[str, Any] = {
        "direction": 0,
        "spId": record.account_id,
        "appKey": record.app_key,
        "icid": record.record_id,
        "bindNum": record.bind_number or record.display_number,
        "sessionId": record.session_id,
        "callerNum": record.display_number,
        "calleeNum": record.callee,
        "fwdUnaswRsn": record.second_leg_cause,
        "ulFailReason": record.cut_point,
        "sipStatusCode": record.sip_status,
        "callOutUnaswRsn": record.first_leg_cause,
        "recordFlag": 1 if record.recording_name else 0,
        "ttsPlayTimes": record.tts_plays,
        "ttsTransDuration": record.speech_seconds,
        "serviceType": _SERVICE_TYPES[record.service],
        "hostName": record.host_name,
    }
    info |= {name: wire_time(at) for name, at in moments.items() if at is not None}
    if record.second_callee is not None:
        info["fwdDisplayNum"] = record.second_display_number
        info["fwdDstNum"] = record.second_callee
    if record.recording_name is not None:
        info["recordObjectName"] = record.recording_name
        info["recordBucketName"] = _BUCKET
        info["recordDomain"] = record.host_name
    if record.keys:
        info["dynIVRPath"] = "-".join(record.keys)
    if record.user_data is not None:
        info["userData"] = record.user_data
    return info
