"""Accounts, apps, numbers, sounds, templates, trunks and routes: read whole, declared one by one."""

from dataclasses import dataclass, field
from typing import Any, TypeVar

from sqlalchemy import or_, select
from sqlmodel import Session, SQLModel, col

from controller.store.billing_tables import Hold
from controller.store.tables import (
    ALLOTTED,
    Account,
    App,
    Call,
    DrainedNode,
    Number,
    Revision,
    Route,
    SoundFile,
    Template,
    Trunk,
)

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
    drained: list[DrainedNode] = field(default_factory=list)


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
        {row.number: row for row in _all(session, Number) if row.state in ALLOTTED},
        {(row.account_id, row.name): row for row in _all(session, SoundFile)},
        _all(session, Template),
        _all(session, Trunk),
        _all(session, Route),
        _all(session, Hold),
        _all(session, DrainedNode),
    )


def _all(session: Session, table: type[Table]) -> list[Table]:
    return list(session.execute(select(table)).scalars())


@dataclass(frozen=True)
class Declared:
    """What declaring a row did: "created", "changed" or "unchanged"; columns: what was there, what is."""

    what: str
    columns: dict[str, tuple[Any, Any]] = field(default_factory=dict)


def declare(session: Session, row: SQLModel) -> Declared:
    """Make the database hold what was set of this row under its key; what was not set stays as it is."""
    table = type(row)
    keys = [column.name for column in table.__table__.primary_key]  # type: ignore[attr-defined]
    found = session.get(table, tuple(getattr(row, key) for key in keys))
    given = row.model_dump(exclude_unset=True)
    if found is None:
        session.add(row)
        session.flush()
        return Declared("created", {name: (None, value) for name, value in given.items()})
    changes = {
        name: (getattr(found, name), value) for name, value in given.items() if getattr(found, name) != value
    }
    for name, (_before, value) in changes.items():
        setattr(found, name, value)
    session.flush()
    return Declared("changed" if changes else "unchanged", changes)


def bound_apps(session: Session, account_id: str | None = None) -> list[App]:
    """The apps that have a bind number; of one account or of all."""
    statement = select(App).where(col(App.bind_number).is_not(None))
    if account_id is not None:
        statement = statement.where(col(App.account_id) == account_id)
    return list(session.execute(statement).scalars())


def numbers_for_some_apps(session: Session, account_id: str | None = None) -> list[Number]:
    """Numbers that not all apps of their account may show; of one account or of all."""
    statement = select(Number).where(col(Number.app_keys).is_not(None), col(Number.state).in_(ALLOTTED))
    if account_id is not None:
        statement = statement.where(col(Number.account_id) == account_id)
    return list(session.execute(statement).scalars())


def apps_bound_to(session: Session, number: str) -> list[str]:
    """Keys of the apps whose bind number this is."""
    return list(session.execute(select(col(App.key)).where(col(App.bind_number) == number)).scalars())


def live_calls_showing(session: Session, number: str, limit: int) -> list[str]:
    """Session ids of live calls that show this number, `limit` of them at most."""
    shows = or_(col(Call.display_number) == number, col(Call.second_display_number) == number)
    statement = select(col(Call.session_id)).where(col(Call.ended_at).is_(None), shows).limit(limit)
    return list(session.execute(statement).scalars())


def remove_routes_except(session: Session, prefixes: set[str]) -> list[str]:
    """Remove routes that are no longer declared; returns their prefixes."""
    gone = [row for row in session.execute(select(Route)).scalars() if row.prefix not in prefixes]
    for row in gone:
        session.delete(row)
    session.flush()
    return [row.prefix for row in gone]


def allotted_number(session: Session, number: str) -> Number | None:
    """A number that an account has."""
    found = session.get(Number, number)
    return found if found is not None and found.state in ALLOTTED else None


def count_change(session: Session) -> None:
    """Let running controllers know that something was changed."""
    row = session.get(Revision, DIRECTORY)
    if row is None:
        session.add(Revision(name=DIRECTORY, number=1))
    else:
        row.number += 1
