"""A day's cap that several controllers share: what it refuses leaves nothing behind."""

from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from unit.calls.support import APP, House, SteadyClock, running_house

from controller.ari.fake import FakeAsterisk
from controller.billing.calendar import Calendar
from controller.billing.prices import PriceBook
from controller.billing.spending import Spending
from controller.rules.amounts import from_units
from controller.store import spent
from controller.store.billing_tables import Price
from controller.store.errors import Limit, LimitReached
from controller.store.limits import NonceUse
from controller.store.tables import Call, UsedNonce

CLOCK, CALENDAR = SteadyClock(), Calendar(ZoneInfo("UTC"))
MINUTE, CAP = from_units(1_000), from_units(10_000)
ACCOUNT = "account-1"


class Terms:
    """The same cap for every account."""

    revision = 1

    def cap_of(self, account_id: str) -> Decimal | None:
        del account_id
        return CAP

    def must_end(self) -> tuple[str, ...]:
        return ()


def meter(controller: str) -> Spending:
    made = Spending(CLOCK, CALENDAR, Terms(), lambda _number: False, controller=controller)
    began = CLOCK.now() - timedelta(days=1)
    made.prices = PriceBook(
        [Price(account_id=None, valid_from=began, minute=MINUTE, number_month=Decimal(0))]
    )
    return made


async def spend_elsewhere(house: House, amount: Decimal) -> None:
    """Another controller's calls cost that; this one has not looked since."""
    day = CALENDAR.day(CLOCK.now()).isoformat()
    costs = {ACCOUNT: (amount, from_units(0))}
    await house.database.write(lambda session: spent.note(session, "another", day, costs))


@pytest.mark.requirement("C8", "E2")
async def test_E2_given_a_cap_that_another_controller_has_used_up_when_a_call_is_refused_then_nothing_is_left(
    asterisk: FakeAsterisk, template: Path, tmp_path: Path
) -> None:
    async with running_house(asterisk, template, tmp_path, meter=meter("this")) as house:
        nonce = NonceUse(APP, "n-1", house.clock.now() + timedelta(minutes=10))
        await spend_elsewhere(house, CAP)
        with pytest.raises(LimitReached) as refused:
            await house.start(nonce=nonce)

        assert refused.value.limit is Limit.SPENDING
        assert (await house.rows(Call), await house.rows(UsedNonce)) == ([], [])
        assert house.service.live_ids == frozenset()

        await spend_elsewhere(house, CAP - 2 * MINUTE)
        accepted = await house.start(nonce=nonce, max_calls=1)
        assert accepted.idle == 0
