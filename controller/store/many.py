"""Many keys, and many rows, in few statements."""

from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

from sqlalchemy import insert
from sqlmodel import Session, SQLModel

T = TypeVar("T")

_AT_ONCE = 500
"""Keys named in one statement."""


def pieces(keys: Iterable[T]) -> Iterator[list[T]]:
    """The keys, each once, as many in a piece as one statement names."""
    each = list(dict.fromkeys(keys))
    return (each[start : start + _AT_ONCE] for start in range(0, len(each), _AT_ONCE))


def insert_all(session: Session, rows: Sequence[SQLModel]) -> None:
    """Insert rows of one table. They don't become the session's, which costs more than to write them, and
    come before what the session has not written yet.

    Where the database numbers them, they don't get to know their numbers.
    """
    if not rows:
        return
    numbered = getattr(rows[0], "id", "") is None
    values = [row.model_dump(exclude={"id"} if numbered else None) for row in rows]
    # With NULLs, or there would be a statement for every set of columns that are none.
    with session.no_autoflush:
        session.execute(insert(type(rows[0])), values, execution_options={"render_nulls": True})
