"""The index of ended calls, in an SQLite file of its own: what call details are searched by.

It holds nothing that the database does not: a file that is missing, broken or of another version is made
anew. And being a file of its own, it never keeps a call's transaction waiting.

Calls are taken in one after the other; as soon as there are `BLOCK` of them they are sealed: for every word
of theirs (`postings`) it is written where in the block it is, and that never changes. A search intersects
words, block by block, the newest first, and looks at the few calls that are not sealed one by one. What words
find is held against the entry, so they need not be exact. Entries are ordered by when the call was accepted.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any

import numpy as np
from sqlmodel import Session

from controller.store import postings
from controller.store.call_filter import CallFilter, Place, position_of
from controller.store.postings import WORD_BITS, Field, Places, Wanted
from controller.store.side_file import Layout

BLOCK = 32_768
"""Calls that are sealed together."""

PIECE = 500
"""Positions of a block's calls that are kept and read together: as many as fit on a page of the file."""

_PIECE_BITS = 8

LAYOUT = Layout(
    6,
    (
        """
    CREATE TABLE entry (
        position INTEGER PRIMARY KEY, call_id TEXT NOT NULL, account_id TEXT NOT NULL, app_key TEXT NOT NULL,
        service TEXT NOT NULL, state_code INTEGER NOT NULL, session_id TEXT NOT NULL, caller TEXT NOT NULL,
        callee TEXT NOT NULL
    )
    """,
        # Positions of the entries that are not sealed.
        "CREATE TABLE loose (position INTEGER PRIMARY KEY)",
        """
    CREATE TABLE block (
        id INTEGER PRIMARY KEY, oldest INTEGER NOT NULL, newest INTEGER NOT NULL, size INTEGER NOT NULL
    )
    """,
        # The key is block and number of the piece.
        "CREATE TABLE piece (id INTEGER PRIMARY KEY, positions BLOB NOT NULL)",
        # The key is block and word.
        "CREATE TABLE posting (id INTEGER PRIMARY KEY, places BLOB NOT NULL)",
        "CREATE TABLE progress (number INTEGER NOT NULL, call_id TEXT NOT NULL)",
    ),
)

_TEXTS = {"call_id": Field.CALL_ID, "caller": Field.CALLER, "callee": Field.CALLEE}
_VALUES = {
    "account_id": Field.ACCOUNT,
    "app_key": Field.APP,
    "service": Field.SERVICE,
    "state_code": Field.RESULT,
}


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


# Many rows are written and read by few statements: for each row that it writes or reads the driver lets go of
# the interpreter, and a thread that does so 80,000 times in a row takes it from the event loop as often.
_EACH_COLUMN = ", ".join(f"json_extract(value, '$[{column}]')" for column in range(9))
_ADD_ENTRIES = f"INSERT INTO entry SELECT {_EACH_COLUMN} FROM json_each(?)"  # noqa: S608 - only numbers


def progress(session: Session) -> Progress:
    """How far the index has come."""
    row = session.connection().exec_driver_sql("SELECT number, call_id FROM progress").one_or_none()
    return Progress() if row is None else Progress(*row)


def add(session: Session, entries: Sequence[Entry]) -> None:
    """Take in these calls, which follow those that are in, and remember how far that is."""
    connection = session.connection()
    last = max(entries, key=lambda entry: entry.number)
    # In the order of their positions the tables grow at their ends.
    ordered = sorted(entries, key=lambda entry: entry.place)
    positions = _free(connection, [entry.place.position for entry in ordered])
    rows = [_row(position, entry) for position, entry in zip(positions, ordered, strict=True)]
    connection.exec_driver_sql(_ADD_ENTRIES, (json.dumps(rows),))
    connection.exec_driver_sql("INSERT INTO loose SELECT value FROM json_each(?)", (json.dumps(positions),))
    connection.exec_driver_sql("DELETE FROM progress")
    connection.exec_driver_sql("INSERT INTO progress VALUES (?, ?)", (last.number, last.place.call_id))
    if _count_loose(connection) >= BLOCK:
        _seal(connection)


def _count_loose(connection: Any) -> int:
    count: int = connection.exec_driver_sql("SELECT count(*) FROM loose").scalar_one()
    return count


def _seal(connection: Any) -> None:
    """Make a block of the entries that are in none."""
    columns = ("position", *_VALUES, *_TEXTS)
    found = connection.exec_driver_sql(
        f"SELECT {', '.join(f'json_group_array({name})' for name in columns)} "  # noqa: S608 - names of ours
        f"FROM (SELECT entry.position, {', '.join(columns[1:])} "
        "FROM loose CROSS JOIN entry USING (position) ORDER BY loose.position LIMIT ?)",
        (postings.LARGEST,),
    ).one()
    positions, *fields = map(json.loads, found)
    texts = dict(zip(columns[1:], fields, strict=True))
    block_id = connection.exec_driver_sql(
        "INSERT INTO block (oldest, newest, size) VALUES (?, ?, ?) RETURNING id",
        (positions[0], positions[-1], len(positions)),
    ).scalar_one()
    _insert(
        connection,
        "piece",
        (
            (block_id << _PIECE_BITS | number, np.array(positions[begin : begin + PIECE], "<i8").tobytes())
            for number, begin in enumerate(range(0, len(positions), PIECE))
        ),
    )
    words = chain(
        *(
            postings.value_postings(field, [str(value) for value in texts[name]])
            for name, field in _VALUES.items()
        ),
        *(postings.part_postings(field, texts[name]) for name, field in _TEXTS.items()),
    )
    _insert(connection, "posting", ((block_id << WORD_BITS | word, places) for word, places in words))
    connection.exec_driver_sql("DELETE FROM loose WHERE position <= ?", (positions[-1],))


def _insert(connection: Any, table: str, rows: Iterator[tuple[int, bytes]]) -> None:
    while some := list(islice(rows, _AT_ONCE)):
        values = ", ".join(["(?, ?)"] * len(some))
        connection.exec_driver_sql(
            f"INSERT INTO {table} VALUES {values}",  # noqa: S608 - only names of ours
            tuple(chain(*some)),
        )


_AT_ONCE = 500
"""Rows of one statement."""

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


@dataclass(frozen=True)
class _Range:
    """Positions among which is searched, both included."""

    first: int
    last: int

    @classmethod
    def of(cls, wanted: CallFilter, before: Place | None) -> "_Range":
        # The call at `before` itself may share its position with one that comes after it.
        last = [_NO_END if before is None else before.position]
        last += [] if wanted.until is None else [position_of(wanted.until) - 1]
        return cls(-_NO_END if wanted.since is None else position_of(wanted.since), min(last))


_NO_END = 2**62


def find(session: Session, wanted: CallFilter, before: Place | None, limit: int) -> list[Place]:
    """Places of ended calls, newest first; only such as come after `before` in that order."""
    connection = session.connection()
    among = _Range.of(wanted, before)
    conditions, values = _conditions(wanted)
    conditions.append("entry.position BETWEEN :first AND :last")
    values |= {"first": among.first, "last": among.last}
    if before is not None:
        conditions.append("NOT (entry.position = :before AND entry.call_id >= :before_call)")
        values |= {"before": before.position, "before_call": before.call_id}

    def those(source: str, order: str = "entry.position", **more: Any) -> list[Place]:
        """Entries of a source, held against what is wanted; `order`: that of the source, from the end."""
        found = connection.exec_driver_sql(
            f"SELECT entry.position, entry.call_id FROM {source} "  # noqa: S608 - only names of ours
            f"WHERE {' AND '.join(conditions)} ORDER BY {order} DESC LIMIT :limit",
            {**values, **more, "limit": limit},
        )
        return [Place(*row) for row in found]

    words = _words(wanted)
    if not words:
        return those("entry")
    found = those("loose CROSS JOIN entry ON entry.position = loose.position", "loose.position")
    for newest, positions in _candidates(connection, words, among):
        if len(found) >= limit and found[-1].position > newest:
            break
        fresh = 0
        for chunk in _chunks(positions, limit):
            given = json.dumps(chunk.tolist())
            fitting = those(
                "json_each(:given) AS it CROSS JOIN entry ON entry.position = it.value", given=given
            )
            fresh += len(fitting)
            found += fitting
            if fresh >= limit:
                break
        found = sorted(found, reverse=True)[:limit]
    return found


def _chunks(positions: Places, size: int) -> Iterator[Places]:
    """Pieces of these, each larger than the one before."""
    begin = 0
    while begin < len(positions):
        yield positions[begin : begin + size]
        begin, size = begin + size, 2 * size


def _candidates(connection: Any, words: Wanted, among: _Range) -> Iterator[tuple[int, Places]]:
    """Of some blocks at a time, the newest first: the newest position in them, and where all words are."""
    blocks = connection.exec_driver_sql(
        "SELECT id, newest, size FROM block WHERE newest >= ? AND oldest <= ? ORDER BY newest DESC",
        (among.first, among.last),
    ).all()
    asked = sorted(words.words())
    for some in _growing(blocks):
        keys = [block_id << WORD_BITS | word for block_id, _newest, _size in some for word in asked]
        kept = dict(
            connection.exec_driver_sql(
                "SELECT posting.id, posting.places "
                "FROM json_each(?) AS it CROSS JOIN posting ON posting.id = it.value",
                (json.dumps(keys),),
            ).all()
        )
        found: dict[int, Places] = {}
        for block_id, _newest, size in some:
            its = {word: places for word in asked if (places := kept.get(block_id << WORD_BITS | word))}
            found[block_id] = words.places(its, size)
        positions = np.sort(_positions(connection, found))[::-1]
        yield some[0][1], positions[(positions >= among.first) & (positions <= among.last)]


_FEW, _MANY = 2, 64


def _growing(blocks: Sequence[Any]) -> Iterator[Sequence[Any]]:
    """Few blocks first, as most pages are full with these."""
    begin, size = 0, _FEW
    while begin < len(blocks):
        yield blocks[begin : begin + size]
        begin, size = begin + size, min(2 * size, _MANY)


def _positions(connection: Any, found: Mapping[int, Places]) -> Places:
    """Positions of the entries at these places of these blocks."""
    within: dict[int, Places] = {}
    for block_id, places in found.items():
        pieces, rest = np.divmod(places, PIECE)
        # The places of a block are in order, so that those in a piece follow each other.
        begins = np.flatnonzero(np.diff(pieces, prepend=-1))
        for number, begin, end in zip(
            pieces[begins].tolist(), begins.tolist(), [*begins[1:].tolist(), len(rest)], strict=len(rest) > 0
        ):
            within[block_id << _PIECE_BITS | number] = rest[begin:end]
    rows = connection.exec_driver_sql(
        "SELECT piece.id, piece.positions FROM json_each(?) AS it CROSS JOIN piece ON piece.id = it.value",
        (json.dumps(list(within)),),
    ).all()
    kept = [np.frombuffer(positions, "<i8")[within[key]] for key, positions in rows]
    return np.concatenate([np.empty(0, np.int64), *kept])


def _words(wanted: CallFilter) -> Wanted:
    """What is looked up of a filter."""
    every: set[int] = set()
    choices: list[tuple[frozenset[int], ...]] = []
    for name in ("account_id", "app_key", "service"):
        value = getattr(wanted, name)
        if value is not None:
            every.add(postings.value_word(_VALUES[name], str(value)))
    if wanted.results:
        words = (postings.value_word(Field.RESULT, str(code)) for code in sorted(wanted.results))
        choices.append(tuple(frozenset({word}) for word in words))
    parts = {Field.CALL_ID: wanted.session_id, Field.CALLER: wanted.caller, Field.CALLEE: wanted.callee}
    for field, part in parts.items():
        if part is not None:
            every.update(_part_words(field, part))
    if wanted.text is not None:
        choices.append(tuple(frozenset(_part_words(field, wanted.text)) for field in _TEXTS.values()))
    return Wanted(frozenset(every), tuple(choices))


def _part_words(field: Field, part: str) -> list[int]:
    return postings.part_words(field, part.partition("@")[0])


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
    """Forget these entries, and blocks that have none any more."""
    connection = session.connection()
    for place in places:
        gone = connection.exec_driver_sql(
            "DELETE FROM entry WHERE position = ? AND call_id = ?", (place.position, place.call_id)
        ).rowcount
        if gone:
            connection.exec_driver_sql("DELETE FROM loose WHERE position = ?", (place.position,))
    empty = connection.exec_driver_sql(
        "DELETE FROM block WHERE newest < coalesce((SELECT min(position) FROM entry), newest + 1) "
        "RETURNING id"
    ).scalars()
    for block_id in empty.all():
        for table, bits in (("posting", WORD_BITS), ("piece", _PIECE_BITS)):
            connection.exec_driver_sql(
                f"DELETE FROM {table} WHERE id BETWEEN ? AND ?",  # noqa: S608 - only names of ours
                (block_id << bits, (block_id + 1 << bits) - 1),
            )
