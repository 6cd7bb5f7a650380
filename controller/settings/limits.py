"""Settings of what may be called and how much: sections `dialling` and `limits`, and what accounts share."""

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from controller.rules.amounts import Price
from controller.rules.hours import check_span, check_zone
from controller.rules.number_classes import PREMIUM, TOLL_FRAUD, NumberClass
from controller.rules.patterns import check_pattern
from controller.rules.windows import check_window
from controller.settings.section import Section

Pattern = Annotated[str, AfterValidator(check_pattern)]
WindowText = Annotated[str, AfterValidator(check_window)]
Frequency = Literal["off", "warn", "refuse"]
Cap = Price | Literal["none"]
"""What may be spent in a day."""

# Source: product text A4.3; national numbering plan of China: area codes without the 0, subscribers' numbers
# begin with 2-8 and have eight digits where the area code has two, else seven or eight.
_ALLOWED = [
    "+861[3-9]XXXXXXXXX",  # mobile
    "+8610[2-8]XXXXXXX",  # Beijing
    "+862[0-57-9][2-8]XXXXXXX",  # other area codes of two digits
    "+86[3-9]XX[2-8]XXXXXX",  # area codes of three digits
    "+86[3-9]XX[2-8]XXXXXXX",
]
# Each stands for itself, also when an operator allows more: +86. for example.
_FORBIDDEN = [
    "+8699X.",  # Xinjiang
    "+8690[1-9].",
    "+8689[1-7].",  # Tibet
    "+86[48]00.",  # service numbers
    "+8695XXX",  # banks, carriers and the like; area codes 951 to 955 have longer numbers
    "+8695XXXX",
    "+8695XXXXX",
    "+8695XXXXXX",
    "+8696.",
    "+861XX",  # emergency and other short numbers
    "+861XXX",
    "+861XXXX",
    "+861XXXXX",
    "+861064XXXXXXXXX",  # things, not people
    "+8614[01468].",
]


class CallRules(Section):
    """Rules that the operator has for all, and accounts for their own calls."""

    callee_blacklist: list[Pattern] = Field(
        [], description="Numbers or patterns that are not called (1013004)."
    )
    callee_whitelist: list[Pattern] = Field(
        [], description="If there are any, only these numbers or patterns are called (1013011)."
    )
    caller_blacklist: list[Pattern] = Field(
        [], description="Numbers or patterns for which no callback is made: its first phone (1013010)."
    )
    hours: list[Annotated[str, AfterValidator(check_span)]] = Field(
        [],
        description="Spans of the day in which calls are made, such as 08:00-21:00, the end not included "
        "(1013121); none: at any time.",
    )
    hours_zone: Annotated[str, AfterValidator(check_zone)] = Field(
        "Asia/Shanghai", description="Zone of these hours."
    )


class DiallingSettings(Section):
    """What may be dialled: patterns as in Asterisk's dialplan, of E.164 numbers; see [limits](limits.md)."""

    allowed: list[Pattern] = Field(
        _ALLOWED,
        description="Numbers that may be called; countries of which it does not speak are abroad (1013112).",
    )
    forbidden: list[Pattern] = Field(_FORBIDDEN, description="Numbers that may not, whatever is allowed.")
    classes: list[NumberClass] = Field(
        [NumberClass.LOW],
        description="Classes of numbers that may be called, of those that are allowed: low, premium, "
        "toll_fraud. Accounts can have fewer.",
    )
    premium: list[Pattern] = Field(
        PREMIUM, description="Numbers of the class premium: they cost the one who calls more than a call."
    )
    toll_fraud: list[Pattern] = Field(
        TOLL_FRAUD,
        description="Numbers of the class toll_fraud, before premium: satellite and international networks, "
        "and countries in which fraudsters share in what a call costs.",
    )


class LimitSettings(CallRules):
    """How much may be called, when and whom, on the whole platform; accounts have their own beside it."""

    max_calls: int = Field(
        10_000,
        ge=0,
        description="Calls that one controller runs at a time, of all accounts (1010010); 0: any number.",
    )
    calls_per_second: int = Field(
        0,
        ge=0,
        description="Calls that are accepted in any second, of all accounts (1010010); 0: any number.",
    )
    account_calls_per_second: int = Field(
        1,
        ge=0,
        description="The same of one account (1013001), unless it has a limit of its own; 0: any number.",
    )
    daily_cap: Cap = Field(
        Decimal(50),
        description="What the calls of one account may cost in a day, in `billing.currency` (1010009), "
        'unless it has a cap of its own; "none": anything.',
    )
    callee_frequency: Frequency = Field(
        "off",
        description="What happens when an account calls somebody more often than `callee_windows` say: off, "
        "warn (log and timeline) or refuse (1013117).",
    )
    callee_windows: list[WindowText] = Field(
        ["3/24h", "10/30d"], description="Calls to one number in a time: h is hours, d is days."
    )
