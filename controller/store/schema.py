"""Bringing a database to the present schema.

Alembic is only imported when there is something to bring: every start and every command asks first.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, inspect, text
from sqlmodel import Session, SQLModel

from controller.store import (
    billing_tables,
    controllers,
    enterprise_tables,
    management_tables,
    spent,
    tables,
)
from controller.store.engines import faults_in_one_line, make_engine
from controller.store.errors import DatabaseUnusable
from controller.store.held_tables import tables_in_use, wait_briefly

if TYPE_CHECKING:
    from alembic.config import Config

METADATA = SQLModel.metadata
_MIGRATIONS = Path(__file__).parent / "migrations"

__all__ = [
    "METADATA",
    "billing_tables",
    "controllers",
    "downgrade",
    "enterprise_tables",
    "known",
    "management_tables",
    "migrate",
    "spent",
    "tables",
]


def _config(connection: Connection) -> "Config":
    from alembic.config import Config

    config = Config()
    config.attributes["connection"] = connection
    config.set_main_option("script_location", str(_MIGRATIONS))
    return config


def migrate(url: str, revision: str = "head") -> None:
    """Run the migrations that this database lacks, all or none; of several programs that try one does.

    Raises DatabaseUnusable, also for a database that a newer program has brought further; TablesInUse if
    another try, later, may succeed.
    """
    wanted = _newest() if revision == "head" else revision
    with _changing(url) as connection:
        if _present(connection) != wanted:
            from alembic import command

            command.upgrade(_config(connection), wanted)


def downgrade(
    url: str, revision: str, check: Callable[[Connection], None] = lambda _connection: None
) -> None:
    """Take the migrations after `revision` back, with what only they have room for; "base" leaves no table.

    What `check` raises, at the beginning of the transaction, keeps everything as it is.
    Raises DatabaseUnusable, TablesInUse.
    """
    from alembic import command

    with _changing(url) as connection:
        check(connection)
        command.downgrade(_config(connection), revision)


@contextmanager
def _changing(url: str) -> Iterator[Connection]:
    """A transaction that changes the schema, of a database that this program knows."""
    engine = make_engine(url)
    try:
        with (
            faults_in_one_line(url),
            tables_in_use(engine),
            engine.connect().execution_options(writes=True) as connection,
            connection.begin(),
        ):
            wait_briefly(connection)
            _present(connection)
            yield connection
    finally:
        engine.dispose()


def revisions(url: str) -> tuple[str, str]:
    """(revision of this database, newest revision); the first is "empty" for a database without tables.

    Raises DatabaseUnusable.
    """
    engine = make_engine(url)
    try:
        with faults_in_one_line(url), engine.connect() as connection:
            present = _present(connection)
    finally:
        engine.dispose()
    return present or "empty", _newest()


def check_newest(url: str) -> None:
    """Raise DatabaseUnusable unless this database can be worked with, in the newest schema."""
    present, newest = revisions(url)
    if present != newest:
        raise DatabaseUnusable("the database is not at the newest schema: start the controller once")


def present_revision(session: Session) -> str:
    """The schema of the database that a session works on."""
    return _noted(session.connection()) or "empty"


def known() -> list[str]:
    """All revisions: files of migrations are named for theirs, and one follows the other."""
    return sorted(path.name.partition("_")[0] for path in (_MIGRATIONS / "versions").glob("[0-9]*_*.py"))


def title(revision: str) -> str:
    """What a migration is for, in a line."""
    from alembic.script import ScriptDirectory

    return ScriptDirectory(str(_MIGRATIONS)).get_revision(revision).doc


def _newest() -> str:
    return known()[-1]


def _noted(connection: Connection) -> str | None:
    """What the database says of itself; None without tables."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    noted: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return noted


def _present(connection: Connection) -> str | None:
    """Raises DatabaseUnusable for what this program doesn't know."""
    present = _noted(connection)
    if present is not None and present not in known():
        raise DatabaseUnusable(
            f"the database has schema {present}, this program knows {_newest()} at most: "
            f"run the version that made it, or a newer one, or take it back with that one, to {_newest()}"
        )
    return present


def new_migration(url: str, message: str) -> str:
    """For developers (`make migration`): write a migration from the newest schema to the tables in the code.

    `url` is a database to work with; returns the number of the migration.
    """
    from alembic import command

    migrate(url)
    revision = f"{int(_newest()) + 1:04}"
    engine = make_engine(url)
    try:
        with engine.begin() as connection:
            command.revision(_config(connection), message, autogenerate=True, rev_id=revision)
    finally:
        engine.dispose()
    return revision
