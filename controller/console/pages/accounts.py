"""Accounts: the companies that have calls made."""

from typing import Final
from urllib.parse import quote

from aiohttp import web

from controller.console.forms import ALL, Field, Form, Sent
from controller.console.listing import listed
from controller.console.pages.declared import Pages
from controller.console.visit import Visit
from controller.console.words import N_
from controller.management.resources.accounts import (
    AccountView,
    create_account,
    edit_account,
    get_account,
    list_accounts,
)
from controller.rules.number_classes import NumberClass

pages = Pages()

NUMBER_CLASSES: Final = {
    NumberClass.LOW: N_("ordinary numbers"),
    NumberClass.PREMIUM: N_("premium numbers: calling them costs more than a call"),
    NumberClass.TOLL_FRAUD: N_("numbers known from toll fraud, satellites among them"),
}
FREQUENCIES: Final = {
    "off": N_("may be called any number of times"),
    "warn": N_("calls beyond are noted in the log and the call's timeline"),
    "refuse": N_("calls beyond are refused"),
}
_ZONE: Final = "Asia/Shanghai"
_ID: Final = Field(
    "id",
    N_("Id"),
    required=True,
    help=N_("1 to 32 letters, digits, _ and -. It names the account everywhere and can't be changed."),
)
_PATTERNS: Final = N_("One a line: a number, or a pattern such as +861[3-9]XXXXXXXXX.")
_TERMS: Final = (
    Field("name", N_("Company"), empty=""),
    Field("active", N_("Switched on"), "check", help=N_("Off: its applications can't start calls.")),
    Field(
        "prepaid",
        N_("Prepaid"),
        "check",
        help=N_("Calls and numbers are charged to a balance; without one the account is frozen."),
    ),
    Field(
        "max_calls",
        N_("Calls at a time"),
        "number",
        heading=N_("Limits"),
        help=N_("Of all its applications together. Nothing: any number."),
    ),
    Field(
        "calls_per_second",
        N_("Calls per second"),
        "number",
        help=N_("0: any number. Nothing: as the settings say."),
    ),
    Field(
        "max_apps", N_("Applications that it may have"), "number", help=N_("Nothing: as the settings say.")
    ),
    Field(
        "rules.number_classes",
        N_("Kinds of numbers that may be called"),
        "several",
        heading=N_("Whom it may call"),
        choices=(
            (ALL, N_("all that the operator allows")),
            *((str(value), word) for value, word in NUMBER_CLASSES.items()),
        ),
    ),
    Field("rules.callee_blacklist", N_("Not called"), "lines", help=_PATTERNS),
    Field("rules.callee_whitelist", N_("Only these are called"), "lines", help=_PATTERNS),
    Field("rules.caller_blacklist", N_("No callback for these first phones"), "lines", help=_PATTERNS),
    Field(
        "rules.hours",
        N_("Hours in which calls are made"),
        "lines",
        heading=N_("When and how often"),
        help=N_("One span a line, such as 08:00-21:00. Nothing: at any time."),
    ),
    Field("rules.hours_zone", N_("Time zone of these hours"), empty=_ZONE),
    Field(
        "rules.callee_windows",
        N_("How often one callee may be called"),
        "lines",
        help=N_("One a line, such as 3/24h or 10/30d. Nothing: as the settings say."),
    ),
    Field(
        "rules.callee_frequency",
        N_("Beyond that"),
        "choice",
        choices=(("", N_("as the settings say")), *FREQUENCIES.items()),
    ),
    Field(
        "rules.daily_cap",
        N_("What its calls may cost in a day"),
        "decimal",
        heading=N_("Money"),
        help=N_("An amount such as 50.00, or none for any amount. Nothing: as the settings say."),
    ),
    Field(
        "rules.low_balance",
        N_("Tell contacts when the balance is below"),
        "decimal",
        help=N_("Prepaid accounts alone. Nothing: as the settings say."),
    ),
)
NEW: Final = Form((_ID, *(asked for asked in _TERMS if asked.name != "active")))
EDIT: Final = Form(_TERMS)


@pages.get("/accounts")
async def accounts(visit: Visit) -> web.StreamResponse:
    """All that there are, or one's own."""
    return visit.render(
        "accounts.html",
        title=visit.text("Accounts"),
        listing=await listed(visit, list_accounts, Form(())),
        may_create=visit.allows(create_account),
    )


@pages.get("/accounts/new")
async def new(visit: Visit) -> web.StreamResponse:
    """The form for one more."""
    visit.check(create_account)
    return _new(visit, visit.blank(NEW, **{"rules.number_classes": ALL, "rules.hours_zone": _ZONE}))


@pages.post("/accounts/new")
async def create(visit: Visit) -> web.StreamResponse:
    """One more."""
    sent = await visit.sent(NEW)
    made = await sent.to(create_account)
    if made is None:
        return _new(visit, sent)
    return visit.go(_place(made.id), "The account is there. Give it users, an application and a number.")


@pages.get("/accounts/{account_id}")
async def account(visit: Visit) -> web.StreamResponse:
    """One of them."""
    return visit.render(
        "account.html",
        account=await visit.run(get_account),
        number_classes=NUMBER_CLASSES,
        frequencies=FREQUENCIES,
        may_edit=visit.allows(edit_account),
    )


@pages.get("/accounts/{account_id}/edit")
async def edit(visit: Visit) -> web.StreamResponse:
    """Its terms as a form."""
    visit.check(edit_account)
    present = await visit.run(get_account)
    return _edit(visit, visit.blank(EDIT, present), present)


@pages.post("/accounts/{account_id}/edit")
async def change(visit: Visit) -> web.StreamResponse:
    """Other terms."""
    present = await visit.run(get_account)
    sent = await visit.sent(EDIT)
    await sent.to(edit_account, since=present)
    if sent.is_refused:
        return _edit(visit, sent, present)
    return visit.go(_place(present.id), "The account is changed. It is in force within a second.")


def _new(visit: Visit, form: Sent) -> web.Response:
    return visit.render(
        "form.html",
        title=visit.text("New account"),
        form=form,
        action="/accounts/new",
        button=visit.text("Create"),
        back="/accounts",
        back_title=visit.text("Accounts"),
        status=form.status,
    )


def _edit(visit: Visit, form: Sent, present: AccountView) -> web.Response:
    return visit.render(
        "form.html",
        title=visit.text("Settings of %(name)s", name=present.name.strip() or present.id),
        form=form,
        action=_place(present.id) + "/edit",
        button=visit.text("Save"),
        back=_place(present.id),
        back_title=present.name.strip() or present.id,
        version=visit.version_of(present),
        status=form.status,
    )


def _place(account_id: str) -> str:
    return f"/accounts/{quote(account_id)}"
