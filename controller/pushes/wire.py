"""The two messages in the wire API's names. Source: wire API document, sections 5 and 6."""

from datetime import datetime
from typing import Any

from controller.calls.call import Callback, LiveCall
from controller.calls.cdr import CallDetailRecord
from controller.calls.timeline import Entry, Kind

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
    return moment.strftime("%Y-%m-%d %H:%M:%S")


def status_message(call: LiveCall, entry: Entry) -> dict[str, Any] | None:
    """The status push for something that happened, None if the customer is not told of it."""
    event_type = _EVENT_TYPES.get(entry.kind)
    if event_type is None:
        return None
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
    return {"eventType": event_type, "statusInfo": info}


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
