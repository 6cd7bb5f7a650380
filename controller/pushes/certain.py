"""Pushes of a controller that may have been taken over wait until it knows."""

from collections.abc import Mapping
from typing import Protocol

from controller.pushes.receiver import Delivery, Sender


class Certainty(Protocol):
    """Whether what this controller does is still its own to do."""

    @property
    def certain(self) -> bool: ...

    async def wait_certain(self) -> None: ...


class CertainSender:
    """Sends as another sender does, but nothing that another controller may be sending as well."""

    def __init__(self, sender: Sender, certainty: Certainty) -> None:
        self._sender = sender
        self._certainty = certainty

    async def send(self, url: str, body: bytes, headers: Mapping[str, str]) -> Delivery:
        if not self._certainty.certain:
            await self._certainty.wait_certain()
        return await self._sender.send(url, body, headers)
