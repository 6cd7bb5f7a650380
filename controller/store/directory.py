"""Accounts, apps, numbers, sounds, templates, trunks and routes: read whole, declared one by one."""

from dataclasses import dataclass, field
from typing import Any, TypeVar

from sqlalchemy import select
from sqlmodel import Session, SQLModel, col

from controller.store.billing_tables import Hold
from controller.store.tables import Account, App, Number, Revision, Route, SoundFile, Template, Trunk

Table = TypeVar("Table", bound=SQLModel)

DIRECTORY = "directory"
"""Name of the revision that counts changes to what is declared."""


@dataclass(frozen=True)
class DirectoryRows:
    """Everything declared, at one revision."""

    revision: int
    accounts: dict[str, Account] = field(default_factory=dict)
    apps: dict[str, App] = field(default_factory=dict)
    numbers: dict[str, Number] = field(default_factory=dict)
    sounds: dict[tuple[str, str], SoundFile] = field(default_factory=dict)
    templates: list[Template] = field(default_factory=list)
    trunks: list[Trunk] = field(default_factory=list)
    routes: list[Route] = field(default_factory=list)
    holds: list[Hold] = field(default_factory=list)


def revision(session: Session) -> int:
    """How often the directory was changed."""
    row = session.get(Revision, DIRECTORY)
    return 0 if row is None else row.number


def read_directory(session: Session) -> DirectoryRows:
    """Everything declared."""
    return DirectoryRows(
        revision(session),
        {row.id: row for row in _all(session, Account)},
        {row.key: row for row in _all(session, App)},
        {row.number: row for row in _all(session, Number)},
        {(row.account_id, row.name): row for row in _all(session, SoundFile)},
        _all(session, Template),
        _all(session, Trunk),
        _all(session, Route),
        _all(session, Hold),
    )


def _all(session: Session, table: type[Table]) -> list[Table]:
    return list(session.execute(select(table)).scalars())


def declare(session: Session, row: SQLModel) -> str:
    """Make the database hold just this row under its key: "created", "changed" or "unchanged"."""
    table = type(row)
    keys = [column.name for column in table.__table__.primary_key]  # type: ignore[attr-defined]
    found = session.get(table, tuple(getattr(row, key) for key in keys))
    if found is None:
        session.add(row)
        session.flush()
        return "created"
    changes: dict[str, Any] = {
        name: value for name, value in row.model_dump().items() if getattr(found, name) != value
    }
    for name, value in changes.items():
        setattr(found, name, value)
    session.flush()
    return "changed" if changes else "unchanged"


def bound_apps(session: Session) -> list[App]:
    """The apps that have a bind number."""
    return list(session.execute(select(App).where(col(App.bind_number).is_not(None))).scalars())


def remove_routes_except(session: Session, prefixes: set[str]) -> list[str]:
    """Remove routes that are no longer declared; returns their prefixes."""
    gone = [row for row in session.execute(select(Route)).scalars() if row.prefix not in prefixes]
    for row in gone:
        session.delete(row)
    session.flush()
    return [row.prefix for row in gone]


def owner_of_number(session: Session, number: str) -> str | None:
    """The account that a number belongs to."""
    return session.execute(
        select(col(Number.account_id)).where(col(Number.number) == number)
    ).scalar_one_or_none()


def count_change(session: Session) -> None:
    """Let running controllers know that something was changed."""
    row = session.get(Revision, DIRECTORY)
    if row is None:
        session.add(Revision(name=DIRECTORY, number=1))
    else:
        row.number += 1
