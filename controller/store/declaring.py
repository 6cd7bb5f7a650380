"""Rows as they are declared: very many in one transaction, with few statements.

One transaction writes at a time, of all controllers. With a statement for each row that is declared, also for
those that are there already, a large declaration would keep them all from writing for half a minute.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, TypeAlias, TypeVar, cast

from sqlalchemy import select, tuple_
from sqlmodel import Session, SQLModel

from controller.store.many import insert_all, pieces

Table = TypeVar("Table", bound=SQLModel)

Key: TypeAlias = str | tuple[str, ...]
"""Of a row; a tuple if it has several columns."""


@dataclass(frozen=True)
class Declared:
    """What declaring a row did: "created", "changed" or "unchanged"; columns: what was there, what is."""

    what: str
    columns: dict[str, tuple[Any, Any]] = field(default_factory=dict)


class Declaring:
    """Makes the database hold what is declared. Nothing of it need be there before `write`."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._there: dict[type[SQLModel], dict[Key, SQLModel | None]] = {}
        """Also holds on to the rows: the session forgets those that nobody has."""
        self._new: dict[type[SQLModel], list[SQLModel]] = {}

    def read(self, table: type[SQLModel], keys: Iterable[Key]) -> None:
        """Read together what is there under these keys, rather than each when it is needed."""
        there = self._there.setdefault(table, {})
        columns = _key_columns(table)
        key = columns[0] if len(columns) == 1 else tuple_(*columns)
        for some in pieces(name for name in keys if name not in there):
            there.update(dict.fromkeys(some))
            for row in self._session.execute(select(table).where(key.in_(some))).scalars():
                there[_key_of(row)] = row

    def read_under(self, rows: Iterable[SQLModel]) -> None:
        """Read together what is there under the keys of these rows."""
        keys: dict[type[SQLModel], list[Key]] = {}
        for row in rows:
            keys.setdefault(type(row), []).append(_key_of(row))
        for table, its in keys.items():
            self.read(table, its)

    def under(self, row: Table) -> Table | None:
        """What is there, or will be, under the key of a row."""
        return self.get(type(row), _key_of(row))

    def get(self, table: type[Table], key: Key) -> Table | None:
        """What is there, or will be."""
        there = self._there.setdefault(table, {})
        if key not in there:
            with self._session.no_autoflush:
                there[key] = self._session.get(table, key)
        return cast(Table | None, there[key])

    def declare(self, row: SQLModel) -> Declared:
        """Have what was set of this row under its key; what was not set stays as it is."""
        table, key = type(row), _key_of(row)
        given = row.model_dump(exclude_unset=True)
        found = self.get(table, key)
        if found is None:
            self._there[table][key] = row
            self._new.setdefault(table, []).append(row)
            return Declared("created", {name: (None, value) for name, value in given.items()})
        changes = {
            name: (before, value)
            for name, value in given.items()
            if (before := getattr(found, name)) != value
        }
        for name, (_before, value) in changes.items():
            setattr(found, name, value)
        return Declared("changed" if changes else "unchanged", changes)

    def write(self) -> None:
        """Write it: new rows table by table, each after those that it refers to, then what is otherwise."""
        new, self._new = self._new, {}
        places = {table: place for place, table in enumerate(SQLModel.metadata.sorted_tables)}
        for table in sorted(new, key=lambda each: places[cast(Any, each).__table__]):
            insert_all(self._session, new[table])
            for row in new[table]:
                del self._there[table][_key_of(row)]
        self._session.flush()


def _key_columns(table: type[SQLModel]) -> list[Any]:
    return list(cast(Any, table).__table__.primary_key)


def _key_of(row: SQLModel) -> Key:
    key = tuple(getattr(row, column.name) for column in _key_columns(type(row)))
    return key[0] if len(key) == 1 else key
