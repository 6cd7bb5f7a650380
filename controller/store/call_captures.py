"""Captures of calls in an SQLite file of their own, so that they never keep a call's transaction waiting.

It holds nothing that anything else needs: a file that is missing or broken is begun anew.
"""

import math
from collections.abc import Sequence
from typing import Final

from sqlmodel import Session

from controller.store.side_file import Layout

LAYOUT: Final = Layout(
    1,
    (
        """
    CREATE TABLE capture (
        id INTEGER PRIMARY KEY, at REAL NOT NULL, call_id TEXT NOT NULL, content BLOB NOT NULL
    )
    """,
        "CREATE INDEX capture_of_call ON capture (call_id)",
        "CREATE INDEX capture_at ON capture (at, length(content))",
    ),
)
_AT_ONCE: Final = 500


def add(session: Session, captures: Sequence[tuple[float, str, bytes]]) -> None:
    """Keep captures: (seconds since 1970, call id, content)."""
    if captures:
        session.connection().exec_driver_sql(
            "INSERT INTO capture (at, call_id, content) VALUES (?, ?, ?)", list(captures)
        )


def of_call(session: Session, call_id: str) -> list[bytes]:
    """The contents of a call's captures, oldest first."""
    rows = session.connection().exec_driver_sql(
        "SELECT content FROM capture WHERE call_id = ? ORDER BY id", (call_id,)
    )
    return [row[0] for row in rows]


def forget(session: Session, before: float, most_bytes: int) -> int:
    """Drop some of those before a time, or of the oldest if all are larger than that; returns how many."""
    connection = session.connection()
    size = connection.exec_driver_sql("SELECT coalesce(sum(length(content)), 0) FROM capture").scalar_one()
    until = math.inf if size > most_bytes else before
    return connection.exec_driver_sql(
        "DELETE FROM capture WHERE id IN (SELECT id FROM capture WHERE at < ? ORDER BY at LIMIT ?)",
        (until, _AT_ONCE),
    ).rowcount
