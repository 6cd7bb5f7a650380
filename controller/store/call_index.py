"""The index of ended calls, in an SQLite file of its own: what call details are searched by.

It holds nothing that the database does not: a file that is missing, broken or of another version is made
anew. And being a file of its own, it never keeps a call's transaction waiting.

Words are trigrams (FTS5) of call id, caller and callee; account, app, service and result are one word each, a
hash of three letters, so that FTS5 intersects them with the rest. What it finds is held against the entry, so
neither hashes nor the choice of words need be exact. Entries are ordered by when the call was accepted.
"""

import base64
import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sqlmodel import Session

from controller.store.call_filter import CallFilter, Place, position_of

VERSION = 1

_SCHEMA = (
    """
    CREATE TABLE entry (
        position INTEGER PRIMARY KEY, call_id TEXT NOT NULL, account_id TEXT NOT NULL, app_key TEXT NOT NULL,
        service TEXT NOT NULL, state_code INTEGER NOT NULL, session_id TEXT NOT NULL, caller TEXT NOT NULL,
        callee TEXT NOT NULL
    )
    """,
    """
    CREATE VIRTUAL TABLE word USING fts5 (
        account_id, app_key, service, state_code, call_id, caller, callee,
        content='', tokenize='trigram case_sensitive 1'
    )
    """,
    "CREATE TABLE progress (number INTEGER NOT NULL, call_id TEXT NOT NULL)",
    f"PRAGMA user_version = {VERSION}",
)

_WINDOW = 5
"""Characters of a part that are looked up, its last: each costs a walk through the calls that have it."""

_TEXTS = ("call_id", "caller", "callee")


@dataclass(frozen=True)
class Entry:
    """An ended call as it is looked for. `number` is its CDR's."""

    number: int
    place: Place
    account_id: str
    app_key: str
    service: str
    state_code: int
    session_id: str
    caller: str
    callee: str


@dataclass(frozen=True)
class Progress:
    """How far the index has come: the number of the last CDR in it, and whose that was."""

    number: int = 0
    call_id: str = ""


def create(session: Session) -> None:
    """Make the tables if the file is new."""
    connection = session.connection()
    if connection.exec_driver_sql("PRAGMA user_version").scalar_one() == VERSION:
        return
    for statement in _SCHEMA:
        connection.exec_driver_sql(statement)


def version(session: Session) -> int:
    """Of the file; 0 if it is new."""
    found: int = session.connection().exec_driver_sql("PRAGMA user_version").scalar_one()
    return found


def progress(session: Session) -> Progress:
    """How far the index has come."""
    row = session.connection().exec_driver_sql("SELECT number, call_id FROM progress").one_or_none()
    return Progress() if row is None else Progress(*row)


def add(session: Session, entries: Sequence[Entry]) -> None:
    """Take in these calls, which follow those that are in, and remember how far that is."""
    connection = session.connection()
    last = max(entries, key=lambda entry: entry.number)
    # In the order of their positions FTS5 writes them in one go.
    ordered = sorted(entries, key=lambda entry: entry.place)
    positions = _free(connection, [entry.place.position for entry in ordered])
    rows = [_row(position, entry) for position, entry in zip(positions, ordered, strict=True)]
    connection.exec_driver_sql("INSERT INTO entry VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
    connection.exec_driver_sql(
        "INSERT INTO word (rowid, account_id, app_key, service, state_code, call_id, caller, callee) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        [_words(row) for row in rows],
    )
    connection.exec_driver_sql("DELETE FROM progress")
    connection.exec_driver_sql("INSERT INTO progress VALUES (?, ?)", (last.number, last.place.call_id))


_Row = tuple[int, str, str, str, str, int, str, str, str]


def _row(position: int, entry: Entry) -> _Row:
    return (
        position,
        entry.place.call_id,
        entry.account_id,
        entry.app_key,
        entry.service,
        entry.state_code,
        entry.session_id,
        entry.caller,
        entry.callee,
    )


def _free(connection: Any, wanted: list[int]) -> list[int]:
    """These positions, or the next ones where another call was accepted at the same time."""
    while True:
        positions: list[int] = []
        for position in wanted:
            positions.append(max(position, positions[-1] + 1) if positions else position)
        taken = set(
            connection.exec_driver_sql(
                "SELECT position FROM entry WHERE position IN (SELECT value FROM json_each(?))",
                (json.dumps(positions),),
            ).scalars()
        )
        if not taken:
            return positions
        wanted = [position + (position in taken) for position in positions]


def _words(row: _Row) -> tuple[Any, ...]:
    position, call_id, account_id, app_key, service, state_code, _session_id, caller, callee = row
    hashes = (hashed(account_id), hashed(app_key), hashed(service), hashed(str(state_code)))
    return (position, *hashes, call_id, caller, callee)


@lru_cache(4096)
def hashed(value: str) -> str:
    """One trigram that stands for a value, and perhaps for another one."""
    return base64.urlsafe_b64encode(hashlib.sha256(value.encode()).digest())[:3].decode()


def find(session: Session, wanted: CallFilter, before: Place | None, limit: int) -> list[Place]:
    """Places of ended calls, newest first; only such as come after `before` in that order."""
    words = _match(wanted)
    source, rowid = ("word CROSS JOIN entry ON entry.position = word.rowid", "word.rowid")
    if not words:
        source, rowid = ("entry", "entry.position")
    conditions, values = _conditions(wanted)
    if words:
        conditions.append("word MATCH :words")
        values["words"] = " AND ".join(words)
    if wanted.since is not None:
        conditions.append(f"{rowid} >= :since")
        values["since"] = position_of(wanted.since)
    if wanted.until is not None:
        conditions.append(f"{rowid} < :until")
        values["until"] = position_of(wanted.until)
    if before is not None:
        conditions.append(f"{rowid} <= :before AND NOT ({rowid} = :before AND entry.call_id >= :before_call)")
        values |= {"before": before.position, "before_call": before.call_id}
    where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
    found = session.connection().exec_driver_sql(
        f"SELECT entry.position, entry.call_id FROM {source} {where} "  # noqa: S608 - only names of ours
        f"ORDER BY {rowid} DESC LIMIT :limit",
        {**values, "limit": limit},
    )
    return [Place(*row) for row in found]


def _match(wanted: CallFilter) -> list[str]:
    """What FTS5 is asked for: not all, but all that it finds quickly."""
    one_of = {
        "account_id": [wanted.account_id] if wanted.account_id is not None else [],
        "app_key": [wanted.app_key] if wanted.app_key is not None else [],
        "service": [str(wanted.service)] if wanted.service is not None else [],
        "state_code": [str(code) for code in sorted(wanted.results)],
    }
    words = [
        f"{column} : ({' OR '.join(_quoted(hashed(value)) for value in values)})"
        for column, values in one_of.items()
        if values
    ]
    parts = {"call_id": wanted.session_id, "caller": wanted.caller, "callee": wanted.callee}
    words += [f"{column} : {_looked_up(part)}" for column, part in parts.items() if part is not None]
    if wanted.text is not None:
        words.append(f"{{{' '.join(_TEXTS)}}} : {_looked_up(wanted.text)}")
    return words


def _looked_up(part: str) -> str:
    return _quoted(part.partition("@")[0][-_WINDOW:])


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def _conditions(wanted: CallFilter) -> tuple[list[str], dict[str, Any]]:
    """What an entry is held against."""
    conditions: list[str] = []
    values: dict[str, Any] = {}
    for column in ("account_id", "app_key", "service"):
        value = getattr(wanted, column)
        if value is not None:
            conditions.append(f"entry.{column} = :{column}")
            values[column] = str(value)
    if wanted.results:
        conditions.append(f"entry.state_code IN ({', '.join(str(int(code)) for code in wanted.results)})")
    for column in ("caller", "callee"):
        value = getattr(wanted, column)
        if value is not None:
            conditions.append(f"instr(entry.{column}, :{column}) > 0")
            values[column] = value
    if wanted.session_id is not None:
        conditions.append(f"instr(entry.{session_column(wanted.session_id)}, :session_id) > 0")
        values["session_id"] = wanted.session_id
    if wanted.text is not None:
        columns = (session_column(wanted.text), "caller", "callee")
        conditions.append(f"({' OR '.join(f'instr(entry.{column}, :text) > 0' for column in columns)})")
        values["text"] = wanted.text
    return conditions, values


def session_column(part: str) -> str:
    """In which column a part of a session id is looked for: the host is only looked at behind an @."""
    return "session_id" if "@" in part else "call_id"


def oldest(session: Session, until: int, after: int, limit: int) -> list[Place]:
    """Entries before the position `until` and after the position `after`, oldest first."""
    found = session.connection().exec_driver_sql(
        "SELECT position, call_id FROM entry WHERE position > ? AND position < ? ORDER BY position LIMIT ?",
        (after, until, limit),
    )
    return [Place(*row) for row in found]


def remove(session: Session, places: Iterable[Place]) -> None:
    """Forget these entries."""
    connection = session.connection()
    for place in places:
        row = connection.exec_driver_sql(
            "DELETE FROM entry WHERE position = ? AND call_id = ? RETURNING *",
            (place.position, place.call_id),
        ).one_or_none()
        if row is not None:
            # FTS5 must be told what was in it.
            connection.exec_driver_sql(
                "INSERT INTO word (word, rowid, account_id, app_key, service, state_code, call_id, caller, "
                "callee) VALUES ('delete', ?, ?, ?, ?, ?, ?, ?, ?)",
                _words(tuple(row)),
            )
