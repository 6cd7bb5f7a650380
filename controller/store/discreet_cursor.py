"""What PostgreSQL says of a fault, without the values that it adds: they are numbers, digits and secrets."""

import contextlib
from collections.abc import Iterator
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


@contextlib.contextmanager
def _first_line_alone() -> Iterator[None]:
    try:
        yield
    except psycopg.Error as error:
        if error.diag.message_primary:
            error.args = (error.diag.message_primary,)
        raise
