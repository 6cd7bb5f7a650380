"""Names of receivers: looked up once for all who wait, and again when it came to nothing."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohappyeyeballs import AddrInfoType
from unit.pushes.support import http_sender, keep_saying_ok, raw_server

from controller.pushes.http_sender import HttpSender
from controller.pushes.receiver import Failure

pytestmark = pytest.mark.both_loops


@asynccontextmanager
async def slowly_known_receiver(known: asyncio.Event) -> AsyncIterator[tuple[HttpSender, str, list[str]]]:
    """A sender, a receiver's address whose name takes until `known` to look up, and the names looked up."""
    asked: list[str] = []

    async def look_up(host: str, port: int) -> list[AddrInfoType]:
        asked.append(host)
        await known.wait()
        return [(2, 1, 0, "", ("127.0.0.1", port))]

    async with raw_server(keep_saying_ok) as port, http_sender(look_up) as sender:
        yield sender, f"http://receiver.test:{port}/", asked


async def test_given_a_name_that_takes_long_when_one_gives_up_then_the_others_share_one_look_up() -> None:
    known = asyncio.Event()
    async with slowly_known_receiver(known) as (sender, url, asked):
        impatient, *others = [asyncio.create_task(sender.send(url, b"{}", {})) for _ in range(3)]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        impatient.cancel()
        await asyncio.wait({impatient})
        known.set()
        deliveries = await asyncio.gather(*others)

    assert [delivery.status for delivery in deliveries] == [200, 200]
    assert asked == ["receiver.test"]


async def test_given_a_name_nobody_knew_when_pushed_again_then_it_is_looked_up_again() -> None:
    asked: list[str] = []

    async def look_up(host: str, port: int) -> list[AddrInfoType]:
        asked.append(host)
        if len(asked) == 1:
            raise OSError("no such name")
        return [(2, 1, 0, "", ("127.0.0.1", port))]

    async with raw_server(keep_saying_ok) as port, http_sender(look_up) as sender:
        url = f"http://receiver.test:{port}/"
        first, second = [await sender.send(url, b"{}", {}) for _ in range(2)]

    assert (first.failure, second.status, len(asked)) == (Failure.DNS, 200, 2)


async def test_given_a_look_up_that_takes_longer_than_names_are_known_when_pushed_then_there_is_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("controller.pushes.outbound._NAME_KNOWN", 0.02)
    known = asyncio.Event()
    async with slowly_known_receiver(known) as (sender, url, asked):
        first = asyncio.create_task(sender.send(url, b"{}", {}))
        await asyncio.sleep(0.06)
        second = asyncio.create_task(sender.send(url, b"{}", {}))
        await asyncio.sleep(0)
        known.set()
        deliveries = await asyncio.gather(first, second)

    assert [delivery.status for delivery in deliveries] == [200, 200]
    assert asked == ["receiver.test"]
