"""What the models of requests and answers have in common.

There are over a hundred of them: each gets its validator when it is first needed, so that no start waits
for it.
"""

import re
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    Strict,
    WithJsonSchema,
)
from pydantic_core import PydanticKnownError

from controller.faults import IDENTIFIER
from controller.rules.amounts import amount_text

Item = TypeVar("Item")
LARGEST_PAGE = 200


class Input(BaseModel):
    """A JSON body: nothing that is not known, nothing of another type."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, use_attribute_docstrings=True, defer_build=True
    )


def _without_defaults(schema: dict[str, Any]) -> None:
    for field in schema.get("properties", {}).values():
        field.pop("default", None)


class Edit(Input):
    """A JSON body of what changes; what is left out stays, so that defaults mean nothing."""

    model_config = ConfigDict(json_schema_extra=_without_defaults)


class Query(BaseModel):
    """Parameters after the question mark; all text, so that numbers are read from it."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True, defer_build=True)


class View(BaseModel):
    """A thing as answers show it. Without secrets: it also goes into the audit trail."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True, defer_build=True)


class PageQuery(Query):
    """Which part of a list."""

    limit: int = Field(50, ge=1, le=LARGEST_PAGE)
    """How many items at most."""
    cursor: str | None = Field(None, max_length=600)
    """From `next` of the page before; the other parameters must be the same."""


class OfAccount(Query):
    """What belongs to accounts."""

    account_id: str | None = Field(None, pattern=IDENTIFIER)
    """The account; without it your own, and for the operator's users all accounts."""


class AccountQuery(OfAccount, PageQuery):
    """A list of what belongs to accounts."""


class Page(View, Generic[Item]):
    """A part of a list."""

    # Pydantic would search the whole stack's sources for the docstrings of each list, 35 ms a list at start.
    model_config = ConfigDict(use_attribute_docstrings=False)

    items: list[Item] = Field(description="What is in it.")
    next: str | None = Field(description="Address of the next page; null at the end.")


def _utc(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


Moment = Annotated[
    datetime,
    PlainSerializer(_utc, return_type=str),
    WithJsonSchema({"type": "string", "format": "date-time"}, mode="serialization"),
]
"""A time in UTC."""


_NUMBER = re.compile(r"\s*[+-]?[0-9.]+\s*", re.ASCII)


def _no_number(kind: Literal["datetime_parsing", "date_parsing"]) -> BeforeValidator:
    """Refuses what would be taken for seconds since 1970: whoever writes 2026 means the year."""

    def check(given: Any) -> Any:
        if isinstance(given, int | float) or (isinstance(given, str) and _NUMBER.fullmatch(given)):
            raise PydanticKnownError(kind, {"error": "a number"})
        return given

    return BeforeValidator(check)


def _in_utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("is no time that there is") from None


# Not strict: what has been looked at is no longer JSON to pydantic, where a time is a text.
When = Annotated[AwareDatetime, Strict(False), AfterValidator(_in_utc), _no_number("datetime_parsing")]
"""A time that is given with its zone."""

Day = Annotated[date, Strict(False), _no_number("date_parsing")]
"""A day."""

Money = Annotated[
    Decimal,
    PlainSerializer(amount_text, return_type=str),
    WithJsonSchema(
        {"type": "string", "pattern": r"^-?[0-9]+\.[0-9]{2,4}$", "examples": ["0.18"]}, mode="serialization"
    ),
]
"""An amount as answers show it: an exact text."""

Identifier = Annotated[str, Field(pattern=IDENTIFIER)]
"""1 to 32 letters, digits, _ and -."""

OwnAccount = Annotated[
    Identifier | None,
    Field(description="The account; may be left out by its own users, and must be there for the operator's."),
]
