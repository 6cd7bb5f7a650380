"""Settings of money: sections `billing` and `alarms`."""

from decimal import Decimal
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field

from controller.rules.amounts import Price
from controller.rules.hours import check_zone
from controller.settings.section import Positive, Section


class BillingSettings(Section):
    """What calls and numbers cost; see [bill](../how-to/bill.md)."""

    currency: str = Field(
        "CNY", pattern=r"^[A-Z]{3}$", description="Currency of all amounts, as ISO 4217 calls it."
    )
    minute_price: Price = Field(
        Decimal("0.18"),
        description="What each started minute of each answered leg costs, for accounts without a price of "
        "their own.",
    )
    number_price: Price = Field(Decimal(30), description="The same for each number and month.")
    low_balance: Price = Field(
        Decimal(20),
        description="An alarm is raised when a prepaid balance falls below it; accounts can have their own.",
    )
    zone: Annotated[str, AfterValidator(check_zone)] = Field(
        "Asia/Shanghai", description="Zone in which days and months of the bills begin."
    )
    settle_minutes: Positive = Field(60, description="Minutes from one settlement to the next.")

    @property
    def zone_info(self) -> ZoneInfo:
        return ZoneInfo(self.zone)


class AlarmSettings(Section):
    """When somebody should look; alarms of spending and balances are there without it."""

    neighbours: int = Field(
        20,
        ge=0,
        description="Alarm when an account calls as many different numbers that share all but their last "
        "four digits in ten minutes; 0: none.",
    )
    answered_percent: int = Field(
        20,
        ge=0,
        le=100,
        description="Alarm when fewer of an account's last `answered_calls` calls were answered; 0: none.",
    )
    answered_calls: int = Field(50, ge=1, description="How many calls of an account that looks at.")
