"""What goes wrong, and how it is mended: afterwards everything runs again."""

import asyncio
import os
import resource
import signal
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import psycopg

from controller.store.engines import WRITERS_TURN
from testbed.postgresql import RunningPostgresql
from testbed.push_receiver import CloseConnection, Hang, Reply
from tests.crash.invariants import database_files
from tests.crash.mounts import replaced
from tests.crash.world import World


async def controller_killed(world: World) -> None:
    """SIGKILL; what it had sent may reach Asterisk all the same."""
    await world.kill_controller()
    world.link.release()
    await world.start_controller()


async def asterisk_killed(world: World) -> None:
    await world.kill_asterisk()
    world.link.release(lost=True)
    await world.start_asterisk()


async def both_killed(world: World) -> None:
    await world.kill_asterisk()
    await world.kill_controller()
    world.link.release(lost=True)
    await world.start_asterisk()
    await world.start_controller()


async def link_silent(world: World, seconds: float) -> None:
    """Packets are dropped, nobody is told; what was under way is lost."""
    world.link.hold()
    await asyncio.sleep(seconds)
    world.link.release(lost=True)


async def asterisk_stopped(world: World, seconds: float) -> None:
    """SIGSTOP, and SIGCONT; it does then what it was asked meanwhile."""
    process = world.home.asterisk.process
    process.send_signal(signal.SIGSTOP)
    try:
        world.link.release()
        await asyncio.sleep(seconds)
    finally:
        process.send_signal(signal.SIGCONT)


async def database_locked(world: World, seconds: float) -> None:
    """Somebody else has it."""
    path = world.home.settings.database_url.removeprefix("sqlite:///")
    with closing(sqlite3.connect(path, isolation_level=None, timeout=20)) as other:
        other.execute("BEGIN IMMEDIATE")
        world.link.release()
        await asyncio.sleep(seconds)
        other.execute("ROLLBACK")


async def database_unwritable(world: World, seconds: float) -> None:
    """Every write of a file fails in the controller."""
    assert world.controller is not None
    pid = world.controller.pid
    before = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, before[1]))
    try:
        world.link.release()
        await asyncio.sleep(seconds)
    finally:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, before)


async def postgresql_killed(world: World, seconds: float) -> None:
    """SIGKILL to the server and all that serve its connections; it comes back and replays its log."""
    server = _server(world)
    await asyncio.to_thread(server.kill)
    try:
        world.link.release()
        await asyncio.sleep(seconds)
    finally:
        await asyncio.to_thread(server.start)


async def postgresql_killed_and_link_cut(world: World, seconds: float) -> None:
    """A switch fails: the server is away for long, connections to Asterisk can be made again at once."""
    server = _server(world)
    await asyncio.to_thread(server.kill)
    try:
        world.link.release(lost=True)
        await asyncio.sleep(seconds)
    finally:
        await asyncio.to_thread(server.start)


async def database_and_controller_killed(world: World) -> None:
    """A machine with both of them is gone, and comes back."""
    server = _server(world)
    await asyncio.to_thread(server.kill)
    await world.kill_controller()
    world.link.release()
    await asyncio.to_thread(server.start)
    await world.start_controller()


async def postgresql_stopped(world: World, seconds: float) -> None:
    """SIGSTOP to all of its processes: connections stay, and nothing comes of them."""
    server = _server(world)
    server.send(signal.SIGSTOP)
    try:
        world.link.release()
        await asyncio.sleep(seconds)
    finally:
        server.send(signal.SIGCONT)


async def postgresql_locked(world: World, seconds: float) -> None:
    """Somebody else has the turn to write."""
    address = world.home.settings.database_url.replace("+psycopg", "")
    async with await psycopg.AsyncConnection.connect(address) as other:
        await other.execute("SELECT pg_advisory_xact_lock(%s)", [WRITERS_TURN])
        world.link.release()
        await asyncio.sleep(seconds)


def _server(world: World) -> RunningPostgresql:
    assert world.postgresql is not None
    return world.postgresql


async def disk_full(world: World, seconds: float) -> None:
    """The disk with the database has no room left; it is a small one of its own."""
    ballast = database_files(world) / "ballast"
    _fill(ballast)
    try:
        world.link.release()
        await asyncio.sleep(seconds)
    finally:
        ballast.unlink()


def _fill(path: Path) -> None:
    with path.open("wb", buffering=0) as file:
        for size in (1 << 16, 1 << 12):
            try:
                while file.write(b"\0" * size) == size:
                    pass
            except OSError:
                continue


async def receiver_dead(world: World, seconds: float) -> None:
    """Connections to the customer's server are closed without an answer."""
    world.receiver.plan(CloseConnection(), path="/status")
    world.receiver.plan(CloseConnection(), path="/fee")
    world.link.release()
    await asyncio.sleep(seconds)
    world.receiver.plan(Reply(), path="/status")
    world.receiver.plan(Reply(), path="/fee")


async def receiver_hangs(world: World, seconds: float) -> None:
    """The customer's server takes requests and says nothing."""
    world.receiver.plan(Hang(), path="/status")
    world.receiver.plan(Hang(), path="/fee")
    world.link.release()
    await asyncio.sleep(seconds)
    world.receiver.plan(Reply(), path="/status")
    world.receiver.plan(Reply(), path="/fee")


async def receiver_given_up(world: World) -> None:
    """The customer's server is dead for longer than anybody tries: hours, where they aren't so short."""
    world.receiver.plan(CloseConnection(), path="/status")
    world.receiver.plan(CloseConnection(), path="/fee")
    world.link.release()
    async with asyncio.timeout(40):
        while not world.sql("select count(*) from cdr_push where filed_at is not null")[0][0]:  # noqa: ASYNC110
            await asyncio.sleep(0.1)
    world.receiver.plan(Reply(), path="/status")
    world.receiver.plan(Reply(), path="/fee")


class Names:
    """A hosts file that knows the customer's server, and a name server that never answers."""

    HOST = "customer.crash.test"

    def __init__(self, directory: Path) -> None:
        self.hosts = directory / "hosts"
        self.resolver = directory / "resolv.conf"
        self._known = Path("/etc/hosts").read_text("utf-8")
        self.come_back()

    def go(self) -> None:
        self.hosts.write_text(self._known, "utf-8")

    def come_back(self) -> None:
        self.hosts.write_text(f"{self._known}\n127.0.0.1 {self.HOST}\n", "utf-8")

    @asynccontextmanager
    async def in_force(self) -> AsyncIterator[None]:
        """This process and its children know names from here, in mounts of their own."""
        address = f"127.53.{os.getpid() >> 8 & 255}.{os.getpid() & 255}"
        # What comes is read and not answered.
        transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
            asyncio.DatagramProtocol, (address, 53)
        )
        self.resolver.write_text(f"nameserver {address}\noptions timeout:3 attempts:1\n", "utf-8")
        try:
            with replaced(Path("/etc/hosts"), self.hosts), replaced(Path("/etc/resolv.conf"), self.resolver):
                yield
        finally:
            transport.close()


async def names_gone(world: World, names: Names, seconds: float) -> None:
    """Names lead nowhere, and it takes long to find that out."""
    names.go()
    try:
        world.link.release()
        await asyncio.sleep(seconds)
    finally:
        names.come_back()
