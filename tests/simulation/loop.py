"""An event loop for whole worlds: virtual time, sockets in memory, processes that can be killed at any step.

Everything that may happen in any order - how long a packet, a timer or a piece of work in a thread takes - is
drawn from one seed. What asyncio promises is kept: callbacks run in the order in which they were asked for.
"""

import asyncio
import contextvars
from collections.abc import Callable, Coroutine, Generator
from contextlib import suppress
from functools import partial
from random import Random
from typing import Any

from tests.simulation.network import Network
from tests.unit.virtual_time import VirtualTimeLoop

_SLACK = 0.002
"""Seconds that a timer is late, at most."""

_WORK = (0.0002, 0.004)
"""Seconds that work in a thread takes, unless a fault says otherwise."""


class Process:
    """What belongs to one program: its tasks, its sockets, what it is killed with."""

    current: contextvars.ContextVar["Process | None"] = contextvars.ContextVar("process", default=None)

    def __init__(self, name: str) -> None:
        self.name = name
        self.alive = True
        self.tasks: list[asyncio.Task[Any]] = []
        self.ending: list[Callable[[], object]] = []
        """What the operating system does when it is killed: closing its sockets."""


class _Numbered:
    """Hashes by age instead of by address, so that sets are walked in the same order every time."""

    number = 0

    def __hash__(self) -> int:
        return self.number


class _Future(_Numbered, asyncio.Future):  # type: ignore[type-arg]
    pass


class _Task(_Numbered, asyncio.Task):  # type: ignore[type-arg]
    pass


class SimulatedLoop(VirtualTimeLoop):
    """Starts at 0 seconds and is never idle."""

    def __init__(self, random: Random) -> None:
        super().__init__()
        self._random = random
        self._numbers = 0
        self.steps = 0
        """Callbacks asked for so far."""
        self._kills: dict[int, Callable[[], object]] = {}
        self.network = Network(self, random)
        self.work: Callable[[Callable[..., Any], float], float] = lambda _work, seconds: seconds
        """Told of each piece of work in a thread; returns how long it takes, or raises what it fails with."""
        self.set_task_factory(self._make_task)

    # Processes

    def spawn(self, process: Process, work: Coroutine[Any, Any, Any]) -> "asyncio.Task[Any]":
        """Run a coroutine as part of a process."""
        context = contextvars.copy_context()
        context.run(Process.current.set, process)
        return self.create_task(work, context=context)

    def kill(self, process: Process) -> None:
        """End a process at once: none of its code runs any more, and its sockets close."""
        process.alive = False
        for handle in [*self._ready, *self._scheduled]:  # type: ignore[attr-defined]
            if not _lives(handle):
                handle.cancel()
        for end in process.ending:
            end()

    def after_steps(self, steps: int, act: Callable[[], object]) -> None:
        """Do something after so many more callbacks were asked for, between two steps of whatever runs."""
        self._kills[self.steps + steps] = act

    def spare(self) -> None:
        """What was to be done after some steps is not done any more."""
        self._kills.clear()

    def call_soon(
        self, callback: Any, *args: Any, context: contextvars.Context | None = None
    ) -> asyncio.Handle:
        handle = super().call_soon(callback, *args, context=context)
        if not _lives(handle):
            handle.cancel()
        self.steps += 1
        if self.steps in self._kills:
            act = self._kills.pop(self.steps)
            self._ready.appendleft(asyncio.Handle(act, (), self, contextvars.Context()))
        return handle

    def call_at(
        self, when: float, callback: Any, *args: Any, context: contextvars.Context | None = None
    ) -> asyncio.TimerHandle:
        return self.call_exactly(when + self._random.random() * _SLACK, callback, *args, context=context)

    def call_exactly(
        self, when: float, callback: Any, *args: Any, context: contextvars.Context | None = None
    ) -> asyncio.TimerHandle:
        """`call_at` that is not late: what is drawn already."""
        handle = super().call_at(when, callback, *args, context=context)
        if not _lives(handle):
            handle.cancel()
        return handle

    # The same order every time

    def create_future(self) -> "asyncio.Future[Any]":
        future = _Future(loop=self)
        self._numbers += 1
        future.number = self._numbers
        return future

    def _make_task(
        self, _loop: asyncio.AbstractEventLoop, work: Generator[Any, None, Any], **options: Any
    ) -> "asyncio.Task[Any]":
        task = _Task(work, loop=self, **options)
        self._numbers += 1
        task.number = self._numbers
        context = options.get("context")
        process = Process.current.get() if context is None else context.get(Process.current)
        if process is not None:
            process.tasks.append(task)
        return task

    # Threads

    def run_in_executor(  # type: ignore[override]
        self, executor: Any, func: Callable[..., Any], *args: Any
    ) -> "asyncio.Future[Any]":
        done, work = self.create_future(), partial(func, *args)
        try:
            seconds = self.work(work, self._random.uniform(*_WORK))
        except Exception as error:
            self.call_later(_WORK[1], _set_exception, done, error)
        else:
            self.call_later(seconds, _do, done, work)
        return done

    # Sockets

    async def create_server(self, protocol_factory: Any, host: Any = None, port: Any = None, **_: Any) -> Any:
        return self.network.listen(protocol_factory, host, port or 0)

    async def create_connection(  # type: ignore[override]
        self, protocol_factory: Any, host: Any = None, port: Any = None, *, sock: Any = None, **_: Any
    ) -> Any:
        if sock is not None:
            address = self.network.targets.pop(sock.fileno())
            sock.close()
        else:
            address = (host, port)
        return await self.network.connect(protocol_factory, address)

    async def sock_connect(self, sock: Any, address: Any) -> None:
        await self.network.reach(sock, (address[0], address[1]))


def _lives(handle: asyncio.Handle) -> bool:
    process: Process | None = handle._context.get(Process.current)  # type: ignore[attr-defined]
    return process is None or process.alive


def _do(done: "asyncio.Future[Any]", work: Callable[[], Any]) -> None:
    try:
        result = work()
    except Exception as error:
        _set_exception(done, error)
    else:
        if not done.done():
            done.set_result(result)


def _set_exception(done: "asyncio.Future[Any]", error: Exception) -> None:
    if not done.done():
        done.set_exception(error)


def forget(process: Process) -> None:
    """After the world has ended: throw what a killed process was at away, whatever that says."""
    for task in process.tasks:
        if not task.done():
            task._log_destroy_pending = False  # type: ignore[attr-defined]
            with suppress(BaseException):
                task.get_coro().close()  # type: ignore[union-attr]
