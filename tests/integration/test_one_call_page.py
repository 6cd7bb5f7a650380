"""The page of one call on a real Asterisk: SIP of both legs and media quality, in the page and by API."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import pytest
from integration.support import CALLED, SECOND, Bench, StartBench
from sqlmodel import Session

from controller.management.passwords import digest
from controller.management.roles import Role
from controller.store.management_tables import LoginSession, User
from testbed.softphone_plan import Answer, Digits, Reject, Tone

pytestmark = [pytest.mark.requirement("B4"), pytest.mark.requirement("C9")]

OFTEN = [("rtp.conf", "[general]\nrtpstart = 10000\nrtpend = 19999\nicesupport = no\nrtcpinterval = 500\n")]
"""Asterisk reports twice a second, not every 5 s."""
COOKIE = "browser-of-the-operator"


async def see(b: Bench, path: str) -> bytes:
    """What the operator's administrator gets below /console/calls."""

    def known(session: Session) -> None:
        if session.get(User, "usr_page") is not None:
            return
        now = datetime.now(UTC)
        session.add(
            User(
                id="usr_page",
                login="page",
                role=Role.ADMINISTRATOR,
                account_id=None,
                password_hash="none",
                created_at=now,
            )
        )
        session.flush()
        session.add(
            LoginSession(
                digest=digest(COOKIE),
                user_id="usr_page",
                address="127.0.0.1",
                expires_at=now + timedelta(days=1),
            )
        )

    await b.controller.database.write(known)
    headers = {"Cookie": f"voicecall={COOKIE}"}
    async with (
        aiohttp.ClientSession(b.controller.url) as http,
        http.get(f"/console/calls/{path}", headers=headers) as answer,
    ):
        assert answer.status == 200, await answer.text()
        return await answer.read()


async def told(b: Bench, session_id: str) -> dict[str, Any]:
    """All that is known of the call."""
    import json

    found: dict[str, Any] = json.loads(await see(b, f"{session_id}/download/bundle.json"))["debug"]
    return found


async def whole(b: Bench, session_id: str, last: str, legs: int = 1) -> dict[str, Any]:
    """All that is known once the last SIP message of each leg is there: it comes by a way of its own."""
    async with asyncio.timeout(10):
        while True:
            report = await told(b, session_id)
            texts = ladder(report)
            if sum(text == last for _leg, _sent, text in texts) >= legs:
                return report
            await asyncio.sleep(0.05)


def ladder(report: dict[str, Any]) -> list[tuple[str, bool, str]]:
    """(leg, sent by the node, what) of each message; the answer to a BYE is told with its method."""
    return [
        (it["leg"], it["sent"], f"{it['text']} BYE" if it["status"] and it["method"] == "BYE" else it["text"])
        for it in report["capture"]["messages"]
        if it["text"] != "100 Trying"
    ]


async def test_B4_given_a_notification_to_a_phone_when_over_then_page_and_api_have_its_sip_and_quality(
    bench: StartBench,
) -> None:
    b = await bench(Answer(digits=(Digits("7", after=3.0),)), files=OFTEN)
    item = {"notifyVoice": "long.wav", "collectInd": 1}
    session = await b.notify(item)
    await b.receiver.wait_status(session, "answer")
    running = (await see(b, session)).decode()
    await b.over(session)

    report = await whole(b, session, "200 OK BYE")

    assert "has answered" in running
    assert "hx-sse:connect" in running
    assert ladder(report) == [
        ("a", True, "INVITE"),
        ("a", False, "180 Ringing"),
        ("a", False, "200 OK"),
        ("a", True, "ACK"),
        ("a", True, "BYE"),
        ("a", False, "200 OK BYE"),
    ]
    page = (await see(b, session)).decode()
    for text in ("INVITE", "180 Ringing", "200 OK", "BYE", "200 OK (BYE)", "PCMA"):
        assert text in page
    heard = {it["direction"]: it for it in report["capture"]["quality"]}
    assert heard["to_phone"]["reports"] >= 1
    assert heard["to_phone"]["packets"] >= 25
    assert heard["to_phone"]["codec"] == "PCMA"
    assert 1 <= heard["to_phone"]["mos"] <= 4.5
    # Messages stand where they happened among the steps of the flow.
    answered = next(step["at"] for step in report["steps"] if step["kind"] == "answer")
    accepted = next(it["at"] for it in report["capture"]["messages"] if it["text"] == "200 OK")
    apart = datetime.fromisoformat(answered) - datetime.fromisoformat(accepted)
    assert abs(apart) < timedelta(seconds=2)
    capture = await see(b, f"{session}/download/capture.pcap")
    assert capture[:4] == b"\xd4\xc3\xb2\xa1"
    assert capture.count(b"INVITE sip:") == 1


async def test_B4_given_a_callback_when_over_then_both_legs_are_on_one_ladder(bench: StartBench) -> None:
    phones = {SECOND: Answer(play=Tone(900), hang_up_after=2.5)}
    b = await bench(Answer(play=Tone(700)), phones=phones, files=OFTEN)
    session = await b.call_back()
    await b.over(session, 25)

    report = await whole(b, session, "200 OK BYE", legs=2)

    for leg, bye in (("a", True), ("b", False)):
        assert [it for it in ladder(report) if it[0] == leg] == [
            (leg, True, "INVITE"),
            (leg, False, "180 Ringing"),
            (leg, False, "200 OK"),
            (leg, True, "ACK"),
            (leg, bye, "BYE"),
            (leg, not bye, "200 OK BYE"),
        ]
    # A is heard of before B is dialled, and B's end is before A's.
    order = [(leg, text) for leg, _sent, text in ladder(report)]
    assert order.index(("a", "200 OK")) < order.index(("b", "INVITE"))
    assert order.index(("b", "BYE")) < order.index(("a", "BYE"))
    assert {it["leg"] for it in report["capture"]["quality"]} == {"a", "b"}
    assert all(it["packets"] >= 10 for it in report["capture"]["quality"])
    text = (await see(b, f"{session}/download/ladder.txt")).decode()
    assert "B answered" in text.splitlines()[0]
    page = (await see(b, session)).decode()
    assert page.count("200 OK (BYE)") >= 2


async def test_B4_given_calls_without_sound_when_shown_then_the_page_says_why_there_are_no_reports(
    bench: StartBench,
) -> None:
    b = await bench(Reject(486))
    refused, simulated = await b.notify(), await b.notify(callee="+99901600003")
    for session in (refused, simulated):
        await b.over(session)

    report = await whole(b, refused, "ACK")
    without = await told(b, simulated)

    assert [text for _leg, _sent, text in ladder(report)] == ["INVITE", "486 Busy Here", "ACK"]
    assert report["capture"]["quality_missing"] == {"a": "It was not answered."}
    assert report["verdict"].startswith("The callee was busy")
    assert "no phone" in without["capture"]["missing"]
    assert "no phone" in without["capture"]["quality_missing"]["a"]
    assert "A simulated callee took part" in (await see(b, simulated)).decode()
    assert CALLED in (await see(b, refused)).decode()
