"""How many statements a transaction has: whether it is long, told the same on every machine."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from sqlalchemy import Connection, Engine, event

from controller.store import prepared


@contextmanager
def counted(*, each_row: bool = False) -> Iterator[list[int]]:
    """Statements of each transaction that writes. One with many rows is one, as are several that go to the
    driver together, or, with `each_row`, as many as there are.
    """
    counts: list[int] = []

    def execute_by_sqlalchemy(
        connection: Connection, _cursor: Any, text: str, rows: Any, _context: Any, many: bool
    ) -> None:
        if not connection.get_execution_options().get("writes"):
            return
        if text.startswith("BEGIN"):
            counts.append(0)
        else:
            counts[-1] += len(rows) if many and each_row else 1

    def execute_as_they_are(connection: Connection, statements: Sequence[Any]) -> Any:
        counts[-1] += len(statements) if each_row else 1
        return as_ever(connection, statements)

    as_ever = prepared._execute
    event.listen(Engine, "before_cursor_execute", execute_by_sqlalchemy)
    try:
        with patch.object(prepared, "_execute", execute_as_they_are):
            yield counts
    finally:
        event.remove(Engine, "before_cursor_execute", execute_by_sqlalchemy)
