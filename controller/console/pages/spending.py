"""Spending under control: what is spent today and how much may be, alarms, the kill switch."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final
from urllib.parse import quote

from aiohttp import web

from controller.console.forms import Field, Form, Sent
from controller.console.listing import ACCOUNT, listed
from controller.console.pages.accounts import NUMBER_CLASS_CHOICES
from controller.console.pages.declared import Pages
from controller.console.visit import Visit
from controller.console.words import N_
from controller.management.problems import Problem
from controller.management.resources.accounts import AccountView, edit_account, get_account
from controller.management.resources.billing import SpendingView, get_spending, list_spending
from controller.management.resources.spending import (
    list_account_holds,
    list_alarms,
    list_holds,
    resume_account_calls,
    resume_all_calls,
    stop_account_calls,
    stop_all_calls,
)
from controller.rules.amounts import amount_text

pages = Pages()

EVERYBODY: Final = "STOP"
"""What is typed before all calls are stopped."""
FILTERS: Final = Form((ACCOUNT,))
STOP: Final = Form(
    (
        Field(
            "hang_up",
            N_("End calls under way, too"),
            "check",
        ),
        Field("note", N_("Why"), empty=""),
        Field("confirm", N_("Type it again"), "confirm", required=True),
    )
)
TERMS: Final = Form(
    (
        Field(
            "rules.daily_cap",
            N_("What its calls may cost in a day"),
            "decimal",
            help=N_("none: anything. Nothing: as the settings say."),
        ),
        Field(
            "calls_per_second",
            N_("Calls per second"),
            "number",
            help=N_("0: any number. Nothing: as the settings say."),
        ),
        Field(
            "rules.number_classes",
            N_("Classes of numbers that may be called"),
            "several",
            choices=NUMBER_CLASS_CHOICES,
        ),
        Field(
            "rules.low_balance",
            N_("Below this balance it is told"),
            "decimal",
            help=N_("Nothing: as the settings say."),
        ),
    )
)
_WARN: Final = 80
_FULL: Final = 100
"""Percent of the cap."""


@dataclass(frozen=True)
class Spent:
    """What an account has spent today, and its bar: 100 wide."""

    view: SpendingView

    @property
    def percent(self) -> int | None:
        """Of the cap; None: there is none."""
        if self.view.cap is None:
            return None
        return int(self._share(self.view.ended + self.view.live) * 100)

    @property
    def ended(self) -> float:
        return min(100.0, self._share(self.view.ended) * 100)

    @property
    def live(self) -> float:
        return min(100.0 - self.ended, self._share(self.view.live) * 100)

    @property
    def kind(self) -> str:
        percent = self.percent or 0
        return "fail" if percent >= _FULL or self.view.refused else "warn" if percent >= _WARN else ""

    def _share(self, amount: Any) -> float:
        if not self.view.cap:
            return 1.0 if amount and self.view.cap is not None else 0.0
        return float(amount / self.view.cap)


@pages.get("/spending")
async def spending(visit: Visit) -> web.StreamResponse:
    """All accounts; who has one comes to that."""
    if visit.user.account_id is not None:
        return visit.go(f"/spending/{visit.user.account_id}")
    listing = await listed(visit, list_spending, FILTERS)
    holds = await visit.run(list_holds)
    alarms = await visit.run(list_alarms, query={"limit": 20})
    return visit.render(
        "spending.html",
        listing=listing,
        spent=[Spent(one) for one in listing.items],
        holds=holds.items,
        all_stopped=any(hold.account_id is None for hold in holds.items),
        alarms=alarms.items,
        may_stop=visit.allows(stop_all_calls),
    )


@pages.get("/spending/stop")
async def stop_all_form(visit: Visit) -> web.StreamResponse:
    """The kill switch of the whole platform."""
    visit.check(stop_all_calls)
    return _stop(visit, visit.blank(STOP), None)


@pages.post("/spending/stop")
async def stop_all(visit: Visit) -> web.StreamResponse:
    """Stop all calls."""
    sent = await visit.sent(STOP)
    if not sent.confirms(EVERYBODY) or await sent.to(stop_all_calls) is None:
        return _stop(visit, sent, None)
    return visit.go("/spending", "Nobody makes calls from now on.")


@pages.post("/spending/resume")
async def resume_all(visit: Visit) -> web.StreamResponse:
    """Let calls be made again."""
    await visit.run(resume_all_calls)
    return visit.go("/spending", "Calls are made again.")


@pages.get("/spending/{account_id}")
async def account(visit: Visit) -> web.StreamResponse:
    """What an account spends, and under which terms."""
    return await _account(visit)


@pages.post("/spending/{account_id}/terms")
async def terms(visit: Visit) -> web.StreamResponse:
    """Change how much it may spend."""
    found = await visit.run(get_account)
    sent = await visit.sent(TERMS)
    typed = sent.form.body(sent.typed)
    rules = {**found.rules.model_dump(mode="json"), **typed["rules"]}
    if await sent.to(edit_account, also={"rules": rules}) is None:
        return await _account(visit, sent)
    return visit.go(_place(visit), "It is saved, and in force within a second.")


@pages.get("/spending/{account_id}/stop")
async def stop_form(visit: Visit) -> web.StreamResponse:
    """The kill switch of an account."""
    visit.check(stop_account_calls)
    found = await visit.run(get_account)
    return _stop(visit, visit.blank(STOP), found.id)


@pages.post("/spending/{account_id}/stop")
async def stop(visit: Visit) -> web.StreamResponse:
    """Stop its calls."""
    found = await visit.run(get_account)
    sent = await visit.sent(STOP)
    if not sent.confirms(found.id) or await sent.to(stop_account_calls) is None:
        return _stop(visit, sent, found.id)
    return visit.go(_place(visit), "It makes no calls from now on.")


@pages.post("/spending/{account_id}/resume")
async def resume(visit: Visit) -> web.StreamResponse:
    """Let it make calls again."""
    try:
        await visit.run(resume_account_calls)
    except Problem as problem:
        if problem.status != 409:
            raise
        return visit.go(_place(visit), "It was not stopped.")
    return visit.go(_place(visit), "It makes calls again.")


def _stop(visit: Visit, sent: Sent, account_id: str | None) -> web.StreamResponse:
    return visit.render(
        "spending_stop.html",
        form=sent,
        account_id=account_id,
        expected=account_id or EVERYBODY,
        status=sent.status,
    )


async def _account(visit: Visit, sent: Sent | None = None) -> web.StreamResponse:
    found: AccountView = await visit.run(get_account)
    spent = await visit.run(get_spending)
    holds = await visit.run(list_account_holds)
    alarms = await visit.run(list_alarms, query={"account_id": found.id, "limit": 50})
    form = sent or visit.blank(TERMS, found, **_amounts(found))
    return visit.render(
        "spending_account.html",
        account=found,
        spent=Spent(spent),
        holds=holds.items,
        stopped=any(hold.reason == "stopped" for hold in holds.items),
        alarms=alarms.items,
        form=form,
        may_edit=visit.allows(edit_account),
        may_stop=visit.allows(stop_account_calls),
        may_resume=visit.allows(resume_account_calls),
        status=form.status,
    )


def _amounts(found: AccountView) -> dict[str, str]:
    """As people write them."""
    rules = found.rules
    return {
        f"rules.{name}": amount_text(amount)
        for name, amount in (("daily_cap", rules.daily_cap), ("low_balance", rules.low_balance))
        if isinstance(amount, Decimal)
    }


def _place(visit: Visit) -> str:
    return f"/spending/{quote(visit.path['account_id'])}"
