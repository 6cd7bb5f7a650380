"""Bringing a database to the present schema."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlmodel import SQLModel

from controller.store import tables
from controller.store.database import make_engine

METADATA = SQLModel.metadata
_MIGRATIONS = Path(__file__).parent / "migrations"

__all__ = ["METADATA", "migrate", "tables"]


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    return config


def migrate(url: str, revision: str = "head") -> None:
    """Run the migrations that this database lacks, each in a transaction of its own."""
    engine = make_engine(url)
    config = _config()
    try:
        with engine.begin() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, revision)
    finally:
        engine.dispose()


def revisions(url: str) -> tuple[str, str]:
    """(revision of this database, newest revision); the first is "empty" for a database without tables."""
    newest = ScriptDirectory.from_config(_config()).get_current_head()
    engine = make_engine(url)
    try:
        with engine.connect() as connection:
            present = MigrationContext.configure(connection).get_current_revision()
    finally:
        engine.dispose()
    return present or "empty", newest or "empty"


def new_migration(url: str, message: str, revision: str) -> None:
    """For developers: write a migration from the database at `url` to the tables in the code."""
    engine = make_engine(url)
    config = _config()
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.revision(config, message, autogenerate=True, rev_id=revision)
    engine.dispose()
