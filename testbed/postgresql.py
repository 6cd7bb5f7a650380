"""A PostgreSQL of one's own: a cluster in a temporary folder, reached over a Unix socket, gone at the end.

With a folder that is to be kept, the cluster in it is made at the first run and found at the next.

It needs Debian's package `postgresql` (`scripts/setup postgresql`), but none of the clusters that the package
makes. For tests nothing in it survives a power failure; for benchmarks it writes as it
does in earnest.
"""

import contextlib
import ctypes
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

_SERVER_USERS = ("postgres", "nobody")
"""PostgreSQL refuses to run as root: as the first of these instead."""

_CARELESS = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}

_SETTINGS = {
    "listen_addresses": "",
    "max_connections": "200",
    "log_min_messages": "warning",
}

_START_TIMEOUT = 60.0
"""Seconds."""

_PR_SET_PDEATHSIG = 1


class PostgresqlMissing(Exception):
    """There is no server to start."""


@dataclass
class RunningPostgresql:
    """A cluster that takes connections at the socket in `directory`; it may be killed and started again."""

    directory: Path
    command: Sequence[str | Path]
    who: Mapping[str, Any]
    """As whom it runs, as `subprocess` has it."""
    server: "subprocess.Popen[bytes] | None" = None

    def start(self) -> None:
        """Run the server, which does not run now, until it takes connections. Raises PostgresqlMissing."""
        with (self.directory / "log").open("ab") as log:
            self.server = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.directory,
                preexec_fn=_prepare_child, **self.who,
            )  # fmt: skip
        _wait_until_ready(self, self.server)

    def kill(self) -> None:
        """End it as a crash would, with all the processes that serve connections."""
        self.send(signal.SIGKILL)
        assert self.server is not None
        self.server.wait(_START_TIMEOUT)

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the server and to all that serve its connections."""
        for pid in self.processes():
            # One that served a connection may have ended by itself.
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def processes(self) -> list[int]:
        """The ids of its processes, now; the server's is the first."""
        assert self.server is not None
        pid = self.server.pid
        return [pid, *map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split())]

    def url(self, database: str) -> str:
        """SQLAlchemy's address of one of its databases."""
        return f"postgresql+psycopg://voicecall@/{database}?host={self.directory}"

    def create(self, database: str, template: str = "template0") -> None:
        """Make a database, perhaps as a copy of another one that nobody is connected to."""
        names = (sql.Identifier(database), sql.Identifier(template))
        self.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY").format(*names))

    def drop(self, database: str) -> None:
        """Remove a database, whoever is connected to it."""
        self.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(database)))

    def has(self, database: str) -> bool:
        """Whether there is such a database."""
        with psycopg.connect(host=str(self.directory), dbname="postgres", user="voicecall") as connection:
            found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (database,)).fetchone()
        return found is not None

    def execute(self, statement: sql.Composed, database: str = "postgres") -> None:
        """Run one statement, in the cluster's own database if no other is named."""
        with psycopg.connect(
            host=str(self.directory), dbname=database, user="voicecall", autocommit=True
        ) as connection:
            connection.execute(statement)


def server_programs() -> Path:
    """Where the newest `initdb` and `postgres` of the machine are. Raises PostgresqlMissing."""
    versions = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/postgres")]
    if versions:
        return max(versions, key=lambda path: float(path.parent.name))
    found = shutil.which("postgres")
    if found is None:
        raise PostgresqlMissing("PostgreSQL is not installed here: scripts/setup postgresql does that")
    return Path(found).resolve().parent


@contextmanager
def running_postgresql(*, durable: bool = False, kept: Path | None = None) -> Iterator[RunningPostgresql]:
    """A cluster until the end of the block, as another user where this one is root.

    It is new, or the one in the folder `kept`, which that user must be able to reach.
    """
    programs = server_programs()
    user = _server_user()
    # Not below a test's own folder: those are closed to other users, and too long for the name of a socket.
    directory = kept or Path(tempfile.mkdtemp(prefix="voicecall-pg-"))
    directory.mkdir(parents=True, exist_ok=True)
    try:
        if user is not None:
            os.chown(directory, user.pw_uid, user.pw_gid)
        data = directory / "data"
        who: dict[str, Any] = (
            {} if user is None else {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
        )
        if not data.exists():
            _make(programs, data, who)
        settings = _SETTINGS | ({} if durable else _CARELESS)
        options = [option for name, value in settings.items() for option in ("-c", f"{name}={value}")]
        command: list[str | Path] = [programs / "postgres", "-D", data, "-k", directory, *options]
        running = RunningPostgresql(directory, command, who)
        try:
            running.start()
            yield running
        finally:
            if running.server is not None:
                # At once, if nobody needs what is in it.
                running.server.send_signal(signal.SIGQUIT if kept is None else signal.SIGINT)
                running.server.wait(_START_TIMEOUT)
    finally:
        if kept is None:
            shutil.rmtree(directory, ignore_errors=True)


def _make(programs: Path, data: Path, who: dict[str, Any]) -> None:
    made = subprocess.run(
        [programs / "initdb", "-D", data, "-U", "voicecall", "-A", "trust", "-E", "UTF8", "--no-sync",
         "--locale=C.UTF-8", "--no-instructions"],
        capture_output=True, text=True, check=False, cwd=data.parent, **who,
    )  # fmt: skip
    if made.returncode:
        raise PostgresqlMissing(f"initdb failed: {made.stderr.strip()}")


def _prepare_child() -> None:
    # Ctrl-C in the terminal is for the tests, which end it; if they can't, it ends with them.
    os.setsid()
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGQUIT)


def _server_user() -> pwd.struct_passwd | None:
    """As whom the server runs; None: as whoever asks."""
    if os.geteuid() != 0:
        return None
    for name in _SERVER_USERS:
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise PostgresqlMissing("PostgreSQL does not run as root, and there is no other user to run it as")


def _wait_until_ready(running: RunningPostgresql, server: "subprocess.Popen[bytes]") -> None:
    until = time.monotonic() + _START_TIMEOUT
    while True:
        if server.poll() is not None:
            said = (running.directory / "log").read_text("utf-8", "replace").strip()
            raise PostgresqlMissing(f"PostgreSQL ended at its start: {said}")
        try:
            running.execute(sql.Composed([sql.SQL("SELECT 1")]))
        except psycopg.OperationalError:
            if time.monotonic() > until:
                raise
            time.sleep(0.05)
        else:
            return
