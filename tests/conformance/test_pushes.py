"""What is pushed: every event and every field of each service, held against the documented schemas."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from conformance.confidence import Findings, inferred
from conformance.deployment import Customer, check_push
from conformance.signatures import check_aksk, check_webhook

from testbed.push_receiver import Reply, StatusPush

LEG = {"timestamp", "sessionId", "userData", "caller", "called"}
COLLECTED = {"timestamp", "sessionId", "userData", "digitInfo"}
END = LEG | {"stateCode", "stateDesc"}

FEE = {
    "direction",
    "spId",
    "appKey",
    "icid",
    "bindNum",
    "sessionId",
    "callerNum",
    "calleeNum",
    "callEndTime",
    "fwdUnaswRsn",
    "ulFailReason",
    "sipStatusCode",
    "callOutStartTime",
    "callOutUnaswRsn",
    "recordFlag",
    "ttsPlayTimes",
    "ttsTransDuration",
    "serviceType",
    "hostName",
    "userData",
}
MANDATORY = {"direction", "spId", "appKey", "bindNum", "sessionId", "callerNum", "calleeNum"}
"""Fields that a CDR always has; which of the others it has is for the platform to say."""
ANSWERED = {"callOutAlertingTime", "callOutAnswerTime"}
SECOND_LEG = {"fwdDisplayNum", "fwdDstNum", "fwdStartTime", "fwdAlertingTime", "fwdAnswerTime"}
RECORDED = {"recordStartTime", "recordObjectName", "recordBucketName", "recordDomain"}

ANSWERS, STAYS = "016 01 001", "016 01 000"
PRESSES = "016 01 000 1234"


def told(statuses: list[StatusPush]) -> list[tuple[str, str | None]]:
    """Events with the phone that each is about."""
    return [(status.event_type, status.info.get("called")) for status in statuses]


async def over(customer: Customer, session_id: str) -> tuple[list[StatusPush], dict[str, Any]]:
    """The end of a call, all of whose pushes are as documented."""
    statuses, cdr = await customer.over(session_id)
    for status in statuses:
        check_push("status", status.push.json)
        assert status.push.header("Content-Type") == "application/json;charset=UTF-8"
        assert status.push.method == "POST"
        is_recent(status.info["timestamp"])
    check_push("fee", {"eventType": "fee", "feeLst": [cdr]})
    at, receiver = customer.at, customer.receiver
    secrets = at.webhook_secrets.split() if cdr["appKey"] == at.notification_key else []
    for push in receiver.pushes:
        if session_id.encode() in push.body:
            check_aksk(push, at.signing, cdr["appKey"], at.secret, receiver.url(push.path))
            check_webhook(push, secrets)
    is_recent(cdr["callEndTime"])
    return statuses, cdr


def has_fields(findings: Findings, cdr: dict[str, Any], expected: set[str]) -> None:
    """A CDR has what is mandatory, and just these fields in all."""
    assert set(cdr) >= MANDATORY
    findings.expect("6", "fields of a CDR", sorted(cdr), sorted(expected))


def is_recent(text: str) -> None:
    """Pushes speak UTC."""
    at = datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
    assert abs(datetime.now(UTC) - at) < timedelta(minutes=3)


@pytest.mark.requirement("A2.1", "B1", "B2")
async def test_B1_given_a_notification_when_it_is_heard_then_its_events_and_cdr_have_just_their_fields(
    customer: Customer,
    findings: Findings,
) -> None:
    at, callee = customer.at, customer.at.callee(ANSWERS)
    session = await customer.call("callnotify", calleeNbr=callee, userData="job-1")

    statuses, cdr = await over(customer, session)

    assert told(statuses) == [(event, callee) for event in ("callout", "alerting", "answer", "disconnect")]
    assert [set(status.info) for status in statuses] == [LEG, LEG, LEG, END]
    assert {status.info["caller"] for status in statuses} == {at.display}
    assert {status.info["userData"] for status in statuses} == {"job-1"}
    assert (statuses[-1].info["stateCode"], statuses[-1].info["stateDesc"]) == (
        0,
        "The user releases the call.",
    )
    has_fields(findings, cdr, FEE | ANSWERED)
    expected = {
        "appKey": at.notification_key,
        "bindNum": at.display,
        "callerNum": at.display,
        "calleeNum": callee,
        "direction": 0,
        "serviceType": "001",
        "ulFailReason": 0,
        "userData": "job-1",
        "recordFlag": 0,
    }
    assert {name: cdr[name] for name in expected} == expected
    assert session.endswith(f"@{cdr['hostName']}")


@pytest.mark.requirement("A2.2", "A2.3", "B1")
async def test_A2_2_given_a_notification_that_collects_when_keys_are_pressed_then_they_are_pushed(
    customer: Customer,
    findings: Findings,
) -> None:
    item = {"notifyVoice": customer.at.sound, "collectInd": 2}
    replayed = {**item, "replayAfterCollection": "true", "collectContentTriggerReplaying": "12"}
    session = await customer.call(
        "callnotify", calleeNbr=customer.at.callee(PRESSES), playInfoList=[replayed], userData="x"
    )

    statuses, cdr = await over(customer, session)

    collected = [status for status in statuses if status.event_type == "collectInfo"]
    assert [status.info["digitInfo"] for status in collected] == ["12", "34"]
    assert [set(status.info) for status in collected] == [COLLECTED, COLLECTED]
    assert cdr["dynIVRPath"] == "1-2-3-4"
    has_fields(findings, cdr, FEE | ANSWERED | {"dynIVRStartTime", "dynIVRPath"})


@pytest.mark.requirement("A2.2")
async def test_A2_2_given_a_notification_that_collects_when_no_key_is_pressed_then_8008(
    customer: Customer,
    findings: Findings,
) -> None:
    item = {"notifyVoice": customer.at.sound, "collectInd": 1}
    session = await customer.call("callnotify", calleeNbr=customer.at.callee(STAYS), playInfoList=[item])

    statuses, cdr = await over(customer, session)

    assert statuses[-1].info["stateCode"] == 8008
    assert cdr["ulFailReason"] == 100
    has_fields(findings, cdr, (FEE | ANSWERED | {"dynIVRStartTime", "failTime"}) - {"userData"})


@pytest.mark.requirement("A3.1", "B1", "B2")
async def test_A3_1_given_a_verification_code_when_it_is_heard_then_the_code_is_in_no_push(
    customer: Customer,
    findings: Findings,
) -> None:
    callee = customer.at.callee("016 01 004")
    session = await customer.call("callVerify", calleeNbr=callee, verifyCode="59035903", times=0)

    statuses, cdr = await over(customer, session)

    assert [status.event_type for status in statuses] == ["callout", "alerting", "answer", "disconnect"]
    has_fields(findings, cdr, (FEE | ANSWERED) - {"userData"})
    assert (cdr["serviceType"], cdr["ttsPlayTimes"]) == ("001", 0)
    assert all(b"59035903" not in push.body for push in customer.receiver.pushes)


@pytest.mark.requirement("A1.1", "A1.5", "B1", "B2")
async def test_A1_1_given_a_recorded_callback_when_both_talk_then_events_cdr_and_recording_are_right(
    customer: Customer,
    findings: Findings,
) -> None:
    at = customer.at
    a, b = at.callee(STAYS), at.callee("016 01 004")
    session = await customer.call(
        "click2Call",
        callerNbr=a,
        calleeNbr=b,
        recordFlag="true",
        partyTypeRequiredInDisconnect="true",
        userData="order-77",
    )

    statuses, cdr = await over(customer, session)

    events = ("callout", "alerting", "answer")
    assert told(statuses) == [(e, a) for e in events] + [(e, b) for e in events] + [("disconnect", a)]
    assert [status.info["caller"] for status in statuses] == [at.display] * 3 + [at.second_display] * 3 + [
        at.display
    ]
    assert set(statuses[-1].info) == END | {"partyType"}
    findings.expect("5", "partyType of who hung up", statuses[-1].info["partyType"], "callee")
    has_fields(findings, cdr, FEE | ANSWERED | SECOND_LEG | RECORDED)
    assert (cdr["serviceType"], cdr["recordFlag"]) == ("002", 1)
    assert (cdr["callerNum"], cdr["calleeNum"]) == (at.display, a)
    assert (cdr["fwdDisplayNum"], cdr["fwdDstNum"]) == (at.second_display, b)
    assert cdr["recordObjectName"].endswith(".wav")


@pytest.mark.requirement("A1.6")
async def test_A1_6_given_calls_under_way_when_stopped_then_8017_and_a_second_stop_is_refused(
    customer: Customer,
    findings: Findings,
) -> None:
    at = customer.at
    ringing = at.callee("019 50 000")
    session = await customer.call("click2Call", callerNbr=ringing)
    await customer.receiver.wait_status(session, "alerting")
    stop = {"sessionid": session, "signal": "call_stop"}

    foreign = await customer.ask("callStop", stop, key=at.notification_key)
    first = await customer.ask("callStop", stop, key=at.callback_key)
    statuses, cdr = await over(customer, session)
    second = await customer.ask("callStop", stop, key=at.callback_key)

    assert foreign.code == "1020152"
    assert first.body == {"resultcode": "0", "resultdesc": "Success"}
    assert statuses[-1].event_type == "disconnect"
    codes = (statuses[-1].info["stateCode"], cdr["ulFailReason"])
    findings.expect("4.2", "codes of a call that was stopped", codes, (8017, 1003))
    assert second.code in ("1020152", "1010002")


OUTCOMES = {
    "017 01 000": (8102, 519, 17),
    "021 01 000": (8105, 519, 21),
    "001 00 000": (8100, 519, 1),
    "020 00 000": (8103, 519, 20),
    "019 01 000": (8101, 514, 19),
    "034 00 000": (8001, 519, 34),
}
"""What a simulated callee does -> stateCode, ulFailReason, Q.850 cause."""


@pytest.mark.requirement("B1", "B2", "A4.1")
@inferred("7.5", "which codes what a phone does gets")
async def test_B2_given_callees_that_cannot_be_reached_when_called_at_once_then_each_has_its_own_codes(
    customer: Customer,
) -> None:
    sessions = {
        outcome: await customer.call("callnotify", calleeNbr=customer.at.callee(outcome))
        for outcome in OUTCOMES
    }

    ends = await asyncio.gather(*(over(customer, session) for session in sessions.values()))

    found = {
        outcome: (statuses[-1].info["stateCode"], cdr["ulFailReason"], cdr["callOutUnaswRsn"])
        for outcome, (statuses, cdr) in zip(OUTCOMES, ends, strict=True)
    }
    assert found == OUTCOMES
    assert all("failTime" in cdr and "callOutAnswerTime" not in cdr for _statuses, cdr in ends)


@pytest.mark.requirement("B1")
@inferred("7.5", "which codes what a phone does gets")
async def test_B1_given_b_is_busy_in_a_callback_when_it_ends_then_the_second_legs_cause_is_told(
    customer: Customer,
) -> None:
    session = await customer.call(
        "click2Call", callerNbr=customer.at.callee(STAYS), calleeNbr=customer.at.callee("017 01 000")
    )

    statuses, cdr = await over(customer, session)

    assert (statuses[-1].info["stateCode"], cdr["ulFailReason"], cdr["fwdUnaswRsn"]) == (8102, 518, 17)
    assert "partyType" not in statuses[-1].info


@pytest.mark.requirement("B1", "B2")
async def test_B1_given_receivers_that_fail_when_pushed_to_then_statuses_are_not_repeated(
    customer: Customer,
) -> None:
    customer.receiver.plan(Reply(500), path="/s")
    session = await customer.call("callnotify", calleeNbr=customer.at.callee(ANSWERS))

    statuses, _cdr = await over(customer, session)

    events = [status.event_type for status in statuses]
    assert events == ["callout", "alerting", "answer", "disconnect"]
