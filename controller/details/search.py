"""Finding calls: newest first, page by page, by any part of what is known of them."""

import base64
import binascii
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Self

from sqlmodel import Session

from controller.details.index import CallIndex
from controller.store import call_search
from controller.store.call_filter import CallFilter, FilterError, Place
from controller.store.call_index import Progress
from controller.store.call_search import CallRow
from controller.store.database import Database
from controller.store.tables import Service

MOST = 500
"""Calls on one page, at most."""


_END_OF_TIME = 253_402_300_800_000_000
"""Of Python's: the year 10000, in microseconds since 1970."""


@dataclass(frozen=True)
class CallSummary:
    """A call in a list. `caller`: the first phone of a callback, else the number shown."""

    call_id: str
    session_id: str
    account_id: str
    app_key: str
    service: Service
    caller: str
    callee: str
    accepted_at: datetime
    answered_at: datetime | None
    """By whom the call is for."""
    ended_at: datetime | None
    state_code: int | None
    talk_seconds: float | None
    """From that answer to the end; None while the call goes on, 0 if there was none."""

    @classmethod
    def of(cls, row: CallRow) -> Self:
        """What a list says of a stored call."""
        answered_at = _answered_at(row)
        talk = None
        if row.ended_at is not None:
            talk = max(0.0, (row.ended_at - answered_at).total_seconds()) if answered_at else 0.0
        return cls(
            row.place.call_id,
            row.session_id,
            row.account_id,
            row.app_key,
            row.service,
            row.caller,
            row.callee,
            row.accepted_at,
            answered_at,
            row.ended_at,
            row.state_code,
            talk,
        )


def _answered_at(row: CallRow) -> datetime | None:
    if row.record is None:
        return None
    leg = "second_leg" if row.service is Service.CALLBACK else "first_leg"
    answered = row.record[leg]["answered"]
    return None if answered is None else datetime.fromisoformat(answered)


@dataclass(frozen=True)
class Page:
    """Some calls, newest first; `next` is the cursor of those after them, None at the end."""

    calls: list[CallSummary]
    next: str | None


class CallSearch:
    """Searches what the index has and what it hasn't taken in yet, as if they were one."""

    def __init__(self, database: Database, index: CallIndex) -> None:
        self._database = database
        self._index = index

    async def find(
        self, wanted: CallFilter, *, of_account: str | None, cursor: str | None = None, limit: int = 50
    ) -> Page:
        """A page of calls. `of_account`: the only account whose calls are seen; None sees all.

        Raises FilterError, which names the field.
        """
        if not 1 <= limit <= MOST:
            raise FilterError("limit", f"must be in 1 to {MOST}")
        before = None if cursor is None else _place(cursor)
        if of_account is not None:
            if wanted.account_id not in (None, of_account):
                return Page([], None)
            wanted = replace(wanted, account_id=of_account)
        places = await self._places(wanted, before, limit + 1)
        page = places[:limit]
        rows = await self._database.read(
            partial(call_search.call_rows, call_ids=[place.call_id for place in page])
        )
        # What was purged meanwhile is in the index for a while.
        calls = [CallSummary.of(rows[place.call_id]) for place in page if place.call_id in rows]
        return Page(calls, _cursor(page[-1]) if len(places) > limit else None)

    async def one(self, name: str, *, of_account: str | None) -> CallSummary | None:
        """The call with this session id or call id, as lists have it; None as for `find`."""
        call_id = name.partition("@")[0]
        found = await self._database.read(partial(call_search.call_rows, call_ids=[call_id]))
        row = found.get(call_id)
        if row is None or name not in (call_id, row.session_id) or of_account not in (None, row.account_id):
            return None
        return CallSummary.of(row)

    async def _places(self, wanted: CallFilter, before: Place | None, limit: int) -> list[Place]:
        # In this order no call is missed: what moves into the index meanwhile is found in both.
        progress = await self._index.progress()
        recent = await self._database.read(partial(_unindexed, wanted, progress, before, limit))
        indexed = await self._index.find(wanted, before, limit)
        places: dict[str, Place] = {}
        for place in sorted([*indexed, *recent], reverse=True):
            places.setdefault(place.call_id, place)
        return list(places.values())[:limit]


def _unindexed(
    wanted: CallFilter, progress: Progress, before: Place | None, limit: int, session: Session
) -> list[Place]:
    return call_search.unindexed(session, wanted, progress, before, limit)


def _cursor(place: Place) -> str:
    return base64.urlsafe_b64encode(f"{place.position}:{place.call_id}".encode()).decode().rstrip("=")


def _place(cursor: str) -> Place:
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        position, _, call_id = base64.urlsafe_b64decode(padded.encode("ascii")).decode("ascii").partition(":")
        if not (position.isdecimal() and len(position) <= 18 and 0 < len(call_id) <= 64):
            raise ValueError("no place")
        if int(position) >= _END_OF_TIME:
            raise ValueError("no time")
        return Place(int(position), call_id)
    except (binascii.Error, ValueError):
        raise FilterError("cursor", "is not one that a page before gave") from None
