"""Statements that run for every call: compiled once, then handed to the driver as they are.

What SQLAlchemy does around each execution costs three to six times what SQLite needs for the statement
itself. Here nothing of it is left but the conversion of values by the types of the columns.
"""

import re
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import ClauseElement, Connection, Dialect, Insert, Select
from sqlmodel import Session

Values = Mapping[str, Any]
_Bind = Callable[[Values], list[Any]]
_Selected = tuple[str, Callable[[Any], Any] | None]
Answer = Callable[[], dict[str, Any]]

_NAMED: Final = re.compile(r"%\((\w+)\)s")
_PLAIN_INSERT: Final = re.compile(r"(INSERT INTO .+ VALUES )(\((?:(?:\?|%s)(?:::[\w ]+)?(?:, )?)+\))")
_VALUES_AT_ONCE: Final = 50
"""In one insert of several rows. For each statement the drivers let go of the interpreter and wait for it;
psycopg remembers how to send one with so many values at most."""

_GROUP: Final = "group of statements"


@dataclass(slots=True)
class _Statement:
    """What goes to the driver; its cursor once it was there, with the answer."""

    text: str
    values: Sequence[Any]
    cursor: Any = None


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

    def run(self, session: Session, values: Values) -> None:
        """Run it once, before whatever is asked next."""
        self.run_many(session, [values])

    def run_many(self, session: Session, values: Collection[Values]) -> None:
        """Run it for each of these, before whatever is asked next."""
        connection = session.connection()
        _hand_over(connection, self._statements(connection.dialect, values))

    def later(self, session: Session, values: Values, key: Hashable = None) -> None:
        """Run it once, together with others of its kind, at the end of the group or before SQLAlchemy
        executes anything. Of those with the same key only the last one is run.
        """
        group: _Group | None = session.connection().info.get(_GROUP)
        if group is None:
            self.run(session, values)
        else:
            group.last.setdefault(self, {})[object() if key is None else key] = values

    def count(self, session: Session, values: Values) -> int:
        """Run it once; returns how many rows it wrote."""
        written: int = self._ask(session.connection(), values).rowcount
        return written

    def row(self, session: Session, values: Values) -> dict[str, Any] | None:
        """The first row that it finds, by column."""
        connection = session.connection()
        return self._first_row(connection.dialect, self._ask(connection, values))

    def asked(self, session: Session, values: Values) -> Answer:
        """Ask for the one row that it always finds. It goes with what is asked next, or with nothing when
        the answer is wanted before: all that is asked in one go is one way to the server and back.
        """
        connection = session.connection()
        if not _may_wait(connection):
            found = self.row(session, values)
            assert found is not None
            return lambda: found
        [statement] = self._statements(connection.dialect, [values])
        _hand_over(connection, [statement])

        def answer() -> dict[str, Any]:
            if statement.cursor is None:
                _execute(connection, _waiting(connection))
            row = self._first_row(connection.dialect, statement.cursor)
            assert row is not None
            return row

        return answer

    def _first_row(self, dialect: Dialect, cursor: Any) -> dict[str, Any] | None:
        found = cursor.fetchone()
        # SQLite can't begin to write again while a question is open, and whoever is refused may keep it.
        cursor.close()
        if found is None:
            return None
        selected = self._selected.get(dialect.name)
        if selected is None:
            selected = self._selected[dialect.name] = _selected(self._statement, dialect)
        return {
            name: value if convert is None else convert(value)
            for value, (name, convert) in zip(found, selected, strict=True)
        }

    def _ask(self, connection: Connection, values: Values) -> Any:
        """The driver's cursor, with the answer."""
        [statement] = self._statements(connection.dialect, [values])
        _execute(connection, [*_waiting(connection), statement])
        return statement.cursor

    def _statements(self, dialect: Dialect, values: Collection[Values]) -> Iterator[_Statement]:
        text, bind = self._on(dialect)
        rows = [bind(one) for one in values]
        plain = _PLAIN_INSERT.fullmatch(text) if len(rows) > 1 else None
        if plain is None:
            yield from (_Statement(text, row) for row in rows)
            return
        at_once = max(1, _VALUES_AT_ONCE // len(rows[0]))
        for start in range(0, len(rows), at_once):
            some = rows[start : start + at_once]
            marks = ", ".join([plain[2]] * len(some))
            yield _Statement(f"{plain[1]}{marks}", [value for row in some for value in row])

    def _on(self, dialect: Dialect) -> tuple[str, _Bind]:
        compiled = self._compiled.get(dialect.name)
        if compiled is None:
            compiled = self._compiled[dialect.name] = self._compile(dialect)
        return compiled

    def _compile(self, dialect: Dialect) -> tuple[str, _Bind]:
        compiled: Any = self._statement.compile(dialect=dialect, column_keys=self._columns)
        names = compiled.positiontup if compiled.positional else _NAMED.findall(str(compiled))
        converters = {
            name: bind.type.dialect_impl(dialect).bind_processor(dialect)
            for name, bind in compiled.binds.items()
        }
        fixed = {
            name: None if bind.required else bind.value for name, bind in compiled.binds.items()
        } | _defaults(self._statement)
        row = [(name, converters[name], fixed.get(name)) for name in names]

        def bind(values: Values) -> list[Any]:
            return [
                convert(value) if convert is not None else value
                for value, convert in (
                    (values.get(name, otherwise), convert) for name, convert, otherwise in row
                )
            ]

        return _NAMED.sub("%s", str(compiled)), bind


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


@dataclass
class _Group:
    """Statements of a transaction that are still to be run."""

    next: list[_Statement] = field(default_factory=list)
    """Before whatever is asked."""
    last: dict[Prepared, dict[Hashable, Values]] = field(default_factory=dict)
    """At the end."""


@contextmanager
def group_of_statements(connection: Connection) -> Iterator[None]:
    """Let statements wait for others until the end of the block, as long as nobody can tell."""
    info = connection.info
    info[_GROUP] = _Group()
    try:
        yield
        settle(connection)
    finally:
        info.pop(_GROUP, None)


def settle(connection: Connection, *_statement: Any) -> None:
    """Run what waits: it comes before everything that SQLAlchemy executes, so that this sees it."""
    group: _Group | None = connection.info.get(_GROUP)
    if group is None or not (group.next or group.last):
        return
    statements = _waiting(connection)
    last, group.last = group.last, {}
    # In the order of the kinds: who refers to a row comes after it.
    for prepared, rows in last.items():
        statements.extend(prepared._statements(connection.dialect, rows.values()))
    _execute(connection, statements)


def _hand_over(connection: Connection, statements: Iterable[_Statement]) -> None:
    """Have them executed before whatever is asked next."""
    if _may_wait(connection):
        connection.info[_GROUP].next.extend(statements)
    else:
        _execute(connection, list(statements))


def _may_wait(connection: Connection) -> bool:
    # SQLite is in this process: nothing is saved by waiting for what is asked next.
    return _GROUP in connection.info and connection.dialect.name == "postgresql"


def _waiting(connection: Connection) -> list[_Statement]:
    """What was handed over and not executed; who asks does that now."""
    group: _Group | None = connection.info.get(_GROUP)
    if group is None:
        return []
    statements, group.next = group.next, []
    return statements


def _execute(connection: Connection, statements: Sequence[_Statement]) -> None:
    """Each gets its cursor."""
    driver: Any = connection.connection.driver_connection
    if len(statements) > 1 and connection.dialect.name == "postgresql":
        # Its driver takes long to import, and most have SQLite.
        from controller.store.discreet_cursor import execute_together

        cursors = execute_together(driver, [(each.text, each.values) for each in statements])
        for statement, cursor in zip(statements, cursors, strict=True):
            statement.cursor = cursor
        return
    for statement in statements:
        statement.cursor = driver.cursor()
        statement.cursor.execute(statement.text, statement.values)
