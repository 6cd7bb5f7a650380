"""Dashboard and live calls: who sees what, how it follows what happens, hanging up."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
from service.console.conftest import Browser, browser
from service.management.made_calls import made_call
from service.management.world import ALPHA, BETA, OPERATOR, World
from sqlmodel import Session

from controller.billing.kill_switch import stop_calls
from controller.console.pages.dashboard import bars
from controller.management.roles import Role
from controller.store.alarms import Raised, raise_alarms
from controller.store.tables import Account, Call, Service, Trunk

pytestmark = pytest.mark.requirement("C9")


@asynccontextmanager
async def stream(visitor: Browser, path: str) -> AsyncIterator[asyncio.StreamReader]:
    """The events of a page, as its browser reads them."""
    cookies = "; ".join(f"{name}={value}" for name, value in visitor.cookies.items())
    async with visitor.here.http.get("/console" + path, headers={"Cookie": cookies}) as answer:
        assert answer.status == 200
        assert answer.headers["Content-Type"] == "text/event-stream"
        yield answer.content  # type: ignore[misc]  # aiohttp's own reader


PATIENCE = 30.0
"""Seconds: a look at the database that took long on a busy machine is good for twenty times as long."""


async def event(reader: asyncio.StreamReader) -> str:
    """The next event."""
    lines = []
    async with asyncio.timeout(PATIENCE):
        while (line := (await reader.readline()).decode().rstrip("\n")) or not lines:
            if line.startswith("data: "):
                lines.append(line.removeprefix("data: "))
    return "\n".join(lines)


async def told(reader: asyncio.StreamReader, text: str) -> str:
    """The next event that says this: what happens at once may come in several."""
    async with asyncio.timeout(PATIENCE):
        while text not in (said := await event(reader)):
            pass
    return said


async def test_C9_given_calls_when_the_dashboard_is_opened_then_it_says_how_they_go_and_why_they_fail(
    here: World, admin: Browser
) -> None:
    await made_call(here, ago=2)
    await made_call(here, ended=0, answered=True, ago=4)
    await made_call(here, ended=8102, ago=3)
    await here.write(lambda session: session.add(Trunk(name="carrier-a", host="192.0.2.7")))

    shown = (await admin.get("/dashboard")).text

    assert 'href="/console/live">1</a>' in shown
    assert "50.0 %" in shown
    assert "answered: 1 of 2 in 15 min" in shown
    assert "0.6" in shown
    assert "line busy" in shown
    assert 'href="/console/calls?result=8102"' in shown
    assert "No node takes calls" in shown
    assert "can't be reached" in shown
    assert "/api/v1/overview" in shown
    assert 'hx-sse:connect="/console/dashboard/events"' in shown
    assert "style=" not in shown


async def test_C9_given_the_dashboard_when_something_happens_then_its_stream_tells_it(
    here: World, admin: Browser
) -> None:
    async with stream(admin, "/dashboard/events") as events:
        assert 'href="/console/live">0</a>' in await event(events)
        await made_call(here)
        await told(events, 'href="/console/live">1</a>')
        await here.write(lambda session: stop_calls(session, None, here.clock.now(), "<b>fraud</b>"))
        shown = await told(events, "The kill switch is pulled.")
    assert "&lt;b&gt;fraud&lt;/b&gt;" in shown


@pytest.mark.requirement("C1")
async def test_C1_given_a_user_of_an_account_when_the_dashboard_is_opened_then_nothing_of_others_is_there(
    here: World,
) -> None:
    await made_call(here, ago=2)
    await made_call(here, BETA, ago=2)
    await made_call(here, BETA, ended=8105, ago=2)

    def more(session: Session) -> None:
        stop_calls(session, BETA, here.clock.now(), "because")
        session.add(Trunk(name="carrier-a", host="192.0.2.7"))
        raise_alarms(session, [Raised(BETA, "neighbours", "n", here.clock.now(), {"beginning": "+8613"})])

    await here.write(more)
    viewer = await browser(here, Role.VIEWER, of=ALPHA)
    for path in ("/dashboard", "/dashboard?account_id=beta"):
        shown = (await viewer.get(path)).text.partition("<main")[2]
        assert 'href="/console/live">1</a>' in shown
        for foreign in ("beta", "because", "carrier-a", "result=8105", "neighbouring", "Stop its calls"):
            assert foreign not in shown
    async with stream(viewer, "/dashboard/events?account_id=beta") as events:
        assert 'href="/console/live">1</a>' in await event(events)


async def test_C9_given_an_account_when_the_operator_asks_for_its_figures_then_these_are_shown(
    here: World, admin: Browser
) -> None:
    await made_call(here, ended=8101, ago=2)
    await made_call(here, BETA, ended=8105, ago=2)

    shown = (await admin.get("/dashboard?account_id=beta")).text
    unknown = await admin.get("/dashboard?account_id=nobody")
    wrong = await admin.get("/dashboard?account_id=%3Cscript%3E")

    assert "result=8105" in shown
    assert "result=8101" not in shown
    assert 'hx-sse:connect="/console/dashboard/events?account_id=beta"' in shown
    assert 'href="/console/spending/beta/stop"' in shown
    assert "Balance" in shown
    assert (unknown.status, wrong.status) == (404, 422)
    assert "There is no such account." in unknown.text
    assert "<script>" not in wrong.text


@pytest.mark.parametrize(
    ("role", "of", "button"),
    [
        (Role.OPERATOR, OPERATOR, "/console/spending/stop"),
        (Role.VIEWER, OPERATOR, None),
        (Role.OPERATOR, ALPHA, "/console/spending/alpha/stop"),
        (Role.DEVELOPER, ALPHA, None),
    ],
)
async def test_C9_given_a_role_when_the_dashboard_is_opened_then_the_kill_switch_is_there_for_who_may(
    here: World, role: Role, of: str | None, button: str | None
) -> None:
    shown = (await (await browser(here, role, of)).get("/dashboard")).text

    assert ("Kill switch" in shown) is (button is not None)
    assert button is None or f'href="{button}"' in shown


async def test_C8_given_the_kill_switch_when_it_is_pulled_then_who_may_takes_it_back_from_the_dashboard(
    here: World, admin: Browser
) -> None:
    await admin.fill("/spending/alpha/stop", "/spending/alpha/stop", {"confirm": "alpha", "note": "stolen"})
    own = await browser(here, Role.ADMINISTRATOR, of=ALPHA)
    shown = (await own.get("/dashboard")).text
    assert "The kill switch is pulled." in shown
    assert "Make calls again" not in shown

    await admin.fill("/dashboard?account_id=alpha", "/spending/alpha/resume", {})
    assert "The kill switch is pulled." not in (await own.get("/dashboard")).text


def test_C9_given_calls_a_step_when_drawn_then_the_highest_fills_the_picture() -> None:
    assert bars([0, 2, 4]) == "M10 60V30h8V60zM20 60V0h8V60z"
    assert bars([0, 0]) == ""


async def test_C9_given_live_calls_when_shown_then_each_has_its_stage_and_can_be_hung_up_by_who_may(
    here: World, admin: Browser
) -> None:
    begun = (("callout", "a"), ("alerting", "a"))
    await made_call(here, ago=9, steps=begun)
    second = (*begun, ("answer", "a"), ("callout", "b"), ("alerting", "b"), ("answer", "b"))
    talking = await made_call(here, BETA, ago=7, service=Service.CALLBACK, steps=second)
    over = await made_call(here, ended=0, ago=5)

    shown = (await admin.get("/live")).text
    own = (await (await browser(here, Role.DEVELOPER, of=BETA)).get("/live")).text

    assert "rings" in shown
    assert "both talk" in shown
    assert f'data-open="/console/calls/{talking}"' in shown
    assert over not in shown
    assert shown.count("/hang-up") == 2
    assert own.count("data-open") == 1
    assert "hang-up" not in own
    assert "rings" not in own


@pytest.mark.requirement("C1")
async def test_C1_given_a_live_call_when_hung_up_then_only_who_may_and_whose_it_is_can(
    here: World, admin: Browser
) -> None:
    name = await made_call(here)
    live = name.replace("1200_", "1200_live")

    def renamed(session: Session) -> None:
        row = session.get_one(Call, name)
        session.add(Call(**row.model_dump() | {"id": live, "session_id": f"{live}@host.example"}))

    await here.write(renamed)
    other = await browser(here, Role.OPERATOR, of=BETA)
    viewer = await browser(here, Role.VIEWER, of=ALPHA)
    token = {"csrf": "x"}
    assert (await other.post(f"/live/{live}/hang-up", token)).status == 403
    refused = await other.post(f"/live/{live}/hang-up", {}, X_CSRF_Token=await csrf(other))
    forbidden = await viewer.post(f"/live/{live}/hang-up", {}, X_CSRF_Token=await csrf(viewer))
    assert (refused.status, forbidden.status, here.hung_up) == (404, 403, [])

    done = await admin.fill("/live", f"/live/{live}/hang-up", {})
    late = await admin.fill("/live", f"/live/{name}/hang-up", {})

    assert (done.place, late.place) == ("/console/live", "/console/live")
    assert here.hung_up == [f"{live}@host.example", f"{name}@host.example"]
    assert "That call was over already." in (await admin.get("/live")).text


async def csrf(visitor: Browser) -> str:
    """The token that scripts send along."""
    return (await visitor.get("/me")).text.partition('data-csrf="')[2].partition('"')[0]


async def test_C9_given_the_live_page_when_calls_begin_and_end_then_its_stream_tells_it(
    here: World, admin: Browser
) -> None:
    async with stream(admin, "/live/events") as events:
        assert "No call goes on." in await event(events)
        name = await made_call(here)
        await told(events, f'id="call-{name}"')


async def test_C9_given_hostile_names_when_watched_then_they_are_text(here: World, admin: Browser) -> None:
    evil = "<script>alert(1)</script>"
    await made_call(here, ago=3)

    def rename(session: Session) -> None:
        session.get_one(Account, ALPHA).name = evil
        detail = {"beginning": evil}
        raise_alarms(session, [Raised(ALPHA, evil, "x", here.clock.now() - timedelta(hours=1), detail)])

    await here.write(rename)
    for path in ("/dashboard", "/live", "/calls"):
        shown = (await admin.get(path)).text
        assert evil not in shown
    assert "&lt;script&gt;" in (await admin.get("/dashboard")).text


@pytest.mark.parametrize(
    ("kind", "detail", "said"),
    [
        ("spending", {"percent": 80, "spent": "160.00", "cap": "200.00"}, "已达 80 %：160.00 / 200.00"),
        (
            "neighbours",
            {"beginning": "+86139", "numbers": 30, "minutes": 10},
            "10 分钟内呼叫了 30 个以 +86139 开头的号码",
        ),
        ("answer rate", {"answered": 2, "calls": 50}, "50 次呼叫中 2 次接通"),
        ("low balance", {"balance": "9.50"}, "余额 9.50"),
    ],
)
async def test_C9_given_an_alarm_when_shown_then_its_figures_are_a_sentence_in_the_language(
    here: World, admin: Browser, kind: str, detail: dict[str, object], said: str
) -> None:
    raised = Raised(ALPHA, kind, "x", here.clock.now() - timedelta(hours=1), detail)
    await here.write(lambda session: raise_alarms(session, [raised]) and None)
    admin.cookies["voicecall-language"] = "zh-CN"

    assert said in (await admin.get("/spending")).text
    assert said in (await admin.get("/dashboard")).text


async def test_C9_given_a_filter_that_is_wrong_when_asked_then_no_list_says_that_nothing_was_found(
    admin: Browser,
) -> None:
    for path in ("/calls?since=yesterday", "/audit?since=yesterday"):
        shown = await admin.get(path)

        assert shown.status == 422
        assert "Nothing is looked for: a filter is wrong." in shown.text
        assert "No call meets" not in shown.text
