"""Calls found, recordings heard, pushes made again: as pages."""

import re
from datetime import timedelta
from typing import Any

import pytest
from service.console.conftest import Browser, browser
from service.management.made_calls import made_call
from service.management.world import ALPHA, BETA, World
from sqlmodel import Session, col, select

from controller.management.roles import Role
from controller.pushes.receiver import Failure
from controller.store.tables import App, CdrPush, PushAttempt, PushEndpoint, Recording, Service

pytestmark = pytest.mark.requirement("C9")

APP = f"notification-{ALPHA}"


def opened(text: str) -> list[str]:
    """The calls of a list's rows."""
    return [part.partition('"')[0] for part in text.split('<tr data-open="/console/calls/')[1:]]


@pytest.mark.requirement("B4")
async def test_B4_given_calls_when_filters_stand_in_the_address_then_they_narrow_and_can_be_taken_away(
    here: World, admin: Browser
) -> None:
    busy = await made_call(here, ended=8102, ago=50)
    fine = await made_call(here, ended=0, answered=True, ago=40, service=Service.CALLBACK)
    live = await made_call(here, BETA, ago=30)
    await here.index.catch_up()

    whole = (await admin.get("/calls")).text
    assert opened(whole) == [live, fine, busy]
    assert "goes on" in whole
    assert "ended normally" in whole

    one = (await admin.get("/calls?result=8102&since=2026-11-24T07%3A00")).text
    assert opened(one) == [busy]
    assert 'href="?since=2026-11-24T07%3A00"' in one
    assert 'href="?result=8102"' in one
    assert "How it ended: line busy" in one
    assert "result=8102" in one.partition("curl -sS")[2]
    assert "since=2026-11-24T07%3A00Z" in one.partition("curl -sS")[2]
    linked = one.partition('href="/api/v1/calls.csv')[2].partition('"')[0].replace("&amp;", "&")
    downloaded = await here.ask("GET", f"/calls.csv{linked}")
    assert [line.split(",")[1] for line in downloaded.text.splitlines()[1:]] == [busy]
    for query, expected in (
        ("service=callback", [fine]),
        ("app_key=notification-alpha", [busy]),
        ("account_id=beta", [live]),
        (f"text={busy}", [busy]),
        ("callee=" + "9" * 12, []),
        ("until=2026-11-24T07%3A59%3A15", [busy]),
    ):
        assert opened((await admin.get(f"/calls?{query}")).text) == expected, query
    assert "No call meets all of these filters." in (await admin.get("/calls?callee=99999999")).text


@pytest.mark.parametrize(
    ("query", "fault"),
    [("text=1", "3 characters"), ("since=nonsense", "since"), ("result=busy", "result"), ("service=fax", "")],
)
async def test_C9_given_a_filter_that_can_not_be_when_searched_then_the_field_says_so_and_keeps_it(
    admin: Browser, query: str, fault: str
) -> None:
    shown = await admin.get(f"/calls?{query}")

    assert shown.status == 422
    assert 'class="fault"' in shown.text
    assert fault in shown.text


async def test_C9_given_more_calls_than_a_page_when_followed_then_filters_stay(
    here: World, admin: Browser
) -> None:
    for _ in range(51):
        await made_call(here, ended=0, ago=5)

    first = (await admin.get("/calls?result=0")).text
    following = first.partition('rel="next"')[0].rpartition('href="')[2].partition('"')[0]
    second = (await admin.get("/calls" + following.replace("&amp;", "&"))).text

    assert len(opened(first)) == 50
    assert "result=0" in following
    assert len(opened(second)) == 1
    assert "First page" in second


async def test_C9_given_no_call_when_the_list_is_opened_then_it_says_what_to_do_next(here: World) -> None:
    developer = (await (await browser(here, Role.DEVELOPER, of=ALPHA)).get("/calls")).text
    viewer = (await (await browser(here, Role.VIEWER, of=ALPHA)).get("/calls")).text

    assert 'href="/console/first-call"' in developer
    assert "curl -sS" in developer
    assert "/console/first-call" not in viewer.partition("<main")[2]


@pytest.mark.requirement("C1")
async def test_C1_given_calls_of_others_when_a_user_of_an_account_looks_then_they_are_not_there(
    here: World,
) -> None:
    own = await made_call(here, ended=0, ago=9)
    await made_call(here, BETA, ended=0, ago=8)
    viewer = await browser(here, Role.VIEWER, of=ALPHA)

    for path in ("/calls", "/calls?account_id=beta", "/calls?text=1200"):
        shown = (await viewer.get(path)).text
        assert opened(shown) == [own]
        assert "beta" not in shown.partition("<main")[2]


async def recorded(world: World, state: str = "stored", account: str = ALPHA) -> str:
    call = await made_call(world, account, ended=0, ago=60)
    await world.write(
        lambda session: session.add(
            Recording(
                call_id=call,
                account_id=account,
                name=f"{call}.wav",
                node="node1",
                state=state,
                started_at=world.clock.now(),
                seconds=64.0,
                purge_at=world.clock.now() + timedelta(days=7),
            )
        )
    )
    return call


@pytest.mark.requirement("A1.5")
async def test_A1_5_given_a_recording_when_listened_to_then_the_page_plays_it_and_the_trail_says_who(
    here: World, admin: Browser
) -> None:
    call = await recorded(here)
    gone = await recorded(here, "purged")
    foreign = await recorded(here, account=BETA)
    developer = await browser(here, Role.DEVELOPER, of=ALPHA)
    viewer = await browser(here, Role.VIEWER, of=ALPHA)

    shown = (await developer.get("/recordings")).text
    assert "1:04" in shown
    assert "its time is over" in shown
    assert foreign not in shown
    assert shown.count("/listen") == 1
    assert "/listen" not in (await viewer.get("/recordings")).text

    heard = (await developer.fill("/recordings", f"/recordings/{call}/listen", {})).text
    assert f'src="/recordings/{call}.wav?' in heard
    token = heard.partition('data-csrf="')[2].partition('"')[0]
    refused = await developer.post(f"/recordings/{gone}/listen", {}, X_CSRF_Token=token)
    assert (refused.status, "<audio" in refused.text) == (404, False)
    assert (await developer.post(f"/recordings/{foreign}/listen", {}, X_CSRF_Token=token)).status == 404
    assert call in (await admin.get("/audit?action=link_recording")).text


async def with_pushes(world: World) -> dict[str, str]:
    """Calls by what became of their CDR; a receiver that fails and one that is disabled."""
    states: dict[str, dict[str, Any]] = {
        "waits": {"due_at": world.clock.now() + timedelta(minutes=9), "attempts": 1},
        "held": {"due_at": None},
        "filed": {"due_at": None, "filed_at": world.clock.now(), "attempts": 7},
        "delivered": {"due_at": None, "delivered_at": world.clock.now()},
    }
    calls = {name: await made_call(world, ended=0, ago=90) for name in states}

    def write(session: Session) -> None:
        now = world.clock.now()
        for name, state in states.items():
            session.add(
                CdrPush(
                    call_id=calls[name], app_key=APP, url=f"https://{name}.example/fee", ended_at=now, **state
                )
            )
        for host, disabled in (("waits", None), ("held", now)):
            session.add(
                PushEndpoint(
                    app_key=APP,
                    url=f"https://{host}.example/fee",
                    failing_since=now,
                    failed_at=now,
                    failures=3,
                    error="<script>refused</script>",
                    disabled_at=disabled,
                )
            )
        for number, failure in enumerate((*Failure, None)):
            session.add(
                PushAttempt(
                    call_id=calls["filed"],
                    message_id="m",
                    app_key=APP,
                    url="https://filed.example/fee",
                    event_type="fee",
                    attempt=number + 1,
                    at=now,
                    latency_ms=5,
                    failure=failure,
                    error=failure and "<script>refused</script>",
                    status=None if failure else 200,
                )
            )

    await world.write(write)
    return calls


@pytest.mark.requirement("B2")
async def test_B2_given_pushes_when_listed_then_applications_by_name_hosts_of_receivers_and_causes_in_words(
    here: World, admin: Browser
) -> None:
    await with_pushes(here)

    def name(session: Session) -> None:
        session.get_one(App, APP).name = "Parcels"
        found = session.exec(select(PushEndpoint).where(col(PushEndpoint.disabled_at).is_(None))).one()
        found.error = f"{Failure.TIMEOUT}: after 5 s"

    await here.write(name)
    admin.cookies["voicecall-language"] = "zh-CN"
    for path in ("/pushes", "/pushes/undelivered", "/pushes/receivers"):
        shown = (await admin.get(path)).text
        assert re.search(f'data-copy="{APP}"[^>]*>Parcels<', shown), path
        assert re.search(r'data-copy="https://\w+\.example/fee"[^>]*>\w+\.example<', shown), path
    assert "接收端应答超时" in shown
    assert "<code>after 5 s</code>" in shown


@pytest.mark.requirement("B2")
async def test_B2_given_attempts_when_shown_then_each_says_in_words_why_it_failed(
    here: World, admin: Browser
) -> None:
    await with_pushes(here)

    shown = (await admin.get("/pushes")).text
    failed = (await admin.get("/pushes?failed=true")).text
    taken = (await admin.get("/pushes?failed=false")).text

    for words in ("The receiver took too long to answer.", "The host&#39;s name can&#39;t be resolved."):
        assert words in shown
    assert "<script>refused" not in shown
    assert [text.count("<tr data-open") for text in (shown, failed, taken)] == [10, 9, 1]
    assert (await (await browser(here, Role.VIEWER, of=BETA)).get("/pushes")).text.count("<tr data-open") == 0


@pytest.mark.requirement("B2")
async def test_B2_given_undelivered_cdrs_when_pushed_again_then_they_are_due_now(
    here: World, admin: Browser
) -> None:
    calls = await with_pushes(here)
    viewer = await browser(here, Role.VIEWER, of=ALPHA)

    shown = (await admin.get("/pushes/undelivered")).text
    assert set(opened(shown)) == {calls[name] for name in ("waits", "held", "filed")}
    assert "next at 2026-11-24 08:09:00 UTC" in shown
    assert "kept: its receiver is disabled" in shown
    assert "given up, in the CDR file" in shown
    assert "Push again" not in (await viewer.get("/pushes/undelivered")).text

    token = shown.partition('data-csrf="')[2].partition('"')[0]
    again = {"account_id": ALPHA, "call_id": calls["filed"]}
    one = await admin.post("/pushes/undelivered/again", again, X_CSRF_Token=token)
    assert one.place == "/console/pushes/undelivered"
    assert "1 CDR(s) are pushed again now." in (await admin.get("/pushes/undelivered")).text
    due = await here.read(lambda session: session.get_one(CdrPush, calls["filed"]).due_at)
    held = await here.read(lambda session: session.get_one(CdrPush, calls["held"]).due_at)
    assert (due, held) == (here.clock.now(), None)

    await admin.post("/pushes/undelivered/again", {"account_id": ALPHA, "app_key": APP}, X_CSRF_Token=token)
    held = await here.read(lambda session: session.get_one(CdrPush, calls["held"]).due_at)
    assert held == here.clock.now()


@pytest.mark.requirement("B2")
async def test_B2_given_a_disabled_receiver_when_enabled_then_it_is_well_and_what_was_kept_goes_there(
    here: World, admin: Browser
) -> None:
    calls = await with_pushes(here)

    shown = (await admin.get("/pushes/receivers")).text
    assert "disabled: its CDRs are held" in shown
    assert "fails, and is tried again" in shown
    assert "<script>refused" not in shown
    token = shown.partition('data-csrf="')[2].partition('"')[0]
    its = {"account_id": ALPHA, "app_key": APP, "url": "https://held.example/fee"}
    await admin.post("/pushes/receivers/enable", its, X_CSRF_Token=token)

    left = (await admin.get("/pushes/receivers")).text
    assert "held.example" not in left
    assert "waits.example" in left
    held = await here.read(lambda session: session.get_one(CdrPush, calls["held"]).due_at)
    assert held is None

    await admin.post("/pushes/receivers/enable", {**its, "kept": "1"}, X_CSRF_Token=token)
    assert "Every receiver took what it was sent last." in (await admin.get("/pushes/receivers")).text
    held = await here.read(lambda session: session.get_one(CdrPush, calls["held"]).due_at)
    assert held == here.clock.now()
