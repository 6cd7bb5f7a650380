"""Alarms: when they are raised, once each, and what they say."""

from collections.abc import Iterable
from datetime import timedelta
from decimal import Decimal

import pytest
from service.billing.support import NOW, SETTINGS, Made, SetClock, add_account, add_calls, money, prepare
from sqlmodel import Session
from unit.calls.support import ACCOUNT

from controller.billing import prices
from controller.billing.alarms import AnswerRates, neighbour_alarms, spending_alarms
from controller.billing.room import Billing
from controller.billing.spending import EndedCall, Spent
from controller.settings import AlarmSettings
from controller.store.alarms import alarms_page
from controller.store.database import Database

DAY = "2026-11-24"


@pytest.mark.requirement("C8")
@pytest.mark.parametrize(
    ("ended", "live", "refused", "shares"),
    [
        ("0", "0", 0, []),
        ("24.9999", "0", 0, []),
        ("20", "5", 0, [50]),
        ("40", "0", 0, [50, 80]),
        ("50", "0", 0, [50, 80, 100]),
        # Nothing more could be paid, though something is left.
        ("49.9", "0", 1, [50, 80, 100]),
    ],
)
def test_C8_given_what_is_spent_when_looked_at_then_each_share_that_is_reached_is_told(
    ended: str, live: str, refused: int, shares: list[int]
) -> None:
    spent = {ACCOUNT: Spent(money(ended), money(live), refused), "uncapped": Spent(money("99"))}

    found = spending_alarms(spent, {ACCOUNT: money("50"), "idle": money("50")}, DAY, NOW)

    assert [alarm.detail["percent"] for alarm in found] == shares
    assert {alarm.account_id for alarm in found} <= {ACCOUNT}


@pytest.mark.requirement("C8")
def test_C8_given_calls_that_nobody_answers_any_more_when_enough_were_made_then_it_is_told() -> None:
    rates = AnswerRates(percent=20, calls=10)

    def watch(answers: Iterable[bool]) -> int:
        return len(rates.watch([EndedCall(ACCOUNT, answered, NOW) for answered in answers]))

    assert watch([True, True] + [False] * 8) == 0  # 20 % are still enough
    assert watch([False]) == 1
    assert watch([True, True]) == 1  # one of ten, then two
    assert AnswerRates(0, 10).watch([EndedCall(ACCOUNT, False, NOW)] * 20) == []
    assert AnswerRates(20, 10).watch([EndedCall(ACCOUNT, False, NOW)] * 9) == []


def numbers(session: Session, prefix: str, count: int, account: str = ACCOUNT, ago: float = 60) -> None:
    app = "app-1" if account == ACCOUNT else f"app-of-{account}"
    calls = [
        Made(
            f"{account}{prefix}{number}",
            NOW - timedelta(seconds=ago) + timedelta(seconds=60),
            account_id=account,
            app_key=app,
            callee=f"{prefix}{number:04}",
        )
        for number in range(count)
    ]
    add_calls(session, calls)


@pytest.mark.requirement("C8")
async def test_C8_given_many_neighbouring_numbers_when_one_account_calls_them_then_it_is_told(
    database: Database,
) -> None:
    def run(session: Session) -> list[tuple[str, object, object]]:
        add_account(session, "other")
        numbers(session, "+861390000", 6)
        numbers(session, "+861390001", 4)
        numbers(session, "+861390001", 4, "other")  # five, but of two accounts
        numbers(session, "+861390002", 9, ago=601)  # long ago
        add_calls(session, [Made(f"same{number}", callee="+8613900030000") for number in range(9)])
        found = neighbour_alarms(session, 5, NOW)
        return [(alarm.account_id, alarm.detail["beginning"], alarm.detail["numbers"]) for alarm in found]

    assert await database.write(run) == [(ACCOUNT, "+861390000", 6)]


class Terms:
    def __init__(self, cap: Decimal) -> None:
        self.revision = 1
        self.cap: Decimal | None = cap
        self.ending: list[str | None] = []

    def cap_of(self, account_id: str) -> Decimal | None:
        del account_id
        return self.cap

    def must_end(self) -> Iterable[str | None]:
        return self.ending


def opened(database: Database, clock: SetClock, terms: Terms) -> Billing:
    alarms = AlarmSettings(neighbours=5)
    return Billing(database, clock, SETTINGS, alarms, terms, lambda _number: False, timedelta(seconds=60))


async def kinds(database: Database) -> list[tuple[str, object]]:
    found = await database.read(lambda session: list(alarms_page(session, ACCOUNT, 100)))
    return [(row.kind, row.detail.get("percent")) for row in reversed(found)]


@pytest.mark.requirement("C8", "E4")
async def test_C8_given_a_running_room_when_looked_twice_and_restarted_then_each_alarm_is_raised_once(
    database: Database,
) -> None:
    await database.write(prepare)
    await database.write(lambda session: numbers(session, "+861390000", 6, ago=120))
    clock, terms = SetClock(), Terms(money("2.00"))
    first = opened(database, clock, terms)
    await first.open()
    for _look in range(2):
        await first.look(lambda _call: None)

    second = opened(database, clock, terms)
    await second.open()
    await second.look(lambda _call: None)

    # Six calls of a minute, none of them rated: 1.08 of 2.00.
    assert sorted(await kinds(database)) == [("neighbours", None), ("spending", 50)]
    assert second.spending.spent(ACCOUNT).ended == money("1.08")


@pytest.mark.requirement("C8", "E4")
async def test_C8_given_calls_of_today_when_partly_settled_then_a_new_start_counts_each_once(
    database: Database,
) -> None:
    await database.write(prepare)
    clock, terms = SetClock(), Terms(money("50"))
    room = opened(database, clock, terms)
    await room.open()
    earlier = [Made(f"a{number}", NOW - timedelta(minutes=5), first=61) for number in range(3)]
    await database.write(lambda session: add_calls(session, earlier))
    await room.settle()
    later = [
        Made("b1", NOW + timedelta(minutes=1), first=30),
        Made("yesterday", NOW - timedelta(hours=13), first=30),
        Made("unanswered", NOW, first=None),
    ]
    await database.write(lambda session: add_calls(session, later))
    clock.pass_(minutes=2)

    second = opened(database, clock, terms)
    await second.open()

    assert second.spending.spent(ACCOUNT).ended == money("1.26")


@pytest.mark.requirement("C8")
async def test_C8_given_calls_that_must_end_when_looked_then_they_are_cut_off_and_others_are_not(
    database: Database,
) -> None:
    await database.write(prepare)
    clock, terms = SetClock(), Terms(money("50"))
    room = opened(database, clock, terms)
    await room.open()
    legs = {"a": ("+8613900001111", None)}
    room.spending.begin("c1", ACCOUNT, legs)
    room.spending.begin("c2", "other", legs)
    cut: list[str] = []

    await room.look(cut.append)
    terms.ending = [ACCOUNT]
    await room.look(cut.append)
    terms.ending = [None]
    await room.look(cut.append)

    assert cut == ["c1", "c1", "c2"]


@pytest.mark.requirement("C8")
async def test_C8_given_a_new_price_when_the_directory_moves_on_then_the_next_look_counts_with_it(
    database: Database,
) -> None:
    await database.write(prepare)
    clock, terms = SetClock(), Terms(money("50"))
    room = opened(database, clock, terms)
    await room.open()
    await database.write(
        lambda session: prices.set_price(session, ACCOUNT, prices.OwnTariff(money("1"), None), clock.now())
    )

    terms.revision += 1
    await room.look(lambda _call: None)
    room.spending.begin("c1", ACCOUNT, {"a": ("+8613900001111", None)})

    assert room.spending.spent(ACCOUNT).live == 1
