"""SQLite files beside the database with nothing that anything else needs: one of no use is begun anew."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import Session

from controller.store.database import Database, T, Work

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Layout:
    """The tables of such a file."""

    version: int
    tables: Sequence[str]
    """Statements that make them."""

    def create(self, session: Session) -> None:
        """Make the tables if the file is new."""
        if _version(session) == self.version:
            return
        for statement in (*self.tables, f"PRAGMA user_version = {self.version}"):
            session.connection().exec_driver_sql(statement)

    async def look(self, path: Path, work: Work[T]) -> T | None:
        """What a file tells that is there; None: it is broken or has another layout."""
        try:
            async with side_file(path) as file:
                if await file.read(_version) in (0, self.version):
                    await file.write(self.create)
                    return await file.read(work)
        except SQLAlchemyError:
            log.warning("A file beside the database is broken and is made anew", extra={"file": str(path)})
            return None
        log.info("A file beside the database has another layout and is made anew", extra={"file": str(path)})
        return None


def side_file(path: Path) -> Database:
    """Such a file, to be opened; a power failure may take the last of it."""
    return Database(f"sqlite:///{path}", synchronous="NORMAL")


def remove(path: Path) -> None:
    """Remove such a file with what belongs to it."""
    for file in (path, path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}-shm")):
        file.unlink(missing_ok=True)


def _version(session: Session) -> int:
    """Of the file; 0 if it is new."""
    found: int = session.connection().exec_driver_sql("PRAGMA user_version").scalar_one()
    return found
