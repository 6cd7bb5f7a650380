"""Money of accounts: balance, prices, ledger, statements, usage, and what each call cost."""

from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import quote

from aiohttp import web

from controller.console.forms import Field, Form, Sent
from controller.console.listing import ACCOUNT, application_names, list_page, listed
from controller.console.pages.declared import Pages
from controller.console.visit import Visit
from controller.console.words import N_
from controller.management.problems import Problem
from controller.management.resources.billing import (
    create_correction,
    create_price,
    create_top_up,
    get_balance,
    list_balances,
    list_prices,
    list_transfers,
)
from controller.management.resources.statements import get_statement, get_usage, list_rated_calls

pages = Pages()

FILTERS: Final = Form((ACCOUNT,))
_REFERENCE: Final = Field(
    "reference", N_("Reference"), help=N_("The payer's or the bank's: posted again, it counts once.")
)
TOP_UP: Final = Form(
    (
        Field("amount", N_("Amount"), "decimal", required=True, placeholder="500.00"),
        Field("text", N_("What the statement says"), empty=""),
        _REFERENCE,
    )
)
CORRECTION: Final = Form(
    (
        Field(
            "amount",
            N_("Amount"),
            "decimal",
            required=True,
            placeholder="-5.40",
            help=N_("In the account's favour; negative: against it."),
        ),
        Field("text", N_("What it is for"), required=True, empty=""),
        _REFERENCE,
    )
)
PRICE: Final = Form(
    (
        Field(
            "minute_price",
            N_("Of each started minute and leg"),
            "decimal",
            placeholder="0.18",
            help=N_("Nothing: as the platform charges."),
        ),
        Field(
            "number_price",
            N_("Of each number and month"),
            "decimal",
            placeholder="30",
            help=N_("Nothing: as the platform charges."),
        ),
        Field(
            "valid_from", N_("From (UTC)"), "moment", help=N_("Nothing: now. No price is changed afterwards.")
        ),
    )
)
MONTH: Final = Form((Field("month", N_("Month"), required=True),))
DAYS: Final = Form((Field("since", N_("First day"), "day"), Field("until", N_("Last day"), "day")))
CALLS: Final = Form(
    (
        Field("day", N_("Day"), "day"),
        Field("app_key", N_("Application")),
        Field("settlement_id", N_("Settlement"), "number"),
    )
)
_FORMS: Final[Mapping[str, tuple[Form, Callable[..., Any], str]]] = {
    "top-up": (TOP_UP, create_top_up, N_("Top up")),
    "correction": (CORRECTION, create_correction, N_("Correct")),
    "price": (PRICE, create_price, N_("New price")),
}


@pages.get("/billing")
async def billing(visit: Visit) -> web.StreamResponse:
    """How all accounts stand; who has one account comes to that."""
    if visit.user.account_id is not None:
        return visit.go(f"/billing/{visit.user.account_id}")
    return await list_page(visit, "billing.html", list_balances, FILTERS)


@pages.get("/billing/{account_id}")
async def account(visit: Visit) -> web.StreamResponse:
    """How an account stands, its ledger and its prices."""
    balance = await visit.run(get_balance)
    ledger = await listed(visit, list_transfers, Form(()))
    prices = await visit.run(list_prices)
    return visit.render(
        "billing_account.html",
        account_id=balance.account_id,
        balance=balance,
        ledger=ledger.items,
        next_cursor=ledger.next_cursor,
        prices=prices.items,
        may_post=visit.allows(create_top_up),
    )


@pages.get("/billing/{account_id}/statement")
async def statement(visit: Visit) -> web.StreamResponse:
    """The statement of a month."""
    now = visit.services.calendar.month(visit.services.clock.now())
    month = visit.request.query.get("month", now)
    asked, found = Sent(MONTH, visit, {"month": month}), None
    try:
        found = await visit.run(get_statement, query={"month": month})
    except Problem as problem:
        if problem.status != 422:
            raise
        asked.refused(problem)
    return visit.render(
        "billing_statement.html",
        account_id=visit.path["account_id"],
        statement=found,
        form=asked,
        status=asked.status,
    )


@pages.get("/billing/{account_id}/usage")
async def usage(visit: Visit) -> web.StreamResponse:
    """What each app did on each day."""
    balance = await visit.run(get_balance)
    names = await application_names(visit, account_id=balance.account_id)
    return await list_page(visit, "billing_usage.html", get_usage, DAYS, balance=balance, names=names)


@pages.get("/billing/{account_id}/calls")
async def calls(visit: Visit) -> web.StreamResponse:
    """What each call cost."""
    balance = await visit.run(get_balance)
    return await list_page(
        visit,
        "billing_calls.html",
        list_rated_calls,
        CALLS,
        balance=balance,
        names=await application_names(visit, account_id=balance.account_id),
        month=visit.services.calendar.month(visit.services.clock.now()),
    )


@pages.get("/billing/{account_id}/{deed:top-up|correction|price}")
async def form(visit: Visit) -> web.StreamResponse:
    """A form that posts something."""
    asked, handler, _title = _FORMS[visit.path["deed"]]
    visit.check(handler)
    return await _form(visit, visit.blank(asked))


@pages.post("/billing/{account_id}/{deed:top-up|correction|price}")
async def post(visit: Visit) -> web.StreamResponse:
    """Post it."""
    asked, handler, _title = _FORMS[visit.path["deed"]]
    sent = await visit.sent(asked)
    made = await sent.to(handler)
    if made is None:
        return await _form(visit, sent)
    place = f"/billing/{quote(visit.path['account_id'])}"
    if visit.path["deed"] == "price":
        return visit.go(place, "The price is set.")
    return visit.go(place, "It is posted.")


async def _form(visit: Visit, sent: Sent) -> web.StreamResponse:
    balance = await visit.run(get_balance)
    _asked_for, _handler, title = _FORMS[visit.path["deed"]]
    return visit.render(
        "billing_form.html",
        account_id=balance.account_id,
        balance=balance,
        deed=visit.path["deed"],
        title=title,
        form=sent,
        status=sent.status,
    )
