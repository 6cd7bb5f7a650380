"""Accounts, apps, numbers, sounds, templates, trunks and routes: read whole, and what is asked of them."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TypeVar

from sqlalchemy import or_, select
from sqlmodel import Session, SQLModel, col

from controller.store.billing_tables import Hold
from controller.store.many import pieces
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


def accounts_named(session: Session, ids: Iterable[str]) -> list[Account]:
    """Those of the accounts that there are."""
    return [
        row
        for some in pieces(ids)
        for row in session.execute(select(Account).where(col(Account.id).in_(some))).scalars()
    ]


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


def allotted_numbers(session: Session, numbers: Iterable[str]) -> dict[str, Number]:
    """Those of the numbers that an account has."""
    found: dict[str, Number] = {}
    for some in pieces(numbers):
        statement = select(Number).where(col(Number.number).in_(some), col(Number.state).in_(ALLOTTED))
        found.update((row.number, row) for row in session.execute(statement).scalars())
    return found


def owners_of_apps(session: Session, keys: Iterable[str]) -> dict[str, str]:
    """The accounts of those of the apps that are there."""
    found: dict[str, str] = {}
    for some in pieces(keys):
        statement = select(col(App.key), col(App.account_id)).where(col(App.key).in_(some))
        found.update((key, account) for key, account in session.execute(statement))
    return found


def count_change(session: Session) -> None:
    """Let running controllers know that something was changed."""
    row = session.get(Revision, DIRECTORY)
    if row is None:
        session.add(Revision(name=DIRECTORY, number=1))
    else:
        row.number += 1
