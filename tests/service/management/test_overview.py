"""How it goes now: figures, and calls that go on."""

import asyncio
from datetime import datetime, timedelta
from typing import Any

import pytest
from service.management.made_calls import made_call
from service.management.world import ALPHA, BETA, OPERATOR, World
from sqlmodel import Session

from controller.billing.kill_switch import stop_calls
from controller.details import figures as room
from controller.management.roles import Role
from controller.store.alarms import Raised, raise_alarms
from controller.store.reviews import ReviewKind, submit
from controller.store.tables import Account, CdrPush, PushEndpoint, Service, Trunk

pytestmark = pytest.mark.requirement("C9")


async def overview(world: World, query: str = "", **who: Any) -> Any:
    reply = await world.ask("GET", f"/overview{query}", **who)
    assert reply.status == 200, reply.text
    return reply.body


async def test_C9_given_calls_when_the_overview_is_read_then_it_counts_who_answered_and_why_others_failed(
    here: World,
) -> None:
    await made_call(here, ended=0, answered=True, ago=60)
    await made_call(here, ended=0, answered=True, service=Service.CALLBACK, ago=30)
    await made_call(here, ended=8102, service=Service.CALLBACK, ago=20)
    await made_call(here, ended=8102, ago=8)
    await made_call(here, ended=8101, ago=3)
    await made_call(here, ended=8101, ago=1000)
    await made_call(here, ago=2)
    await made_call(here, service=Service.CALLBACK, ago=4)

    told = await overview(here)

    assert told["live_calls"] == 2
    assert {its["service"]: its["calls"] for its in told["live_by_service"]} == {
        "callback": 1,
        "notification": 1,
        "verification": 0,
    }
    ended = told["ended"]
    assert (ended["minutes"], ended["calls"], ended["answered"], ended["answer_rate"]) == (15, 5, 2, 0.4)
    assert [(its["state_code"], its["text"], its["calls"]) for its in ended["failures"]] == [
        (8102, "The callee was busy", 2),
        (8101, "The callee did not answer", 1),
    ]
    accepted = told["accepted"]
    assert accepted["per_second"] == 3 / 5
    assert accepted["step_seconds"] == 5
    assert accepted["steps"][-3:] == [1, 3, 0]
    assert sum(accepted["steps"]) == 7
    assert (
        datetime.fromisoformat(accepted["begin"]) + timedelta(seconds=5 * (len(accepted["steps"]) - 1))
        == here.clock.now()
    )


async def test_C9_given_that_time_goes_on_when_read_again_then_what_is_new_counts_and_what_is_old_does_not(
    here: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("controller.details.figures._FRESH", 0.0)
    await made_call(here, ended=8101, ago=890)
    await made_call(here, ended=0, answered=True, ago=10)
    assert (await overview(here))["ended"]["calls"] == 2

    here.clock.time += timedelta(seconds=20)
    await made_call(here, ended=8102, ago=1)
    told = (await overview(here))["ended"]
    assert (told["calls"], [its["state_code"] for its in told["failures"]]) == (2, [8102])

    here.clock.time += timedelta(hours=1)
    assert (await overview(here))["ended"]["answer_rate"] is None


async def test_C9_given_a_call_that_was_written_down_late_when_read_again_then_it_counts_after_all(
    here: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("controller.details.figures._FRESH", 0.0)
    await overview(here)
    await made_call(here, ended=8101, ago=30)
    await made_call(here, ended=8101, ago=1000)
    await made_call(here, ended=0, ago=1)

    for _ in range(2):
        assert (await overview(here))["ended"]["calls"] == 2


async def test_C9_given_many_who_ask_at_once_when_read_then_the_database_is_looked_at_once(
    here: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = 0
    counted = room._counted

    def count(session: Session, **since: Any) -> Any:
        nonlocal looks
        looks += 1
        return counted(session, **since)

    monkeypatch.setattr(room, "_counted", count)

    await asyncio.gather(*(here.services.figures.now() for _ in range(20)))

    assert looks == 1


@pytest.mark.requirement("C1")
async def test_C1_given_two_accounts_when_their_users_read_then_each_has_its_own_figures_alone(
    here: World,
) -> None:
    for account in (ALPHA, BETA, BETA):
        await made_call(here, account, ago=2)
        await made_call(here, account, ended=8101 if account == ALPHA else 8102, ago=2)

    def more(session: Session) -> None:
        now = here.clock.now()
        submit(session, BETA, ReviewKind.TEMPLATE, "x", version="1", by="test", now=now)
        raise_alarms(session, [Raised(BETA, "neighbours", "n", now, {"numbers": 40})])
        stop_calls(session, BETA, now, "eve: stolen")
        stop_calls(session, None, now, "operator: fraud")
        session.add(Trunk(name="carrier-a", host="192.0.2.7"))

    await here.write(more)

    alpha = await overview(here, role=Role.VIEWER, of=ALPHA)
    beta = await overview(here, role=Role.VIEWER, of=BETA)
    everybody = await overview(here, role=Role.VIEWER, of=OPERATOR)
    of_beta = await overview(here, "?account_id=beta", role=Role.VIEWER, of=OPERATOR)

    assert [its["live_calls"] for its in (alpha, beta, everybody, of_beta)] == [1, 2, 3, 2]
    assert [its["ended"]["calls"] for its in (alpha, beta, everybody, of_beta)] == [1, 2, 3, 2]
    assert [sum(its["accepted"]["steps"]) for its in (alpha, beta, everybody)] == [2, 4, 6]
    assert [its["state_code"] for its in alpha["ended"]["failures"]] == [8101]
    assert [(its["reviews"], its["alarms"]) for its in (alpha, beta, everybody)] == [(0, 0), (1, 1), (1, 1)]
    assert alpha["newest_alarms"] == []
    assert [(its["account_id"], its["note"]) for its in alpha["holds"]] == [(None, "")]
    assert [(its["account_id"], its["note"]) for its in everybody["holds"]] == [
        (None, "operator: fraud"),
        ("beta", "eve: stolen"),
    ]
    assert (alpha["platform"], everybody["money"]) == (None, None)
    assert everybody["platform"]["nodes"] == [
        {"name": here.services.fleet.first.name, "available": False, "draining": False}
    ]
    assert alpha["money"]["balance"] == "0.00"


async def test_C9_given_an_account_that_pays_beforehand_when_little_is_left_then_the_overview_says_so(
    here: World,
) -> None:
    def prepaid(session: Session) -> None:
        session.get_one(Account, ALPHA).prepaid = True

    await here.write(prepaid)
    assert (await overview(here, "?account_id=alpha"))["money"]["is_low"] is True
    await here.ask("POST", "/accounts/alpha/top-ups", {"amount": "5000.00"})
    money = (await overview(here, "?account_id=alpha"))["money"]
    assert (money["is_low"], money["balance"]) == (False, "5000.00")


@pytest.mark.requirement("B2")
async def test_B2_given_cdrs_that_customers_do_not_have_when_read_then_they_are_counted_by_why(
    here: World,
) -> None:
    now = here.clock.now()
    calls = [await made_call(here, ended=0, ago=2) for _ in range(6)]

    def write(session: Session) -> None:
        states: list[dict[str, Any]] = [
            {"due_at": now},
            {"due_at": now + timedelta(hours=1)},
            {"due_at": None},
            {"due_at": None, "filed_at": now},
            {"due_at": None, "filed_at": now},
            {"due_at": None, "delivered_at": now},
        ]
        app = f"notification-{ALPHA}"
        for call_id, state in zip(calls, states, strict=True):
            session.add(CdrPush(call_id=call_id, app_key=app, url="https://x.example", ended_at=now, **state))
        for url, disabled in (("https://a.example", None), ("https://b.example", now)):
            session.add(
                PushEndpoint(
                    app_key=app,
                    url=url,
                    failing_since=now,
                    failed_at=now,
                    failures=2,
                    error="x",
                    disabled_at=disabled,
                )
            )

    await here.write(write)

    assert (await overview(here, of=ALPHA))["pushes"] == {
        "waiting": 2,
        "held": 1,
        "filed": 2,
        "failing_receivers": 1,
        "disabled_receivers": 1,
    }
    assert set((await overview(here, of=BETA))["pushes"].values()) == {0}


async def test_C9_given_live_calls_when_listed_then_each_says_how_far_it_has_come(here: World) -> None:
    begun = (("callout", "a"), ("alerting", "a"), ("answer", "a"))
    accepted = await made_call(here, ago=9)
    dialling = await made_call(here, ago=8, steps=begun[:1])
    ringing = await made_call(here, ago=7, steps=begun[:2])
    playing = await made_call(here, ago=6, steps=(*begun, ("prompt", "a")))
    second = await made_call(here, ago=5, service=Service.CALLBACK, steps=(*begun, ("callout", "b")))
    other = await made_call(here, BETA, ago=4)
    await made_call(here, ended=0, ago=3)

    told = (await here.ask("GET", "/live-calls", role=Role.VIEWER)).body
    few = (await here.ask("GET", "/live-calls?limit=1&account_id=alpha")).body
    own = (await here.ask("GET", "/live-calls", role=Role.VIEWER, of=ALPHA)).body

    assert [(its["id"], its["stage"], its["leg"]) for its in told["items"]] == [
        (other, "accepted", None),
        (second, "dialling", "b"),
        (playing, "answered", "a"),
        (ringing, "ringing", "a"),
        (dialling, "dialling", "a"),
        (accepted, "accepted", None),
    ]
    assert (told["calls"], few["calls"], own["calls"]) == (6, 5, 5)
    assert [its["id"] for its in few["items"]] == [second]
    assert other not in str(own)
