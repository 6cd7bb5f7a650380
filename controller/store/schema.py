"""Bringing a database to the present schema."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection
from sqlmodel import Session, SQLModel

from controller.store import billing_tables, enterprise_tables, management_tables, tables
from controller.store.database import faults_in_one_line, make_engine
from controller.store.errors import DatabaseUnusable

METADATA = SQLModel.metadata
_MIGRATIONS = Path(__file__).parent / "migrations"

__all__ = ["METADATA", "billing_tables", "enterprise_tables", "management_tables", "migrate", "tables"]


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    return config


def migrate(url: str, revision: str = "head") -> None:
    """Run the migrations that this database lacks; of several programs that try at once one does.

    Raises DatabaseUnusable, also for a database that a newer program has brought further.
    """
    with _changing(url) as config:
        command.upgrade(config, revision)


def downgrade(url: str, revision: str) -> None:
    """Take the migrations after `revision` back, with what only they have room for; "base" leaves no table.

    Raises DatabaseUnusable.
    """
    with _changing(url) as config:
        command.downgrade(config, revision)


@contextmanager
def _changing(url: str) -> Iterator[Config]:
    engine = make_engine(url)
    config = _config()
    try:
        with (
            faults_in_one_line(url),
            engine.connect().execution_options(writes=True) as connection,
            connection.begin(),
        ):
            _present(connection)
            config.attributes["connection"] = connection
            yield config
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


def present_revision(session: Session) -> str:
    """The schema of the database that a session works on."""
    return MigrationContext.configure(session.connection()).get_current_revision() or "empty"


def _newest() -> str:
    return ScriptDirectory.from_config(_config()).get_current_head() or "empty"


def _present(connection: Connection) -> str | None:
    present = MigrationContext.configure(connection).get_current_revision()
    known = {script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()}
    if present is not None and present not in known:
        raise DatabaseUnusable(
            f"the database has schema {present}, this program knows {_newest()} at most: "
            "run the version that made it, or a newer one"
        )
    return present


def new_migration(url: str, message: str) -> str:
    """For developers (`make migration`): write a migration from the newest schema to the tables in the code.

    `url` is a database to work with; returns the number of the migration.
    """
    migrate(url)
    revision = f"{int(_newest()) + 1:04}"
    engine = make_engine(url)
    config = _config()
    try:
        with engine.begin() as connection:
            config.attributes["connection"] = connection
            command.revision(config, message, autogenerate=True, rev_id=revision)
    finally:
        engine.dispose()
    return revision
