"""Calls that were found as CSV, for spreadsheets and other programs."""

import csv
import io
from collections.abc import AsyncIterator, Iterable
from datetime import datetime

from controller.details.search import MOST, CallSearch
from controller.rules.spreadsheet import cell
from controller.store.call_filter import CallFilter

COLUMNS = (
    "accepted_at",
    "call_id",
    "session_id",
    "account_id",
    "app_key",
    "service",
    "caller",
    "callee",
    "answered_at",
    "ended_at",
    "state_code",
    "talk_seconds",
)
"""In their order; each is named as in the API."""


async def calls_csv(
    search: CallSearch, wanted: CallFilter, *, of_account: str | None, most: int | None = None
) -> AsyncIterator[str]:
    """All calls that are wanted, or the newest of them, newest first; piece by piece, however many there are.

    RFC 4180; times are UTC, what is not known (yet) is empty. `of_account` as for `CallSearch.find`.
    """
    yield _lines([COLUMNS])
    cursor, left = None, most
    while left is None or left > 0:
        limit = MOST if left is None else min(left, MOST)
        page = await search.find(wanted, of_account=of_account, cursor=cursor, limit=limit)
        if page.calls:
            yield _lines([[_text(getattr(call, name)) for name in COLUMNS] for call in page.calls])
        if page.next is None:
            return
        cursor, left = page.next, None if left is None else left - len(page.calls)


def _lines(rows: Iterable[Iterable[str]]) -> str:
    out = io.StringIO()
    csv.writer(out).writerows(rows)
    return out.getvalue()


def _text(value: object) -> str:
    match value:
        case None:
            return ""
        case datetime():
            return value.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        case float():
            return f"{value:.3f}"
        case _:
            return cell(str(value))
