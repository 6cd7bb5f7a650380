"""The databases of tests, on the engine that `--engine` names; each belongs to a path, wherever it is."""

import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from testbed.postgresql import RunningPostgresql

ENGINES = ("sqlite", "postgresql")

_engine = os.environ.get("VOICECALL_TEST_ENGINE", ENGINES[0])
_stack = ExitStack()
_server: "RunningPostgresql | None" = None
_made: set[Path] = set()


@contextmanager
def engine(name: str) -> Iterator[None]:
    """Databases are of this kind until the end of the block, and gone then if they are a server's."""
    global _engine, _server
    _engine = name
    try:
        yield
    finally:
        _stack.close()
        _server = None
        _made.clear()


def engine_name() -> str:
    """The engine that tests run on."""
    return _engine


def database_at(path: Path) -> str:
    """The address of the database of a path; an empty one if there was none."""
    if _engine == "sqlite":
        return f"sqlite:///{path}"
    if path not in _made:
        server().create(_name(path))
        _made.add(path)
    return server().url(_name(path))


def copy_database(template: Path, path: Path) -> str:
    """Make the database of `path` a copy of the other one, which nobody uses now; returns its address."""
    if _engine == "sqlite":
        shutil.copy(template, path)
    else:
        server().drop(_name(path))
        server().create(_name(path), _name(template))
        _made.add(path)
    return database_at(path)


def is_made(path: Path) -> bool:
    """Whether there is a database of this path."""
    return path in _made or path.exists()


def drop_databases(folder: Path) -> None:
    """Remove the databases of a folder from the server; those that are files go with it."""
    for path in [path for path in _made if path.is_relative_to(folder)]:
        server().drop(_name(path))
        _made.remove(path)


def server() -> "RunningPostgresql":
    """The PostgreSQL of this test run, started when first asked for."""
    global _server
    if _server is None:
        from testbed.postgresql import running_postgresql

        _server = _stack.enter_context(running_postgresql())
    return _server


def _name(path: Path) -> str:
    return f"test_{hashlib.sha256(str(path).encode()).hexdigest()[:24]}"
