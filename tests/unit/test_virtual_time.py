"""The event loop whose time jumps."""

import asyncio
import socket
import time

import pytest
from unit.virtual_time import VirtualTimeLoop

pytestmark = pytest.mark.virtual_time


async def test_given_days_when_slept_then_they_are_over_in_order_and_at_once() -> None:
    began, loop, woken = time.monotonic(), asyncio.get_running_loop(), list[float]()

    async def sleeper(days: float) -> None:
        await asyncio.sleep(days * 86400)
        woken.append(loop.time() / 86400)

    await asyncio.gather(*(sleeper(days) for days in (3, 0.5, 1)))

    assert woken == pytest.approx([0.5, 1, 3])
    assert time.monotonic() - began < 5


def test_given_work_for_threads_when_done_then_it_overlaps_the_same_way_every_time() -> None:
    async def order() -> list[int]:
        done: list[int] = []
        await asyncio.gather(*(asyncio.to_thread(done.append, number) for number in range(10)))
        return done

    orders = []
    for _ in range(2):
        with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
            orders.append(runner.run(order()))
    first, second = orders

    assert first == second != sorted(first) == list(range(10))


async def test_given_work_that_fails_when_awaited_then_its_error_comes() -> None:
    with pytest.raises(ZeroDivisionError):
        await asyncio.to_thread(lambda: 1 / 0)


async def test_given_work_that_nobody_waits_for_when_its_time_has_come_then_it_is_done() -> None:
    done: list[int] = []
    waiting = asyncio.create_task(asyncio.to_thread(done.append, 1))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.sleep(1)

    assert done == [1]


async def test_given_a_socket_when_waited_for_then_refused() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        with pytest.raises(RuntimeError, match="virtual time"):
            await asyncio.get_running_loop().sock_accept(server)


def test_given_nothing_that_could_happen_when_waited_for_then_told_instead_of_hanging() -> None:
    loop = VirtualTimeLoop()
    waiting = loop.create_future()
    with pytest.raises(RuntimeError, match="never happen"):
        loop.run_until_complete(waiting)
    waiting.cancel()
    loop.close()
