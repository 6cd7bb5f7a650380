"""The page of one call, in a world without Asterisk: what it shows, to whom, in which language."""

import json
import re
from datetime import timedelta
from typing import Any
from xml.etree import ElementTree

import pytest
from service.console.conftest import Browser, browser
from service.management.test_calls import made
from service.management.world import ALPHA, BETA, World
from sqlmodel import Session
from unit.capture.messages import SDP, answer, received, report, request, sent

from controller.calls.timeline import Kind
from controller.management.roles import Role
from controller.store.calls import add_entries
from controller.store.tables import App, CdrPush, PushAttempt, Recording
from testbed.push_receiver import PushReceiver, Reply

pytestmark = [pytest.mark.requirement("B4"), pytest.mark.requirement("C9")]

HOSTILE = '<script>alert(1)</script>"onload=x'
BLOCK = b'{"report_blocks":[{"source_ssrc":1,"highest_seq_no":9}],"sender_information":{"packets":50}}'


async def happened(
    world: World, call_id: str, *entries: tuple[float, Kind, str | None, dict[str, Any]]
) -> None:
    """Put this into the call's timeline: seconds from the world's now, what, at which leg, its detail."""
    rows = [
        {
            "call_id": call_id,
            "sequence": 2 + number,
            "at": world.clock.now() + timedelta(seconds=seconds),
            "kind": kind,
            "leg": leg,
            "detail": detail or None,
        }
        for number, (seconds, kind, leg, detail) in enumerate(entries)
    ]
    await world.write(lambda session: add_entries(session, rows))


async def pushed(world: World, call_id: str, **more: Any) -> None:
    def write(session: Session) -> None:
        values: dict[str, Any] = {
            "call_id": call_id,
            "message_id": "msg",
            "app_key": "app-alpha",
            "url": "https://customer.example/status",
            "event_type": "callout",
            "sequence": 1,
            "attempt": 1,
            "at": world.clock.now() + timedelta(seconds=2),
            "latency_ms": 12,
            "status": 200,
            "answer": "{}",
            **more,
        }
        session.add(PushAttempt(**values))

    await world.write(write)


def spoken(world: World, call_id: str, leg: str = "a") -> None:
    """A leg with an INVITE that is answered with 486, and a report."""
    at = world.clock.now().timestamp()
    captures, sip_id = world.services.details.captures, f"sip-{call_id}-{leg}"
    captures.claim(f"{call_id}.{leg}", sip_id)
    captures.hear(
        sent(request("INVITE", 'Authorization: Digest response="5ecret"', body=SDP), sip_id=sip_id, at=at + 1)
    )
    captures.hear(received(answer(180, HOSTILE), sip_id=sip_id, at=at + 1.2))
    captures.hear(report(BLOCK, from_phone=True, sip_id=sip_id, at=at + 1.5))
    captures.hear(received(answer(486, "Busy Here"), sip_id=sip_id, at=at + 2))


async def test_C9_given_a_call_that_failed_when_its_page_is_shown_then_the_verdict_comes_first(
    here: World, admin: Browser
) -> None:
    call = await made(here, 1, state_code=8102)
    other = await made(here, 2, state_code=8102, account=BETA)
    unlike = await made(here, 3, state_code=8103)
    await happened(here, call, (1.5, Kind.CALLOUT, "a", {"trunk": "carrier-a"}))
    spoken(here, call)
    await here.index.catch_up()

    shown = await admin.get(f"/calls/{call}@host.example")

    assert shown.status == 200, shown.text
    verdict = shown.text.index("The callee was busy: never rang, over carrier-a.")
    assert verdict < shown.text.index("<svg", shown.text.index('id="call"'))
    assert "INVITE" in shown.text
    assert "486 Busy Here" in shown.text
    assert "5ecret" not in shown.text
    assert f"/console/calls/{other}" in shown.text
    assert f"/console/calls/{unlike}" not in shown.text
    assert "style=" not in shown.text
    assert "platform to phone" in shown.text


async def test_C9_given_an_application_with_a_name_when_its_call_is_shown_then_by_its_name(
    here: World, admin: Browser
) -> None:
    call = await made(here, 1, state_code=0)

    def rename(session: Session) -> None:
        session.get_one(App, f"app-{ALPHA}").name = "Parcels"

    await here.write(rename)
    shown = await admin.get(f"/calls/{call}@host.example")

    assert f'<a href="/console/applications/app-{ALPHA}">Parcels</a>' in shown.text
    assert f'data-copy="app-{ALPHA}"' in shown.text


async def test_C9_given_chinese_when_the_page_is_shown_then_verdict_steps_and_causes_are_chinese(
    here: World, admin: Browser
) -> None:
    call = await made(here, 1, state_code=8102)
    await happened(here, call, (1.5, Kind.CALLOUT, "a", {"trunk": "carrier-a"}))
    admin.cookies["voicecall-language"] = "zh-CN"

    shown = await admin.get(f"/calls/{call}")

    assert "被叫忙：未曾振铃，经 carrier-a。" in shown.text
    assert "经 carrier-a 呼叫被叫" in shown.text
    assert "was busy" not in shown.text
    assert "is called" not in shown.text
    # The API stays English whoever asks.
    told = await here.ask("GET", f"/calls/{call}?view=debug", headers={"Accept-Language": "zh-CN"})
    assert told.body["debug"]["verdict"].startswith("The callee was busy")


async def test_C9_given_hostile_names_when_the_page_is_shown_then_they_are_text(
    here: World, admin: Browser
) -> None:
    call = await made(here, 1, state_code=0, user_data=HOSTILE)
    await happened(
        here,
        call,
        (1.1, Kind.CALLOUT, "a", {"trunk": HOSTILE}),
        (1.2, Kind.ALERTING, "a", {}),
        (1.3, Kind.ANSWER, "a", {}),
        (1.4, Kind.PROMPT, "a", {"prompt": HOSTILE}),
    )
    spoken(here, call)
    await pushed(here, call, answer=HOSTILE, error=HOSTILE, failure="status", status=500)

    shown = await admin.get(f"/calls/{call}")

    assert shown.status == 200
    assert "<script>alert" not in shown.text
    assert '"onload' not in shown.text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in shown.text
    for name in ("timeline.svg", "ladder.svg"):
        picture = await admin.get(f"/calls/{call}/download/{name}")
        assert not [it for it in ElementTree.fromstring(picture.text).iter() if it.tag.endswith("script")]


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/live",
        "/download/bundle.json",
        "/download/timeline.svg",
        "/download/ladder.svg",
        "/download/ladder.txt",
        "/download/capture.pcap",
        "/recording",
    ],
)
async def test_C9_given_a_call_of_another_account_when_asked_for_then_there_is_none(
    here: World, path: str
) -> None:
    call = await made(here, 1, state_code=8102)
    spoken(here, call)
    stranger = await browser(here, Role.ADMINISTRATOR, BETA)

    shown = await stranger.get(f"/calls/{call}{path}")
    none = await stranger.get(f"/calls/1200_0_0{path}")

    assert "Busy Here" not in shown.text
    assert shown.status == none.status == (403 if path == "/download/capture.pcap" else 404)


async def test_C9_given_an_accounts_user_when_the_page_is_shown_then_addresses_of_carriers_are_hidden(
    here: World, admin: Browser
) -> None:
    call = await made(here, 1, state_code=8102)
    spoken(here, call)
    own = await browser(here, Role.ADMINISTRATOR, ALPHA)

    theirs, ours = await own.get(f"/calls/{call}"), await admin.get(f"/calls/{call}")

    assert "486 Busy Here" in theirs.text
    assert "192.0.2.7" not in theirs.text
    assert "192.0.2.7:5062" in ours.text
    bundle = json.loads((await own.get(f"/calls/{call}/download/bundle.json")).text)
    assert {message["source"] for message in bundle["debug"]["capture"]["messages"]} == {None}
    assert (await own.get(f"/calls/{call}/download/capture.pcap")).status == 403


async def test_C9_given_a_call_when_exported_then_each_file_has_it(here: World, admin: Browser) -> None:
    call = await made(here, 1, state_code=8102)
    spoken(here, call)

    ladder = await admin.get(f"/calls/{call}/download/ladder.txt")
    bundle = await admin.get(f"/calls/{call}/download/bundle.json")
    capture = await admin.raw(f"/calls/{call}/download/capture.pcap")

    lines = ladder.text.splitlines()
    assert any("INVITE" in line and "<" in line for line in lines)
    assert any("486 Busy Here" in line and ">" in line for line in lines)
    assert [it["text"] for it in json.loads(bundle.text)["debug"]["capture"]["messages"]][
        -1
    ] == "486 Busy Here"
    assert capture[:4] == b"\xd4\xc3\xb2\xa1"
    assert b"486 Busy Here" in capture
    assert b"5ecret" not in capture
    assert f'filename="{call}-ladder.txt"' in ladder.headers["Content-Disposition"]


async def test_C9_given_pushes_when_shown_then_every_attempt_can_be_copied_and_the_cdr_pushed_again(
    here: World, admin: Browser
) -> None:
    call = await made(here, 1, state_code=0, status_url="https://customer.example/status?token=5ecret")
    await happened(here, call, (1.1, Kind.CALLOUT, "a", {}))
    await pushed(here, call, attempt=1, status=None, failure="timeout", error="no answer in 5 s")
    await pushed(here, call, attempt=2)

    def held(session: Session) -> None:
        session.add(
            CdrPush(
                call_id=call,
                app_key="app-alpha",
                url="https://customer.example/fee",
                ended_at=here.clock.now(),
                attempts=7,
                filed_at=here.clock.now(),
            )
        )

    await here.write(held)
    shown = await admin.get(f"/calls/{call}")
    assert shown.text.count("curl -X POST https://customer.example/status") == 2
    assert "&#34;eventType&#34;:&#34;callout&#34;" in shown.text
    assert "written to the CDR file" in shown.text
    assert "5ecret" not in shown.text

    again = await admin.fill(f"/calls/{call}", f"/calls/{call}/push-again", {})

    assert (again.status, again.place) == (303, f"/console/calls/{call}")
    assert "waiting for the next attempt" in (await admin.get(f"/calls/{call}")).text
    assert "push-again" not in (await (await browser(here, Role.VIEWER, ALPHA)).get(f"/calls/{call}")).text


async def test_C9_given_a_push_when_pushed_again_in_the_page_then_it_says_what_became_of_it_and_shows_it(
    here: World, admin: Browser
) -> None:
    async with PushReceiver.start(Reply(), Reply(500)) as receiver:
        url = receiver.url("/status")
        call = await made(here, 1, state_code=0, status_url=url)
        await happened(here, call, (1.1, Kind.CALLOUT, "a", {}))
        await pushed(here, call, url=url, status=None, failure="timeout", error="no answer in 5 s")
        page = f"/calls/{call}"
        shown = await admin.get(page)
        assert "The receiver took too long to answer." in shown.text
        action = re.findall(f'action="/console({page}/pushes/[0-9]+/again)"', shown.text)[0]

        taken = await admin.fill(page, action, {})
        assert taken.place == f"/console{page}"
        shown = await admin.get(page)
        assert "The receiver took it: HTTP 200 after" in shown.text
        assert [(push.path, push.json["eventType"]) for push in receiver.pushes] == [("/status", "callout")]
        assert shown.text.count("Copy as curl") == 2

        admin.cookies["voicecall-language"] = "zh-CN"
        await admin.fill(page, action, {})
        assert "接收端有应答，但没有确认收到推送。" in (await admin.get(page)).text
        viewers = await (await browser(here, Role.VIEWER, ALPHA)).get(page)
        assert "/again" not in viewers.text


async def test_C9_given_masked_digits_when_the_page_is_shown_then_no_key_is_in_it(here: World) -> None:
    details = here.services.settings.details.model_copy(update={"mask_digits": True})
    here.services.details.settings = here.services.settings.model_copy(update={"details": details})
    own = await browser(here, Role.VIEWER, ALPHA)
    call = await made(here, 1, state_code=0, status_url="https://customer.example/status")
    await happened(
        here,
        call,
        (1.1, Kind.CALLOUT, "a", {}),
        (1.2, Kind.ANSWER, "a", {}),
        (1.5, Kind.COLLECTED, "a", {"digits": "48151623"}),
    )
    await pushed(here, call, event_type="collectInfo", sequence=3)

    for path in (
        "",
        "/download/bundle.json",
        "/download/ladder.txt",
        "/download/ladder.svg",
        "/download/timeline.svg",
    ):
        shown = await own.get(f"/calls/{call}{path}")
        assert shown.status == 200
        assert "48151623" not in shown.text
    assert "••••••••" in (await own.get(f"/calls/{call}")).text


async def test_C9_given_a_live_call_when_hung_up_then_it_is_asked_for_with_the_forms_token(
    here: World, admin: Browser
) -> None:
    call = await made(here, 1)
    live = f"1200_live_{call}"
    shown = await admin.get(f"/calls/{call}")
    assert "The call goes on: nobody was dialled yet." in shown.text
    assert f'hx-sse:connect="/console/calls/{call}/live"' in shown.text

    refused = await admin.post(f"/calls/{call}/hang-up", {})
    asked = await admin.fill(f"/calls/{call}", f"/calls/{call}/hang-up", {})

    assert refused.status == 403
    assert asked.place == f"/console/calls/{call}"
    assert here.hung_up == [f"{call}@host.example"]
    # Here nothing runs calls, so there is none to be hung up.
    assert "The call is over, or about to be" in (await admin.get(f"/calls/{call}")).text
    assert live not in shown.text
    assert "hang-up" not in (await (await browser(here, Role.DEVELOPER, ALPHA)).get(f"/calls/{call}")).text


async def test_C9_given_a_call_that_is_over_when_followed_then_it_is_sent_once_more_and_then_no_more(
    here: World, admin: Browser
) -> None:
    call = await made(here, 1, state_code=8102)
    here.clock.time += timedelta(minutes=5)

    followed = await admin.get(f"/calls/{call}/live")

    assert followed.text.count("The callee was busy") >= 1
    assert followed.text.rstrip().endswith("event: over\ndata: over")
    assert "hx-sse:connect" not in (await admin.get(f"/calls/{call}")).text


async def test_C9_given_a_recording_when_shown_then_it_can_be_heard_by_a_link_made_when_it_is_asked_for(
    here: World, admin: Browser
) -> None:
    call = await made(here, 1, state_code=0)
    name, begin = f"{call}.wav", here.clock.now() + timedelta(seconds=1.2)

    def recorded(session: Session) -> None:
        session.add(
            Recording(
                call_id=call,
                account_id=ALPHA,
                name=name,
                state="stored",
                node="node1",
                started_at=begin,
                seconds=3.0,
            )
        )

    await here.write(recorded)
    shown = await admin.get(f"/calls/{call}")
    asked = await admin.get(f"/calls/{call}/recording")

    assert f'src="/console/calls/{call}/recording"' in shown.text
    assert asked.status == 303
    assert name in asked.place
    assert "signature" in asked.place.lower() or "?" in asked.place


@pytest.mark.parametrize("prefix", ["+999"])
async def test_C9_given_a_simulated_callee_when_shown_then_a_banner_says_so(
    here: World, admin: Browser, prefix: str
) -> None:
    simulated = await made(
        here, 1, state_code=8102, callee=f"{prefix}01703000", addressee=f"{prefix}01703000"
    )
    real = await made(here, 2, state_code=8102)

    banner = "A simulated callee took part"
    shown = await admin.get(f"/calls/{simulated}")
    assert banner in shown.text
    assert "it speaks neither SIP nor RTP" in shown.text
    assert banner not in (await admin.get(f"/calls/{real}")).text
