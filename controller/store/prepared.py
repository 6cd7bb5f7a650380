"""Statements that run for every call: compiled once, then handed to the driver as they are.

What SQLAlchemy does around each execution costs three to six times what SQLite needs for the statement
itself. Here nothing of it is left but the conversion of values by the types of the columns.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import ClauseElement, Dialect, Insert, Select
from sqlmodel import Session

Values = Mapping[str, Any]
_Bind = Callable[[Values], Any]
_Selected = tuple[str, Callable[[Any], Any] | None]

_PLAIN_INSERT: Final = re.compile(r"(INSERT INTO .+ VALUES )(\([?, ]+\))")
_ROWS_AT_ONCE: Final = 16
"""Rows in one insert of SQLite: for each statement its driver lets go of the interpreter and waits for it."""


class Prepared:
    """A statement whose values are given by name when it runs. One that is not given is the
    column's default or NULL.
    """

    def __init__(self, statement: ClauseElement, columns: Sequence[str] | None = None) -> None:
        """`columns` are those that an insert fills, if not all."""
        self._statement = statement
        self._columns = columns
        self._compiled: dict[str, tuple[str, _Bind]] = {}
        self._selected: dict[str, list[_Selected]] = {}

    def run(self, session: Session, values: Values) -> Any:
        """Run it once; returns the driver's cursor (`rowcount`, `fetchone`), with what the driver returns."""
        text, bind = self._on(session)
        cursor = _driver(session).cursor()
        cursor.execute(text, bind(values))
        return cursor

    def only_row(self, session: Session, values: Values) -> dict[str, Any]:
        """The one row that a query always has, by column."""
        row = self.run(session, values).fetchone()
        dialect = session.connection().dialect
        columns = self._selected.get(dialect.name)
        if columns is None:
            columns = self._selected[dialect.name] = _selected(self._statement, dialect)
        return {
            name: value if convert is None else convert(value)
            for value, (name, convert) in zip(row, columns, strict=True)
        }

    def run_many(self, session: Session, values: Sequence[Values]) -> None:
        """Run it for each of these."""
        text, bind = self._on(session)
        rows = [bind(one) for one in values]
        cursor, plain = _driver(session).cursor(), _PLAIN_INSERT.fullmatch(text)
        if plain is None:
            cursor.executemany(text, rows)
            return
        for start in range(0, len(rows), _ROWS_AT_ONCE):
            some = rows[start : start + _ROWS_AT_ONCE]
            marks = ", ".join([plain[2]] * len(some))
            cursor.execute(f"{plain[1]}{marks}", [value for row in some for value in row])

    def _on(self, session: Session) -> tuple[str, _Bind]:
        dialect = session.connection().dialect
        compiled = self._compiled.get(dialect.name)
        if compiled is None:
            compiled = self._compiled[dialect.name] = self._compile(dialect)
        return compiled

    def _compile(self, dialect: Dialect) -> tuple[str, _Bind]:
        compiled: Any = self._statement.compile(dialect=dialect, column_keys=self._columns)
        names = compiled.positiontup if compiled.positional else list(compiled.binds)
        converters = {
            name: bind.type.dialect_impl(dialect).bind_processor(dialect)
            for name, bind in compiled.binds.items()
        }
        fixed = {
            name: None if bind.required else bind.value for name, bind in compiled.binds.items()
        } | _defaults(self._statement)
        row = [(name, converters[name], fixed.get(name)) for name in names]

        def bind(values: Values) -> Any:
            bound = [
                convert(value) if convert is not None else value
                for value, convert in (
                    (values.get(name, otherwise), convert) for name, convert, otherwise in row
                )
            ]
            return bound if compiled.positional else dict(zip(names, bound, strict=True))

        return str(compiled), bind


def _defaults(statement: ClauseElement) -> dict[str, Any]:
    """The values of an insert that need not be given."""
    if not isinstance(statement, Insert):
        return {}
    defaults: dict[str, Any] = {column.name: column.default for column in statement.table.c}
    return {name: default.arg for name, default in defaults.items() if default is not None}


def _selected(statement: ClauseElement, dialect: Dialect) -> list[_Selected]:
    """Names of a query's columns, and how what the driver returns is converted."""
    assert isinstance(statement, Select)
    # None for what the driver calls the type: of those that are asked for none is converted by it.
    return [
        (str(column.key), column.type.dialect_impl(dialect).result_processor(dialect, None))
        for column in statement.selected_columns
    ]


def _driver(session: Session) -> Any:
    return session.connection().connection.driver_connection
