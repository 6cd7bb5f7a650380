"""A push by hand: the receiver gets what it was told, once more."""

import json
from datetime import timedelta
from typing import Any

import pytest
from service.management.test_calls import made
from service.management.world import ALPHA, BETA, World
from sqlalchemy import update
from sqlmodel import Session, col
from unit.pushes.test_cdr_outbox import record

from controller.calls.timeline import Kind
from controller.management.roles import Role
from controller.store.calls import add_entries
from controller.store.tables import App, Call, Cdr, PushAttempt, PushEndpoint
from testbed.push_receiver import PushReceiver, Reply

pytestmark = [pytest.mark.requirement("B1"), pytest.mark.requirement("B4")]


async def told(world: World, url: str, *, event: str = "collectInfo") -> tuple[str, int]:
    """A call whose receiver did not take a push; the call and the attempt."""
    call = await made(world, 1, state_code=0, status_url=f"{url}?key=5ecret", fee_url=url)

    def write(session: Session) -> int:
        rows: list[dict[str, Any]] = [
            {"kind": Kind.CALLOUT, "detail": None},
            {"kind": Kind.COLLECTED, "detail": {"digits": "1234"}},
        ]
        at = world.clock.now() + timedelta(seconds=2)
        own = [
            {"call_id": call, "sequence": 2 + index, "at": at, "leg": "a", **row}
            for index, row in enumerate(rows)
        ]
        add_entries(session, own)
        attempt = PushAttempt(
            call_id=call,
            message_id=f"msg_{call}_2" if event != "fee" else "msg_cdr_of_several",
            app_key=f"app-{ALPHA}",
            url=url,
            event_type=event,
            sequence=None if event == "fee" else 2,
            attempt=3,
            at=at,
            latency_ms=5,
            status=500,
            failure="http",
        )
        session.add(attempt)
        session.flush()
        assert attempt.id is not None
        return attempt.id

    made_attempt: int = await world.write(write)
    return call, made_attempt


async def test_given_a_push_that_failed_when_pushed_again_then_the_receiver_gets_it_all_and_it_is_kept(
    here: World,
) -> None:
    async with PushReceiver.start() as receiver:
        call, attempt = await told(here, receiver.url("/status"))
        await here.services.directory.refresh()

        reply = await here.ask("POST", f"/push-attempts/{attempt}/push-again", role=Role.DEVELOPER, of=ALPHA)

        assert reply.status == 200, reply.text
        assert reply.body["status"] == 200
        assert reply.body["failure"] is None
        assert (reply.body["message_id"], reply.body["attempt"]) == (f"msg_{call}_2", 4)
        assert "5ecret" not in reply.text
        (push,) = receiver.pushes
        # Digits are masked for those who look, not for whom they are for.
        assert json.loads(push.body)["statusInfo"]["digitInfo"] == "1234"
        assert push.header("X-Call-Sequence") == "2"
        assert push.path.startswith("/status")
        kept = await here.ask("GET", f"/push-attempts?call_id={call}")
        assert [(it["attempt"], it["status"]) for it in kept.body["items"]] == [(4, 200), (3, 500)]
        trail = await here.ask("GET", "/audit?action=push_attempt_again")
        assert [entry["target"] for entry in trail.body["items"]] == [str(attempt)]


async def test_given_a_cdr_when_pushed_again_and_refused_then_the_answer_says_so_and_it_travelled_alone(
    here: World,
) -> None:
    async with PushReceiver.start(Reply(503)) as receiver:
        call, attempt = await told(here, receiver.url("/fee"), event="fee")
        kept = record(session_id=f"{call}@host.example", account_id=ALPHA, app_key=f"app-{ALPHA}").to_json()
        await here.write(
            lambda session: session.execute(update(Cdr).where(col(Cdr.call_id) == call).values(record=kept))
        )

        reply = await here.ask("POST", f"/push-attempts/{attempt}/push-again")

        assert reply.status == 200, reply.text
        assert (reply.body["status"], reply.body["failure"]) == (503, "http")
        (push,) = receiver.pushes
        (fee,) = push.json["feeLst"]
        assert fee["sessionId"] == f"{call}@host.example"


async def test_given_a_cdr_of_an_older_version_when_pushed_again_then_it_is_a_conflict(here: World) -> None:
    _call, attempt = await told(here, "https://customer.example/fee", event="fee")

    reply = await here.ask("POST", f"/push-attempts/{attempt}/push-again")

    assert reply.status == 409
    assert "older version" in reply.body["detail"]


async def test_given_a_disabled_receiver_when_a_cdr_is_pushed_again_then_it_is_a_conflict_and_nothing_goes(
    here: World,
) -> None:
    async with PushReceiver.start() as receiver:
        url = receiver.url("/fee")
        call, attempt = await told(here, url, event="fee")
        kept = record(session_id=f"{call}@host.example", account_id=ALPHA, app_key=f"app-{ALPHA}").to_json()
        now = here.clock.now()

        def disable(session: Session) -> None:
            values = {"failing_since": now, "failed_at": now, "failures": 9, "error": "x", "disabled_at": now}
            session.execute(update(Cdr).where(col(Cdr.call_id) == call).values(record=kept))
            session.add(PushEndpoint(app_key=f"app-{ALPHA}", url=url, **values))

        await here.write(disable)
        await here.services.resender.ledger.refresh()

        reply = await here.ask("POST", f"/push-attempts/{attempt}/push-again")

        assert reply.status == 409
        assert "disabled" in reply.body["detail"]
        assert receiver.pushes == []


async def test_given_a_call_whose_timeline_is_gone_when_pushed_again_then_it_is_a_conflict(
    here: World,
) -> None:
    call = await made(here, 1, state_code=0, status_url="https://customer.example/")

    def write(session: Session) -> int | None:
        attempt = PushAttempt(
            call_id=call,
            message_id="m",
            app_key=f"app-{ALPHA}",
            url="https://customer.example/",
            event_type="collectInfo",
            sequence=7,
            attempt=1,
            at=here.clock.now(),
            latency_ms=5,
        )
        session.add(attempt)
        session.flush()
        return attempt.id

    attempt = await here.write(write)

    reply = await here.ask("POST", f"/push-attempts/{attempt}/push-again")

    assert reply.status == 409
    assert reply.body["detail"] == "What it told is no longer kept"


async def test_given_another_accounts_push_when_pushed_again_then_there_is_none(here: World) -> None:
    _call, attempt = await told(here, "https://customer.example/")
    assert await here.read(lambda session: session.get(App, f"app-{ALPHA}"))

    other = await here.ask("POST", f"/push-attempts/{attempt}/push-again", of=BETA)
    viewer = await here.ask("POST", f"/push-attempts/{attempt}/push-again", role=Role.VIEWER, of=ALPHA)

    assert (other.status, viewer.status) == (404, 403)


async def test_given_a_call_that_only_a_newer_version_knows_when_pushed_again_then_it_is_a_conflict(
    here: World,
) -> None:
    """What it said is not seen either; the rest of the call is."""
    call, attempt = await told(here, "https://customer.example/")
    newer = update(Call).where(col(Call.id) == call).values(push_profile="of a newer version")
    await here.write(lambda session: session.execute(newer))

    reply = await here.ask("POST", f"/push-attempts/{attempt}/push-again")
    seen = await here.ask("GET", f"/calls/{call}?view=debug")

    assert reply.status == 409
    assert "newer version" in reply.body["detail"]
    assert seen.status == 200
    assert [push["body"] for push in seen.body["debug"]["pushes"]] == [None]
