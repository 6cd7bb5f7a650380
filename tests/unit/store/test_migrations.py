"""Migrations, on the engine that tests run on: there and back, and to what the code's tables say."""

from pathlib import Path

from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from engine import database_at
from sqlalchemy import inspect

from controller.store.database import make_engine
from controller.store.schema import METADATA, downgrade, migrate, revisions


def test_given_a_new_database_when_migrated_then_it_has_the_tables_of_the_code(
    tmp_path: Path,
) -> None:
    migrate(url := database_at(tmp_path / "new.db"))

    engine = make_engine(url)
    with engine.connect() as connection:
        found = compare_metadata(MigrationContext.configure(connection), METADATA)
    engine.dispose()
    assert [difference for difference in found if "alembic" not in str(difference)] == []


def test_given_the_newest_schema_when_taken_back_to_the_first_and_brought_up_again_then_it_is_whole(
    tmp_path: Path,
) -> None:
    migrate(url := database_at(tmp_path / "there-and-back.db"))

    downgrade(url, "base")
    assert revisions(url)[0] == "empty"
    migrate(url)

    present, newest = revisions(url)
    engine = make_engine(url)
    assert present == newest
    assert set(METADATA.tables) <= set(inspect(engine).get_table_names())
    engine.dispose()
