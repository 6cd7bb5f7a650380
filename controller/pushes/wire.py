"""The two messages in the wire API's names. Source: wire API document, sections 5 and 6."""

from datetime import datetime
from typing import Any

from controller.calls.call import LiveCall
from controller.calls.cdr import CallDetailRecord
from controller.calls.timeline import Entry, Kind

_EVENT_TYPES = {
    Kind.CALLOUT: "callout",
    Kind.ALERTING: "alerting",
    Kind.ANSWER: "answer",
    Kind.COLLECTED: "collectInfo",
    Kind.DISCONNECT: "disconnect",
}

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
        info["caller"] = call.request.display_number.e164
        info["called"] = call.request.callee.e164
    if entry.kind is Kind.DISCONNECT:
        info["stateCode"] = entry.detail["state_code"]
        info["stateDesc"] = entry.detail["text"]
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
    }
    info: dict[str, Any] = {
        "direction": 0,
        "spId": record.account_id,
        "appKey": record.app_key,
        "icid": record.record_id,
        "bindNum": record.display_number,
        "sessionId": record.session_id,
        "callerNum": record.display_number,
        "calleeNum": record.callee,
        "fwdUnaswRsn": record.second_leg_cause,
        "ulFailReason": record.cut_point,
        "sipStatusCode": record.sip_status,
        "callOutUnaswRsn": record.first_leg_cause,
        "recordFlag": 0,
        "ttsPlayTimes": record.tts_plays,
        "ttsTransDuration": 0,
        "serviceType": _SERVICE_TYPES[record.service],
        "hostName": record.host_name,
    }
    info |= {name: wire_time(at) for name, at in moments.items() if at is not None}
    if record.keys:
        info["dynIVRPath"] = "-".join(record.keys)
    if record.user_data is not None:
        info["userData"] = record.user_data
    return info
