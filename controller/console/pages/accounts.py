"""Accounts: the companies that have calls made."""

from typing import Final

from aiohttp import web

from controller.console.forms import ALL, Field, Form
from controller.console.listing import list_page
from controller.console.pages.declared import Pages
from controller.console.pages.kinds import Kind
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
ACCOUNTS: Final = Kind[AccountView](
    "/accounts",
    N_("Accounts"),
    lambda account: account.id,
    lambda account: account.name.strip() or account.id,
    "account_id",
)

NUMBER_CLASSES: Final = {
    NumberClass.LOW: N_("ordinary numbers"),
    NumberClass.PREMIUM: N_("premium numbers: calling them costs more than a call"),
    NumberClass.TOLL_FRAUD: N_("numbers known from toll fraud, satellites among them"),
}
NUMBER_CLASS_CHOICES: Final = (
    (ALL, N_("all that the operator allows")),
    *((str(value), word) for value, word in NUMBER_CLASSES.items()),
)
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
        choices=NUMBER_CLASS_CHOICES,
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
    return await list_page(
        visit,
        "accounts.html",
        list_accounts,
        Form(()),
        title=visit.text("Accounts"),
        may_create=visit.allows(create_account),
    )


ACCOUNTS.made_by(
    pages,
    create_account,
    NEW,
    N_("The account is there. Give it users, an application and a number."),
    title=N_("New account"),
    values={"rules.number_classes": ALL, "rules.hours_zone": _ZONE},
)


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


ACCOUNTS.changed_by(
    pages,
    get_account,
    edit_account,
    EDIT,
    N_("The account is changed. It is in force within a second."),
)
