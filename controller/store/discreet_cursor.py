"""What goes to PostgreSQL together, and what it says of a fault without the values that it adds: they are
numbers, digits and secrets.
"""

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any, Self

import psycopg


class DiscreetCursor(psycopg.Cursor[Any]):
    """Raises errors with their first line alone."""

    def execute(self, *arguments: Any, **more: Any) -> Self:
        with _first_line_alone():
            return super().execute(*arguments, **more)

    def executemany(self, *arguments: Any, **more: Any) -> None:
        with _first_line_alone():
            super().executemany(*arguments, **more)


def execute_together(
    connection: psycopg.Connection[Any], statements: Sequence[tuple[str, Sequence[Any]]]
) -> list[psycopg.Cursor[Any]]:
    """Execute these one after the other and wait once; returns the cursor of each.

    Raises the first fault.
    """
    cursors = [connection.cursor() for _ in statements]
    fault = None
    try:
        # At its end the server is told that nothing more comes: from then on it knows us to be idle.
        with _first_line_alone(), connection.pipeline():
            try:
                for cursor, (text, values) in zip(cursors, statements, strict=True):
                    cursor.execute(text, values)
            except psycopg.Error as raised:
                # Not out of the block: psycopg would log what follows from it.
                fault = raised
    except psycopg.Error:
        if fault is None:
            raise
    if fault is not None:
        raise fault
    return cursors


@contextlib.contextmanager
def _first_line_alone() -> Iterator[None]:
    try:
        yield
    except psycopg.Error as error:
        if error.diag.message_primary:
            error.args = (error.diag.message_primary,)
        raise
