"""The pages of billing and spending."""

from datetime import timedelta

import pytest
from service.billing.support import Made, add_calls
from service.console.conftest import Browser, browser, hidden_of
from service.management.world import ALPHA, BETA, World
from sqlmodel import Session, select

from controller.billing.prices import OwnTariff, set_price
from controller.billing.settlement import Settling
from controller.management.roles import Role
from controller.rules.amounts import from_units
from controller.settings import Settings
from controller.store.alarms import Raised, raise_alarms
from controller.store.billing_tables import Hold, LedgerTransfer, RatedCall
from controller.store.tables import Account, App, Service

pytestmark = pytest.mark.requirement("C8", "C9")
ALPHAS = f"/billing/{ALPHA}"


async def settled(here: World, calls: int = 2) -> None:
    now = here.clock.now()

    def prepare(session: Session) -> None:
        session.get_one(Account, ALPHA).prepaid = True
        session.add(App(key="alpha-app", account_id=ALPHA, service=Service.NOTIFICATION, secret="s" * 20))
        set_price(session, None, OwnTariff(from_units(1800), from_units(0)), now - timedelta(days=2))
        add_calls(
            session,
            [
                Made(
                    f"c{number}",
                    now - timedelta(hours=1, seconds=number),
                    first=61,
                    account_id=ALPHA,
                    app_key="alpha-app",
                )
                for number in range(calls)
            ],
        )

    await here.write(prepare)
    await Settling(here.services.database, here.clock, Settings().billing, lambda _number: False).settle()


async def posted(here: World) -> list[tuple[str, str]]:
    return await here.read(
        lambda session: [(row.kind, str(row.amount)) for row in session.exec(select(LedgerTransfer))]
    )


async def test_C8_given_a_payment_when_typed_then_it_is_posted_once_and_the_ledger_shows_it(
    here: World, admin: Browser
) -> None:
    form = await admin.get(f"{ALPHAS}/top-up")
    typed = {"amount": "500", "text": "bank", "reference": ""}
    done = await admin.answer(form, f"{ALPHAS}/top-up", typed)
    twice = await admin.answer(form, f"{ALPHAS}/top-up", typed)

    assert done.place == twice.place == f"/console{ALPHAS}"
    assert await posted(here) == [("top-up", "500.0000")]
    corrected = await admin.fill(
        f"{ALPHAS}/correction", f"{ALPHAS}/correction", {"amount": "-5.40", "text": "fault"}
    )
    assert corrected.status == 303
    page = await admin.get(ALPHAS)
    assert '<div class="value">494.60</div>' in page.text
    assert "administrator@operator" in page.text
    assert "494.60 CNY" in (await admin.get("/billing")).text


@pytest.mark.parametrize(
    ("deed", "typed", "field"),
    [
        ("top-up", {"amount": "-1", "text": "kept"}, "amount"),
        ("top-up", {"amount": "a lot", "text": "kept"}, "amount"),
        ("correction", {"amount": "1", "text": "", "reference": "kept"}, "text"),
        ("price", {"minute_price": "-1", "number_price": "7.77"}, "minute_price"),
        (
            "price",
            {"minute_price": "1", "number_price": "7.77", "valid_from": "2020-01-01T00:00"},
            "valid_from",
        ),
    ],
)
async def test_C8_given_a_wrong_amount_when_sent_then_the_fault_stands_beside_it_and_nothing_is_posted(
    here: World, admin: Browser, deed: str, typed: dict[str, str], field: str
) -> None:
    refused = await admin.fill(f"{ALPHAS}/{deed}", f"{ALPHAS}/{deed}", typed)
    assert refused.status == 422
    assert f'id="field-{field}-fault"' in refused.text
    assert 'value="kept"' in refused.text or 'value="7.77"' in refused.text
    assert await posted(here) == []


async def test_C8_given_settled_calls_when_money_is_followed_then_every_line_leads_to_its_calls(
    here: World,
) -> None:
    await settled(here)
    viewer = await browser(here, Role.VIEWER, ALPHA)
    assert (await viewer.get("/billing")).place == f"/console{ALPHAS}"

    ledger = await viewer.get(ALPHAS)
    number = (await here.read(lambda session: session.exec(select(RatedCall)).first())).settlement_id
    assert f'href="/console{ALPHAS}/calls?settlement_id={number}"' in ledger.text
    calls = await viewer.get(f"{ALPHAS}/calls?settlement_id={number}")
    assert 'href="/console/calls/c0"' in calls.text
    assert "0.36 CNY" in calls.text
    usage = await viewer.get(f"{ALPHAS}/usage")
    assert f'href="/console{ALPHAS}/calls?day=2026-11-24&amp;app_key=alpha-app"' in usage.text
    assert (
        'href="/console/calls/c1"'
        in (await viewer.get(f"{ALPHAS}/calls?day=2026-11-24&app_key=alpha-app")).text
    )
    statement = await viewer.get(f"{ALPHAS}/statement?month=2026-11")
    assert f'href="/console{ALPHAS}/calls?settlement_id={number}"' in statement.text
    assert f'href="/api/v1/accounts/{ALPHA}/statement.csv?month=2026-11"' in statement.text
    assert "-0.72" in statement.text


async def test_C8_given_more_calls_than_a_page_when_followed_then_each_is_shown_once(here: World) -> None:
    await settled(here, 60)
    viewer = await browser(here, Role.VIEWER, ALPHA)
    first = await viewer.get(f"{ALPHAS}/calls")
    following = first.text.partition('rel="next"')[0].rpartition('href="')[2].partition('"')[0]
    second = await viewer.get(f"{ALPHAS}/calls{following.replace('&amp;', '&')}")
    shown = [page.text.count('<tr data-open="/console/calls/') for page in (first, second)]
    assert shown == [50, 10]


@pytest.mark.parametrize(
    ("path", "field"),
    [("statement?month=2026-13", "month"), ("usage?since=x", "since"), ("calls?day=yesterday", "day")],
)
async def test_C8_given_an_address_that_is_wrong_when_opened_then_the_field_says_so(
    here: World, admin: Browser, path: str, field: str
) -> None:
    shown = await admin.get(f"{ALPHAS}/{path}")
    assert shown.status == 422
    assert f'id="field-{field}-fault"' in shown.text


async def test_C8_given_the_kill_switch_when_pulled_then_it_is_typed_again_first_and_can_be_taken_back(
    here: World, admin: Browser
) -> None:
    mistaken = await admin.fill("/spending/stop", "/spending/stop", {"note": "kept", "confirm": "yes"})
    assert (mistaken.status, "kept" in mistaken.text) == (422, True)
    assert await here.read(lambda session: session.exec(select(Hold)).all()) == []

    await admin.fill("/spending/stop", "/spending/stop", {"note": "fraud", "confirm": "STOP"})
    page = await admin.get("/spending")
    assert "nobody makes calls" in page.text
    assert "administrator@operator: fraud" in page.text
    resumed = await admin.answer(page, "/spending/resume", {})
    assert resumed.status == 303
    assert await here.read(lambda session: session.exec(select(Hold)).all()) == []


async def test_C8_given_an_accounts_operator_when_a_secret_was_stolen_then_they_stop_it_and_resume_nothing(
    here: World, admin: Browser
) -> None:
    own = await browser(here, Role.OPERATOR, ALPHA)
    stopped = await own.fill(
        f"/spending/{ALPHA}/stop", f"/spending/{ALPHA}/stop", {"confirm": ALPHA, "hang_up": "on"}
    )
    assert stopped.place == f"/console/spending/{ALPHA}"
    page = await own.get(f"/spending/{ALPHA}")
    assert "This account makes no calls." in page.text
    assert "/resume" not in page.text
    csrf = hidden_of(page, "/logout")["csrf"]
    assert (await own.post(f"/spending/{ALPHA}/resume", {"csrf": csrf})).status == 403
    resumed = await admin.fill(f"/spending/{ALPHA}", f"/spending/{ALPHA}/resume", {})
    assert resumed.status == 303
    assert "makes no calls" not in (await own.get(f"/spending/{ALPHA}")).text


async def test_C8_given_terms_when_changed_then_they_are_in_force_and_other_rules_stay(
    here: World, admin: Browser
) -> None:
    edit = {"rules": {"callee_blacklist": ["+8613900001111"]}}
    await here.ask("PATCH", f"/accounts/{ALPHA}", edit, headers={"If-Match": "*"})
    place = f"/spending/{ALPHA}"
    wrong = await admin.fill(
        place,
        f"{place}/terms",
        {"rules.daily_cap": "much", "calls_per_second": "5", "rules.low_balance": "9"},
    )
    assert wrong.status == 422
    assert 'id="field-rules-daily_cap-fault"' in wrong.text
    assert 'value="much"' in wrong.text

    right = {"rules.daily_cap": "12.5", "calls_per_second": "5", "rules.low_balance": "9"}
    done = await admin.fill(place, f"{place}/terms", {**right, "rules.number_classes": "low"})
    assert done.status == 303
    row = await here.read(lambda session: session.get(Account, ALPHA))
    assert row.calls_per_second == 5
    assert row.rules == {
        "callee_blacklist": ["+8613900001111"],
        "daily_cap": "12.5000",
        "low_balance": "9.0000",
        "number_classes": ["low"],
    }
    shown = await admin.get(place)
    assert "0.00 of 12.50 (0 %)" in shown.text
    assert 'value="12.50"' in shown.text


async def test_C8_given_alarms_when_the_page_is_opened_then_the_newest_are_there_and_hostile_notes_are_text(
    here: World, admin: Browser
) -> None:
    now = here.clock.now()
    alarm = Raised(ALPHA, "neighbours", "n", now, {"beginning": "<script>x</script>", "numbers": 30})
    await here.write(lambda session: raise_alarms(session, [alarm]) and None)
    await admin.fill(
        f"/spending/{ALPHA}/stop", f"/spending/{ALPHA}/stop", {"confirm": ALPHA, "note": "<b>who</b>"}
    )
    for path in ("/spending", f"/spending/{ALPHA}"):
        shown = await admin.get(path)
        assert "many neighbouring numbers" in shown.text
        assert "<script>x" not in shown.text
        assert "<b>who" not in shown.text


@pytest.mark.requirement("C1")
async def test_C1_given_another_accounts_money_or_a_role_that_may_not_when_asked_for_then_nothing_is_had(
    here: World,
) -> None:
    await settled(here)
    stranger = await browser(here, Role.ADMINISTRATOR, BETA)
    for path in (ALPHAS, f"{ALPHAS}/usage", f"{ALPHAS}/calls", f"{ALPHAS}/statement", f"/spending/{ALPHA}"):
        assert (await stranger.get(path)).status == 404, path
    own = await browser(here, Role.ADMINISTRATOR, ALPHA)
    assert (await own.get(f"{ALPHAS}/top-up")).status == 403
    csrf = hidden_of(await own.get(ALPHAS), "/logout")["csrf"]
    for path in (f"{ALPHAS}/top-up", f"/spending/{ALPHA}/terms", "/spending/stop"):
        sent = {"csrf": csrf, "amount": "1", "confirm": "STOP", "key": "k"}
        assert (await own.post(path, sent)).status == 403, path
    viewer = await browser(here, Role.VIEWER, ALPHA)
    assert "/stop" not in (await viewer.get(f"/spending/{ALPHA}")).text


@pytest.mark.requirement("C8")
async def test_C8_given_a_ledger_when_shown_in_chinese_then_its_sides_are_too(
    here: World, admin: Browser
) -> None:
    await settled(here)
    admin.cookies["voicecall-language"] = "zh-CN"

    shown = (await admin.get(ALPHAS)).text

    assert "<td>账户余额</td><td>通话收入</td>" in shown
    assert "revenue of" not in shown
