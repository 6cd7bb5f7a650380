"""Calls, recordings and pushes by the management API."""

import csv
import io
from datetime import datetime, timedelta
from typing import Any
from xml.etree import ElementTree

import pytest
from service.management.world import ALPHA, BETA, OPERATOR, Reply, World
from sqlmodel import Session

from controller.details import calls_csv
from controller.management.roles import Role
from controller.store.calls import end_call
from controller.store.tables import (
    App,
    Call,
    CdrPush,
    PushAttempt,
    PushEndpoint,
    Recording,
)

pytestmark = [pytest.mark.requirement("B4"), pytest.mark.requirement("C9")]

URL = "https://customer.example/fee"


async def made(
    world: World, number: int, account: str = ALPHA, state_code: int | None = None, **more: Any
) -> str:
    """A call that was accepted `number` seconds after the world's now; live without a state code."""
    at = world.clock.now() + timedelta(seconds=number)
    call_id = f"1200_{number}_{number}{len(account)}"

    def write(session: Session) -> None:
        app = f"app-{account}"
        if session.get(App, app) is None:
            session.add(App(key=app, account_id=account, service="notification", secret="12345678"))
            session.flush()
        values: dict[str, Any] = {
            "display_number": "+8657126880001",
            "callee": f"+8613900001{number:03}",
            "addressee": f"+8613900001{number:03}",
            **more,
        }
        session.add(
            Call(
                id=call_id,
                session_id=f"{call_id}@host.example",
                account_id=account,
                app_key=app,
                service="notification",
                controller="host.example",
                node="node1",
                accepted_at=at,
                **values,
            )
        )
        session.flush()
        if state_code is not None:
            _end(session, call_id, app, at + timedelta(seconds=5), state_code)

    await world.write(write)
    return call_id


def _end(session: Session, call_id: str, app: str, at: datetime, state_code: int) -> None:
    never = {"dialled": None, "ringing": None, "answered": None}
    entry: dict[str, Any] = {
        "call_id": call_id,
        "sequence": 1,
        "at": at,
        "kind": "disconnect",
        "leg": None,
        "detail": {"state_code": state_code, "text": "over", "cut_point": 0, "party": None},
    }
    end_call(
        session,
        call_id,
        ended_at=at,
        state_code=state_code,
        last_entry=entry,
        cdr={"first_leg": never, "second_leg": never},
        app_key=app,
        delivery=None,
    )


async def ids(world: World, query: str, **who: Any) -> list[str]:
    reply = await world.ask("GET", f"/calls{query}", **who)
    assert reply.status == 200, reply.text
    return [call["id"] for call in reply.body["items"]]


async def test_B4_given_calls_when_searched_then_those_that_meet_all_conditions_come_newest_first(
    here: World,
) -> None:
    first, second = await made(here, 1, state_code=0), await made(here, 2, state_code=8102)
    await here.index.catch_up()
    live = await made(here, 3)

    assert await ids(here, "") == [live, second, first]
    assert await ids(here, "?result=8102&result=8101") == [second]
    assert await ids(here, "?callee=0001001") == [first]
    assert await ids(here, f"?session_id={second}%40host") == [second]
    assert await ids(here, "?text=880001&service=notification&app_key=app-alpha") == [live, second, first]
    assert await ids(here, "?since=2026-11-24T08:00:02Z&until=2026-11-24T08:00:03Z") == [second]


async def test_B4_given_more_calls_than_a_page_when_the_next_page_is_followed_then_each_comes_once(
    here: World,
) -> None:
    calls = [await made(here, number, state_code=0) for number in range(5)]

    seen: list[str] = []
    following = "/api/v1/calls?limit=2&service=notification"
    while following:
        reply = await here.ask("GET", following)
        seen += [call["id"] for call in reply.body["items"]]
        following = reply.body["next"]

    assert seen == calls[::-1]


def rows_of(reply: Reply) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(reply.text)))


async def test_B4_given_more_calls_than_a_page_when_downloaded_as_csv_then_the_same_as_are_listed(
    here: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calls_csv, "MOST", 2)
    for number in range(5):
        await made(here, number, state_code=8102 if number else None)

    reply = await here.ask("GET", "/calls.csv", of=ALPHA)

    listed = (await here.ask("GET", "/calls", of=ALPHA)).body["items"]
    told = [
        {("id" if name == "call_id" else name): value or None for name, value in row.items()}
        for row in rows_of(reply)
    ]
    for row in told:
        row["state_code"] = row["state_code"] and int(row["state_code"])
        row["talk_seconds"] = row["talk_seconds"] and float(row["talk_seconds"])
    assert told == listed
    assert reply.headers["Content-Type"].startswith("text/csv")
    assert reply.headers["Content-Disposition"] == 'attachment; filename="calls.csv"'
    assert reply.headers["Transfer-Encoding"] == "chunked"


async def test_B4_given_filters_when_downloaded_as_csv_then_calls_that_meet_them_and_of_the_account_alone(
    here: World,
) -> None:
    busy = await made(here, 1, state_code=8102)
    await made(here, 2, state_code=0)
    await made(here, 3, account=BETA, state_code=8102)

    reply = await here.ask("GET", "/calls.csv?result=8102&callee=13900001", of=ALPHA)
    foreign = await here.ask("GET", f"/calls.csv?account_id={BETA}", of=ALPHA)
    wrong = await here.ask("GET", "/calls.csv?callee=1", of=ALPHA)

    assert [row["call_id"] for row in rows_of(reply)] == [busy]
    assert foreign.status == 404
    assert (wrong.status, wrong.fields) == (422, ["callee"])


async def test_B4_given_a_text_that_a_spreadsheet_would_run_when_downloaded_then_it_is_text(
    here: World,
) -> None:
    await made(here, 1, state_code=0, addressee="=HYPERLINK(1)", display_number="+8657126880001")

    [row] = rows_of(await here.ask("GET", "/calls.csv", of=ALPHA))

    assert row["callee"] == "'=HYPERLINK(1)"
    assert row["caller"] == "+8657126880001"


async def test_C1_given_calls_of_two_accounts_when_searched_then_each_sees_its_own(here: World) -> None:
    alpha, beta = await made(here, 1), await made(here, 2, BETA, state_code=0)
    await here.index.catch_up()

    assert await ids(here, "", role=Role.VIEWER, of=ALPHA) == [alpha]
    assert await ids(here, "?text=139", role=Role.VIEWER, of=BETA) == [beta]
    assert await ids(here, "?account_id=beta", role=Role.VIEWER, of=OPERATOR) == [beta]
    assert (await here.ask("GET", "/calls?account_id=beta", role=Role.VIEWER, of=ALPHA)).status == 404


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("caller=12", "caller"),
        ("callee=abc", "callee"),
        ("session_id=x", "session_id"),
        ("text=%22", "text"),
        ("since=2026-11-24T08:00:00", "since"),
        ("since=2026-11-24T08:00:00Z&until=2026-11-24T08:00:00Z", "until"),
        ("since=0001-01-01T00:00:00%2B23:59", "since"),
        ("cursor=nonsense", "cursor"),
        ("cursor=OTk5OTk5OTk5OTk5OTk5OTk5OjE", "cursor"),
        ("limit=0", "limit"),
        ("result=busy", "result.0"),
        ("service=fax", "service"),
    ],
)
async def test_C9_given_a_search_that_can_not_be_when_sent_then_422_names_the_field(
    here: World, query: str, field: str
) -> None:
    reply = await here.ask("GET", f"/calls?{query}")

    assert reply.status == 422
    assert reply.fields == [field]


async def test_B4_given_a_call_when_read_then_debug_holds_all_of_it_and_the_list_row_is_in_it(
    here: World,
) -> None:
    call = await made(here, 1, state_code=8102)

    [row] = (await here.ask("GET", "/calls")).body["items"]
    basic = (await here.ask("GET", f"/calls/{call}")).body
    debug = (await here.ask("GET", f"/calls/{row['session_id'].replace('@', '%40')}?view=debug")).body

    assert row.items() <= basic.items()
    assert basic["debug"] is None
    assert row.items() <= debug.items()
    assert debug["debug"]["verdict"] == "The callee was busy."
    assert [step["kind"] for step in debug["debug"]["steps"]] == ["accepted", "disconnect"]


async def test_B4_given_a_call_when_its_picture_is_read_then_it_is_svg(here: World) -> None:
    call = await made(here, 1, state_code=0)

    reply = await here.ask("GET", f"/calls/{call}/timeline.svg")

    assert reply.headers["Content-Type"] == "image/svg+xml"
    assert ElementTree.fromstring(reply.text).tag == "{http://www.w3.org/2000/svg}svg"


async def test_B4_given_a_live_call_when_hung_up_then_it_is_ended_and_the_trail_says_so(here: World) -> None:
    live = await made(here, 1, account=ALPHA)
    await here.write(lambda session: rename(session, live, "1200_live1"))

    assert (await here.ask("POST", "/calls/1200_live1/hang-up", role=Role.OPERATOR, of=ALPHA)).status == 204
    trail = (await here.ask("GET", "/audit?action=hang_up_call")).body["items"]

    assert here.hung_up == ["1200_live1@host.example"]
    assert [entry["target"] for entry in trail] == ["1200_live1"]


def rename(session: Session, old: str, new: str) -> None:
    """A call that this controller runs, as the world sees it."""
    call = session.get(Call, old)
    assert call is not None
    fields = call.model_dump() | {"id": new, "session_id": f"{new}@host.example"}
    session.add(Call(**fields))
    session.flush()


async def test_B4_given_a_call_that_is_over_when_hung_up_then_409(here: World) -> None:
    call = await made(here, 1, state_code=0)

    reply = await here.ask("POST", f"/calls/{call}/hang-up")

    assert (reply.status, reply.slug) == (409, "conflict")


async def with_recording(world: World, state: str) -> str:
    call = await made(world, 1, state_code=0)
    row = Recording(
        call_id=call,
        account_id=ALPHA,
        name=f"{call}.wav",
        node="node1",
        state=state,
        started_at=world.clock.now(),
        seconds=4.0,
    )
    await world.write(lambda session: session.add(row))
    return call


async def test_B4_given_a_recording_when_a_link_is_made_then_it_opens_it_and_the_trail_says_for_whom(
    here: World,
) -> None:
    call = await with_recording(here, "stored")

    [row] = (await here.ask("GET", "/recordings", role=Role.VIEWER, of=ALPHA)).body["items"]
    reply = await here.ask("POST", f"/calls/{call}/recording-link", role=Role.DEVELOPER, of=ALPHA)
    trail = (await here.ask("GET", "/audit?action=link_recording")).text

    location = reply.body["location"]
    path, _, query = location.partition("?")
    assert row["call_id"] == call
    assert path == f"/recordings/{call}.wav"
    assert here.services.details.signer.check(
        f"{call}.wav", dict(pair.split("=") for pair in query.split("&"))
    )
    assert call in trail
    assert "signature" not in trail
    assert (await here.ask("GET", "/recordings", role=Role.VIEWER, of=BETA)).body["items"] == []


@pytest.mark.parametrize(("state", "status"), [("pending", 409), ("purged", 404), ("failed", 404)])
async def test_B4_given_a_recording_without_a_file_when_a_link_is_made_then_the_answer_says_why(
    here: World, state: str, status: int
) -> None:
    call = await with_recording(here, state)

    assert (await here.ask("POST", f"/calls/{call}/recording-link")).status == status


async def with_pushes(world: World) -> list[str]:
    """A call of each account with a CDR that was not delivered and a disabled receiver."""
    calls = [await made(world, 1, state_code=0), await made(world, 2, BETA, state_code=0)]

    def write(session: Session) -> None:
        for call, account in zip(calls, (ALPHA, BETA), strict=True):
            now = world.clock.now()
            app = f"app-{account}"
            session.add(CdrPush(call_id=call, app_key=app, url=f"{URL}?secret=1", ended_at=now, attempts=7))
            session.add(
                PushEndpoint(
                    app_key=app,
                    url=URL,
                    failing_since=now,
                    failed_at=now,
                    failures=9,
                    error="x",
                    disabled_at=now,
                )
            )
            for attempt, failure in ((1, "timeout"), (2, None)):
                session.add(
                    PushAttempt(
                        call_id=call,
                        message_id="m",
                        app_key=app,
                        url=URL,
                        event_type="fee",
                        attempt=attempt,
                        at=now,
                        latency_ms=5,
                        failure=failure,
                        status=None if failure else 200,
                    )
                )

    await world.write(write)
    return calls


@pytest.mark.requirement("B2")
async def test_B2_given_failed_pushes_when_listed_then_each_account_sees_its_own_without_secrets(
    here: World,
) -> None:
    alpha, _beta = await with_pushes(here)

    failed = (await here.ask("GET", "/push-attempts?failed=true", role=Role.VIEWER, of=ALPHA)).body["items"]
    undelivered = await here.ask("GET", "/undelivered-cdrs", role=Role.VIEWER, of=ALPHA)
    endpoints = (await here.ask("GET", "/push-endpoints", role=Role.VIEWER, of=ALPHA)).body["items"]

    assert [(push["call_id"], push["failure"]) for push in failed] == [(alpha, "timeout")]
    assert [cdr["call_id"] for cdr in undelivered.body["items"]] == [alpha]
    assert "secret" not in undelivered.text
    assert [endpoint["app_key"] for endpoint in endpoints] == ["app-alpha"]


@pytest.mark.requirement("B2")
async def test_B2_given_undelivered_cdrs_when_pushed_again_then_they_are_due_and_their_receiver_is_enabled(
    here: World,
) -> None:
    alpha, beta = await with_pushes(here)

    reply = await here.ask("POST", "/undelivered-cdrs/push-again", {}, role=Role.DEVELOPER, of=ALPHA)
    due = await here.read(lambda session: session.get(CdrPush, alpha).due_at)
    others = await here.read(lambda session: session.get(CdrPush, beta).due_at)
    endpoints = (await here.ask("GET", "/push-endpoints")).body["items"]

    assert reply.body == {"cdrs": 1}
    assert (due, others) == (here.clock.now(), None)
    assert [endpoint["app_key"] for endpoint in endpoints] == ["app-beta"]


@pytest.mark.requirement("B2")
async def test_B2_given_another_accounts_receiver_when_enabled_then_nothing_happens(here: World) -> None:
    await with_pushes(here)

    theirs = await here.ask(
        "POST", "/push-endpoints/enable", {"app_key": "app-beta"}, role=Role.DEVELOPER, of=ALPHA
    )
    own = await here.ask(
        "POST", "/push-endpoints/enable", {"app_key": "app-alpha", "url": URL}, role=Role.DEVELOPER, of=ALPHA
    )

    assert (theirs.body, own.body) == ({"urls": []}, {"urls": [URL]})
