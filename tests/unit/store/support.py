"""Calls to be counted."""

from datetime import UTC, datetime
from itertools import count
from typing import Any

import pytest
from sqlalchemy import text

from controller.store import calls as rows
from controller.store.database import Database
from controller.store.errors import LimitReached
from controller.store.limits import Limits, Place

NOW = datetime(2026, 11, 24, 8, 0, 0, 500_000, tzinfo=UTC)
PERSON, OTHER = "+8613900001111", "+8613900002222"
FIRST, SECOND = "+8657126880001", "+8657126880002"
NUMBERS = count(1)


def call_row(at: datetime = NOW, **changes: Any) -> dict[str, Any]:
    identity = f"call-{next(NUMBERS)}"
    return {
        "id": identity,
        "session_id": f"{identity}@host",
        "account_id": "acme",
        "app_key": "app-1",
        "service": "notification",
        "controller": "host",
        "node": "node1",
        "display_number": FIRST,
        "callee": PERSON,
        "addressee": PERSON,
        "accepted_at": at,
        **changes,
    }


async def accept(database: Database, limits: Limits, row: dict[str, Any] | None = None) -> Place:
    made = row or call_row()
    return await database.write(lambda session: rows.accept_call(session, made, None, limits))


async def refusal(database: Database, limits: Limits, row: dict[str, Any] | None = None) -> LimitReached:
    """Why a call is refused; nothing was written."""
    before = await calls_in(database)
    with pytest.raises(LimitReached) as caught:
        await accept(database, limits, row)
    assert await calls_in(database) == before
    return caught.value


async def calls_in(database: Database) -> int:
    return await database.read(
        lambda session: session.execute(text("SELECT count(*) FROM call")).scalar_one()
    )


async def end(database: Database, row: dict[str, Any]) -> None:
    entry = {
        "call_id": row["id"],
        "sequence": 1,
        "at": NOW,
        "kind": "disconnect",
        "leg": None,
        "detail": None,
    }
    await database.write(
        lambda session: rows.end_call(
            session,
            row["id"],
            ended_at=NOW,
            state_code=0,
            last_entry=entry,
            cdr={},
            app_key=row["app_key"],
            delivery=None,
        )
    )
