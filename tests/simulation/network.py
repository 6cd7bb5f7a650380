"""A network in memory: TCP connections whose packets take their time, in order, and can be held up."""

import asyncio
from collections.abc import Callable, Iterable
from random import Random
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.simulation.loop import SimulatedLoop

Address = tuple[str, int]

_LATENCY = (0.0001, 0.003)
"""Seconds that a packet takes."""


class _Listening:
    """What `create_server` returns, as far as anybody asks."""

    def __init__(
        self, network: "Network", address: Address, factory: Callable[[], Any], context: Any
    ) -> None:
        self.factory = factory
        self.context = context
        self.address = address
        self._network = network

    @property
    def sockets(self) -> list[Any]:
        return [self]

    def getsockname(self) -> Address:
        return self.address

    def is_serving(self) -> bool:
        return self._network.servers.get(self.address) is self

    def close(self) -> None:
        if self.is_serving():
            del self._network.servers[self.address]

    async def wait_closed(self) -> None:
        return


class Network:
    """Who listens where, and how long packets take. `held`: nothing gets through, and nothing is lost."""

    def __init__(self, loop: "SimulatedLoop", random: Random) -> None:
        self.servers: dict[Address, _Listening] = {}
        self.targets: dict[int, Address] = {}
        self._loop = loop
        self._random = random
        self._ports = 20000
        self._held = False
        self._waiting: list[Callable[[], None]] = []

    def latency(self) -> float:
        return self._random.uniform(*_LATENCY)

    def hold(self) -> None:
        """Packets stay where they are."""
        self._held = True

    def release(self) -> None:
        """What was held up arrives."""
        self._held = False
        waiting, self._waiting = self._waiting, []
        for deliver in waiting:
            deliver()

    def deliver(self, act: Callable[[], None]) -> None:
        """A packet has crossed the network."""
        if self._held:
            self._waiting.append(act)
        else:
            act()

    def listen(self, factory: Callable[[], Any], host: str, port: int) -> _Listening:
        import contextvars

        from tests.simulation.loop import Process

        if not port:
            self._ports += 1
            port = self._ports
        server = _Listening(self, (host, port), factory, contextvars.copy_context())
        self.servers[host, port] = server
        process = Process.current.get()
        if process is not None:
            process.ending.append(server.close)
        return server

    async def reach(self, sock: Any, address: Address) -> None:
        """What `connect` of a socket waits for."""
        await self._cross()
        if address not in self.servers:
            raise ConnectionRefusedError(111, "Connect call failed")
        self.targets[sock.fileno()] = address

    async def connect(self, factory: Callable[[], Any], address: Address) -> Any:
        await self._cross()
        server = self.servers.get(address)
        if server is None:
            raise ConnectionRefusedError(111, "Connect call failed")
        import contextvars

        near = Transport(self, contextvars.copy_context(), ("127.0.0.1", 1))
        far = Transport(self, server.context.copy(), address)
        near.peer, far.peer = far, near
        protocol = factory()
        near.open(protocol)
        self._loop.call_soon(_accept, server, far, context=far.context)
        return near, protocol

    async def _cross(self) -> None:
        arrived = self._loop.create_future()
        self._loop.call_later(
            self.latency(), self.deliver, lambda: None if arrived.done() else arrived.set_result(None)
        )
        await arrived


def _accept(server: _Listening, transport: "Transport") -> None:
    transport.open(server.factory())


class Transport(asyncio.Transport):
    """One end of a connection."""

    peer: "Transport"

    def __init__(self, network: Network, context: Any, address: Address) -> None:
        super().__init__({"peername": address, "sockname": address})
        self.context = context
        self._network = network
        self._loop = network._loop
        self._protocol: Any = None
        self._arrives_at = 0.0
        self._closing = False
        self._lost = False
        self._paused = False
        self._waiting: list[bytes | None] = []

    def open(self, protocol: Any) -> None:
        """The connection is there."""
        from tests.simulation.loop import Process

        self._protocol = protocol
        process = self.context.get(Process.current)
        if process is not None:
            process.ending.append(self._die)
        protocol.connection_made(self)
        waiting, self._waiting = self._waiting, []
        for data in waiting:
            self._take(data)

    # What the program does

    def write(self, data: Any) -> None:
        if not self._closing and data:
            self._send(bytes(data))

    def writelines(self, parts: Iterable[Any]) -> None:
        self.write(b"".join(parts))

    def close(self) -> None:
        if not self._closing:
            self._closing = True
            self._send(None)
            self._loop.call_soon(self._lose, None, context=self.context)

    def abort(self) -> None:
        self.close()

    def _die(self) -> None:
        """The program is no more; the system closes the connection for it."""
        if not self._closing:
            self._closing = self._lost = True
            self._send(None)

    def is_closing(self) -> bool:
        return self._closing

    def can_write_eof(self) -> bool:
        return False

    def get_write_buffer_size(self) -> int:
        return 0

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        del high, low

    def get_protocol(self) -> Any:
        return self._protocol

    def set_protocol(self, protocol: Any) -> None:
        self._protocol = protocol

    def is_reading(self) -> bool:
        return not self._paused

    def pause_reading(self) -> None:
        self._paused = True

    def resume_reading(self) -> None:
        self._paused = False
        waiting, self._waiting = self._waiting, []
        for data in waiting:
            self._take(data)

    # What the network does

    def _send(self, data: bytes | None) -> None:
        """None: the end."""
        self._arrives_at = max(self._arrives_at, self._loop.time() + self._network.latency())
        peer = self.peer
        self._loop.call_exactly(
            self._arrives_at, self._network.deliver, lambda: peer.arrive(data), context=peer.context
        )

    def arrive(self, data: bytes | None) -> None:
        """What the other end has sent; None: it has closed."""
        if data is None:
            # A program reads the end after what it has read before, not together with it.
            self._loop.call_soon(self._loop.call_soon, self._take, None, context=self.context)
        else:
            self._loop.call_soon(self._take, data, context=self.context)

    def _take(self, data: bytes | None) -> None:
        if self._lost:
            return
        if self._paused or self._protocol is None:
            self._waiting.append(data)
        elif data is not None:
            self._protocol.data_received(data)
        else:
            self._closing = True
            self._protocol.eof_received()
            self._lose(None)

    def _lose(self, error: Exception | None) -> None:
        if not self._lost:
            self._lost = True
            if self._protocol is not None:
                self._protocol.connection_lost(error)
