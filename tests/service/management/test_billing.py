"""Money and the kill switch over the API: what is posted, shown, downloaded, refused."""

import csv
import io
from datetime import timedelta
from typing import Any

import pytest
from service.billing.support import Made, add_calls
from service.management.world import ALPHA, BETA, Reply, World
from sqlmodel import Session, select

from controller.billing.prices import OwnTariff, set_price
from controller.billing.settlement import Settling
from controller.management.roles import Role
from controller.rules.amounts import from_units
from controller.settings import Settings
from controller.store.alarms import Raised, raise_alarms
from controller.store.billing_tables import Hold, LedgerTransfer
from controller.store.tables import Account, App

pytestmark = pytest.mark.requirement("C8", "C9")
BILLING = Settings().billing
ALPHAS = f"/accounts/{ALPHA}"


async def ok(reply: Reply, status: int = 200) -> Any:
    assert reply.status == status, reply.text
    return reply.body


async def top_up(world: World, amount: str, **more: Any) -> Reply:
    return await world.ask("POST", f"{ALPHAS}/top-ups", {"amount": amount, **more})


async def make_prepaid(world: World) -> None:
    await ok(await world.ask("PATCH", ALPHAS, {"prepaid": True}, headers={"If-Match": "*"}))


async def test_C8_given_a_prepaid_account_when_payments_are_posted_then_it_is_thawed_and_each_counts_once(
    here: World,
) -> None:
    await make_prepaid(here)
    before = await ok(await here.ask("GET", f"{ALPHAS}/balance", of=ALPHA, role=Role.VIEWER))

    posted = await ok(await top_up(here, "99.5", reference="INV-1"), 201)
    again = await ok(await top_up(here, "99.5", reference="INV-1"), 201)
    other = await top_up(here, "100", reference="INV-1")
    corrected = await here.ask("POST", f"{ALPHAS}/corrections", {"amount": "-9.0005", "text": "fault"})

    after = await ok(await here.ask("GET", f"{ALPHAS}/balance", of=ALPHA, role=Role.VIEWER))
    assert (before["balance"], before["frozen"], before["prepaid"]) == ("0.00", True, True)
    assert posted["balance"] == again["balance"] == "99.50"
    assert posted["transfer"]["id"] == again["transfer"]["id"]
    assert posted["transfer"]["posted_by"] == "administrator@operator"
    assert (other.status, other.slug) == (409, "conflict")
    assert (await ok(corrected, 201))["balance"] == "90.4995"
    assert (after["balance"], after["frozen"]) == ("90.4995", False)


async def test_C8_given_a_number_of_a_prepaid_account_when_allotted_then_its_rent_is_charged_at_once_and_once(
    here: World,
) -> None:
    number = "+8657126880077"
    await here.write(
        lambda session: set_price(
            session, None, OwnTariff(from_units(0), from_units(300_000)), here.clock.now()
        )
    )
    await make_prepaid(here)
    await ok(await top_up(here, "100"), 201)
    await ok(await here.ask("POST", "/numbers", {"account_id": ALPHA, "number": number}), 201)
    ordered = await ok(await here.ask("GET", f"{ALPHAS}/balance"))

    for step in ("allot", "suspend", "resume", "release"):
        await ok(await here.ask("POST", f"/numbers/{number}/{step}"))

    left = await ok(await here.ask("GET", f"{ALPHAS}/balance"))
    assert (ordered["balance"], left["balance"]) == ("100.00", "70.00")
    [rent, _payment] = (await ok(await here.ask("GET", f"{ALPHAS}/ledger")))["items"]
    assert (rent["kind"], rent["amount"]) == ("rent", "30.00")
    assert rent["text"].startswith(number)


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("top-ups", {"amount": "0"}, "amount"),
        ("top-ups", {"amount": "-1"}, "amount"),
        ("top-ups", {"amount": "1.00001"}, "amount"),
        ("top-ups", {"amount": 9.5}, "amount"),
        ("top-ups", {"amount": "NaN"}, "amount"),
        ("top-ups", {"amount": "1", "balance": "1000"}, "balance"),
        ("corrections", {"amount": "0", "text": "x"}, "amount"),
        ("corrections", {"amount": "1"}, "text"),
        ("prices", {"minute_price": "-1"}, "minute_price"),
        ("prices", {"minute_price": "1", "valid_from": "2020-01-01T00:00:00Z"}, "valid_from"),
        ("prices", {"minute_price": "1", "valid_from": "2030-01-01T00:00:00"}, "valid_from"),
        ("prices", {"minute_price": "1", "valid_from": "9999-12-31T23:59:59-14:00"}, "valid_from"),
        ("prices", {"minute_price": "1", "valid_from": "4070908800"}, "valid_from"),
        ("prices", {"minute_price": "1", "valid_from": 4070908800}, "valid_from"),
    ],
)
async def test_C8_given_a_faulty_wish_when_sent_then_422_names_the_field_and_nothing_is_posted(
    here: World, path: str, body: dict[str, Any], field: str
) -> None:
    reply = await here.ask("POST", f"{ALPHAS}/{path}", body)

    assert (reply.status, reply.fields) == (422, [field])
    assert await here.read(lambda session: session.exec(select(LedgerTransfer)).all()) == []


async def test_C8_given_a_tenant_when_it_asks_for_money_or_prices_of_its_own_then_it_is_refused(
    here: World,
) -> None:
    wishes = {"top-ups": {"amount": "1"}, "prices": {"minute_price": "0"}, "resume-calls": None}

    replies = [await here.ask("POST", f"{ALPHAS}/{path}", body, of=ALPHA) for path, body in wishes.items()]

    assert [reply.status for reply in replies] == [403, 403, 403]


async def settled(world: World) -> None:
    """Two calls of alpha's on 24 November in Shanghai, one of them settled into another day."""
    now = world.clock.now()

    def prepare(session: Session) -> None:
        set_price(session, None, OwnTariff(BILLING.minute_price, from_units(0)), now - timedelta(days=9))
        session.add(App(key="alpha-app", account_id=ALPHA, service="notification", secret="12345678"))
        session.flush()
        calls = [
            Made(f"c{number}", now - timedelta(hours=1), first=first, account_id=ALPHA, app_key="alpha-app")
            for number, first in ((1, 61), (2, None))
        ]
        add_calls(session, calls)

    await world.write(prepare)
    await Settling(world.services.database, world.clock, BILLING, lambda _number: False).settle()


async def test_C8_given_a_month_when_its_statement_usage_and_calls_are_read_then_they_agree(
    here: World,
) -> None:
    await make_prepaid(here)
    await top_up(here, "10", text="bank")
    await settled(here)

    statement = await ok(await here.ask("GET", f"{ALPHAS}/statement?month=2026-11", of=ALPHA))
    table = await here.ask("GET", f"{ALPHAS}/statement.csv?month=2026-11", of=ALPHA, role=Role.VIEWER)
    calls = await here.ask("GET", f"{ALPHAS}/rated-calls.csv?month=2026-11", of=ALPHA, role=Role.VIEWER)
    usage = await ok(await here.ask("GET", f"{ALPHAS}/usage", of=ALPHA))
    ledger = await ok(await here.ask("GET", f"{ALPHAS}/ledger?limit=1", of=ALPHA))
    following = await ok(await here.ask("GET", ledger["next"], of=ALPHA))

    assert (statement["opening"], statement["closing"]) == ("0.00", "9.64")
    assert statement["totals"] == {"top-up": "10.00", "calls": "-0.36"}
    assert table.headers["Content-Type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(table.text)))
    assert [(row["kind"], row["balance"]) for row in rows[1:-1]] == [("top-up", "10.00"), ("calls", "9.64")]
    assert [row["amount"] for row in csv.DictReader(io.StringIO(calls.text))] == ["0.36", "0.00"]
    [line] = usage["items"]
    assert (line["day"], line["calls"], line["answered"], line["amount"]) == ("2026-11-24", 2, 1, "0.36")
    assert [entry["kind"] for entry in ledger["items"] + following["items"]] == ["calls", "top-up"]


async def test_C8_given_usage_and_rated_calls_when_paged_then_each_line_comes_once_and_leads_to_its_calls(
    here: World,
) -> None:
    now = here.clock.now()

    def prepare(session: Session) -> None:
        session.add(App(key="alpha-app", account_id=ALPHA, service="notification", secret="s" * 20))
        set_price(session, None, OwnTariff(from_units(1800), from_units(0)), now - timedelta(days=9))
        add_calls(
            session,
            [
                Made(
                    f"c{day}",
                    now - timedelta(days=day, hours=1),
                    first=61,
                    account_id=ALPHA,
                    app_key="alpha-app",
                )
                for day in range(5)
            ],
        )

    await here.write(prepare)
    await Settling(here.services.database, here.clock, BILLING, lambda _number: False).settle()

    async def all_of(address: str) -> list[Any]:
        found, following = [], address
        while following:
            page = await ok(await here.ask("GET", following, of=ALPHA, role=Role.VIEWER))
            assert len(page["items"]) <= 2
            found += page["items"]
            following = page["next"]
        return found

    days = [line["day"] for line in await all_of(f"{ALPHAS}/usage?limit=2")]
    assert days == ["2026-11-24", "2026-11-23", "2026-11-22", "2026-11-21", "2026-11-20"]
    calls = await all_of(f"{ALPHAS}/rated-calls?limit=2")
    assert [call["call_id"] for call in calls] == ["c0", "c1", "c2", "c3", "c4"]
    of_day = await all_of(f"{ALPHAS}/rated-calls?limit=2&day=2026-11-22&app_key=alpha-app")
    assert [(call["call_id"], call["amount"]) for call in of_day] == [("c2", "0.36")]
    [ended] = (await ok(await here.ask("GET", f"/spending?account_id={ALPHA}")))["items"]
    assert (ended["account_id"], ended["cap"]) == (ALPHA, "50.00")
    balances = (await ok(await here.ask("GET", "/balances?limit=1")))["items"]
    assert [balance["account_id"] for balance in balances] == [ALPHA]


@pytest.mark.parametrize(
    "query",
    ["", "?month=2026", "?month=2026-13", "?month=9999-12", "?month=0001-01", "?month=2026-11&page=2"],
)
async def test_C8_given_what_is_no_month_when_a_statement_is_asked_for_then_422(
    here: World, query: str
) -> None:
    for path in ("statement", "statement.csv", "rated-calls.csv"):
        assert (await here.ask("GET", f"{ALPHAS}/{path}{query}")).status == 422


@pytest.mark.parametrize(
    "query",
    [
        "?since=2026-11-25&until=2026-11-24",
        "?since=2026-01-01&until=2026-11-24",
        "?since=x",
        "?until=0001-01-01",
    ],
)
async def test_C8_given_days_that_are_too_many_or_none_when_usage_is_asked_for_then_it_is_said(
    here: World, query: str
) -> None:
    reply = await here.ask("GET", f"{ALPHAS}/usage{query}")

    assert reply.status == (200 if "0001" in query else 422), reply.text


async def test_C8_given_prices_of_an_account_when_set_then_now_and_later_ones_are_listed_and_in_force(
    here: World,
) -> None:
    later = here.clock.now() + timedelta(days=7)

    now = await here.ask("POST", f"{ALPHAS}/prices", {"minute_price": "0.15"})
    same = await here.ask("POST", f"{ALPHAS}/prices", {"minute_price": "0.15"})
    coming = {"minute_price": "0.1", "number_price": "20", "valid_from": later.isoformat()}
    await ok(await here.ask("POST", f"{ALPHAS}/prices", coming), 201)

    assert (await ok(now, 201))["minute_price"] == "0.15"
    assert same.status == 409
    listed = await ok(await here.ask("GET", f"{ALPHAS}/prices", of=ALPHA, role=Role.VIEWER))
    assert [(price["minute_price"], price["number_price"]) for price in listed["items"]] == [
        ("0.10", "20.00"),
        ("0.15", None),
    ]
    assert (await ok(await here.ask("GET", f"{ALPHAS}/balance")))["minute_price"] == "0.15"


async def test_C8_given_the_kill_switch_when_an_account_pulls_it_then_only_the_operator_lets_it_call_again(
    here: World,
) -> None:
    stopped = await here.ask("POST", f"{ALPHAS}/stop-calls", {"note": "stolen"}, of=ALPHA, role=Role.OPERATOR)
    in_force = [hold.scope for hold in here.services.directory.now.holds]
    refused = await here.ask("POST", f"{ALPHAS}/resume-calls", of=ALPHA)
    resumed = await here.ask("POST", f"{ALPHAS}/resume-calls")
    again = await here.ask("POST", f"{ALPHAS}/resume-calls")

    [hold] = (await ok(stopped))["items"]
    assert (hold["account_id"], hold["reason"], hold["note"]) == (ALPHA, "stopped", "operator@alpha: stolen")
    assert in_force == [ALPHA]  # at once, not with the next look at the database
    assert refused.status == 403
    assert (await ok(resumed))["items"] == []
    assert again.status == 409
    assert here.services.directory.now.holds == ()


async def test_C8_given_the_kill_switch_for_everybody_when_pulled_then_it_is_in_force_and_in_the_audit_trail(
    here: World,
) -> None:
    await ok(await here.ask("POST", "/stop-calls", {"hang_up": True}))
    listed = await ok(await here.ask("GET", "/holds"))
    trail = await ok(await here.ask("GET", "/audit"))
    await ok(await here.ask("POST", "/resume-calls"))

    assert [(hold["account_id"], hold["ends_calls"]) for hold in listed["items"]] == [(None, True)]
    assert (trail["items"][0]["action"], trail["items"][0]["target"]) == ("stop_all_calls", "everything")
    assert await here.read(lambda session: session.exec(select(Hold)).all()) == []


async def test_C8_given_alarms_of_two_accounts_when_listed_then_each_sees_its_own(here: World) -> None:
    def raise_both(session: Session) -> None:
        now = here.clock.now()
        raise_alarms(
            session, [Raised(name, "spending", f"a:{name}", now, {"percent": 50}) for name in (ALPHA, BETA)]
        )

    await here.write(raise_both)

    alphas = await ok(await here.ask("GET", "/alarms", of=ALPHA, role=Role.VIEWER))
    everybodys = await ok(await here.ask("GET", "/alarms"))

    assert [alarm["account_id"] for alarm in alphas["items"]] == [ALPHA]
    assert [alarm["account_id"] for alarm in everybodys["items"]] == [BETA, ALPHA]


async def test_C8_given_an_account_with_a_cap_of_its_own_when_its_spending_is_read_then_it_is_counted(
    here: World,
) -> None:
    shipped = await ok(await here.ask("GET", f"{ALPHAS}/spending", of=ALPHA))
    edit = {"rules": {"daily_cap": "7.5"}}
    await ok(await here.ask("PATCH", ALPHAS, edit, headers={"If-Match": "*"}))
    here.services.spending.begin("c1", ALPHA, {"a": ("+8613900001111", None)})

    spending = await ok(await here.ask("GET", f"{ALPHAS}/spending", of=ALPHA))

    assert (shipped["cap"], shipped["live_calls"]) == ("50.00", 0)
    assert (spending["cap"], spending["live_calls"]) == ("7.50", 1)
    assert spending["resets_at"] == "2026-11-24T16:00:00.000000Z"
    assert (await here.read(lambda session: session.get_one(Account, ALPHA).rules)) == {"daily_cap": "7.5000"}
