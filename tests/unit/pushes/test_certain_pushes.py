"""Pushes of a controller that may have been taken over."""

import asyncio
from collections.abc import Mapping

import pytest
from unit.support import soon

from controller.pushes.certain import CertainSender
from controller.pushes.receiver import Delivery


class Certainty:
    """As the test says."""

    def __init__(self) -> None:
        self.known = asyncio.Event()

    @property
    def certain(self) -> bool:
        return self.known.is_set()

    async def wait_certain(self) -> None:
        await self.known.wait()


class Sent:
    """Keeps what is sent."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []

    async def send(self, url: str, body: bytes, headers: Mapping[str, str]) -> Delivery:
        del url, headers
        self.bodies.append(body)
        return Delivery(200)


@pytest.mark.requirement("E2", "B1")
async def test_E2_given_a_controller_that_may_have_lost_calls_when_it_pushes_then_once_it_knows() -> None:
    certainty, sent = Certainty(), Sent()
    sender = CertainSender(sent, certainty)
    waiting = asyncio.create_task(sender.send("http://receiver", b"1", {}))
    for _turn in range(10):
        await asyncio.sleep(0)
    assert sent.bodies == []

    certainty.known.set()
    assert (await soon(waiting)).accepted
    await sender.send("http://receiver", b"2", {})

    assert sent.bodies == [b"1", b"2"]
