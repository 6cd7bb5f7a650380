"""Changing tables of PostgreSQL that somebody may hold, such as a dump, without holding up everybody else.

A table is changed by who has it alone. Who waits for that keeps all who come later waiting too, also those
who only read: so it waits briefly, and gives up for a while.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import OperationalError, SQLAlchemyError

from controller.store.errors import TablesInUse

LOCK_TIMEOUT: Final = 1.5
"""Seconds that others are held up at most, for each table; more than autovacuum takes to give way, 1 s."""

_HELD_UP: Final = ("55P03", "40P01")
"""A lock was not to be had in time, or only by a deadlock, as with a dump that goes on to the next table."""

_NAMED: Final = 3
"""Tables."""

_HOLDERS: Final = text("""
SELECT pid, coalesce(nullif(application_name, ''), usename, backend_type) AS name,
       array_agg(DISTINCT CAST(relname AS text) ORDER BY CAST(relname AS text)) AS tables
FROM pg_locks JOIN pg_stat_activity USING (pid) JOIN pg_class ON pg_class.oid = relation
JOIN pg_namespace ON pg_namespace.oid = relnamespace AND nspname = current_schema()
JOIN pg_database ON pg_database.oid = database AND pg_database.datname = current_database()
WHERE locktype = 'relation' AND granted AND relkind IN ('r', 'p') AND pid <> pg_backend_pid()
AND (xact_start IS NULL OR xact_start <= clock_timestamp() - :held * interval '1 s')
GROUP BY pid, 2, xact_start ORDER BY xact_start NULLS FIRST
""")
"""When others' transactions began, a role may not be allowed to see."""


def wait_briefly(connection: Connection) -> None:
    """Have what follows in this transaction wait no longer for a table than others may be held up."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT * 1000:.0f}ms'")


@contextmanager
def tables_in_use(engine: Engine) -> Iterator[None]:
    """Raise TablesInUse if a transaction in this block, which is taken back, was kept waiting too long."""
    try:
        yield
    except OperationalError as error:
        if getattr(error.orig, "sqlstate", None) not in _HELD_UP:
            raise
        raise TablesInUse(f"tables are in use{_by_whom(engine)}") from error


def _by_whom(engine: Engine) -> str:
    try:
        with engine.connect() as connection:
            found = connection.execute(_HOLDERS, {"held": LOCK_TIMEOUT}).all()
    except SQLAlchemyError:
        return ""
    return ";".join(f" by {row.name} (process {row.pid} of the server): {_some(row.tables)}" for row in found)


def _some(tables: list[str]) -> str:
    more = len(tables) - _NAMED
    return ", ".join(tables[:_NAMED]) + (f" and {more} more" if more > 0 else "")
