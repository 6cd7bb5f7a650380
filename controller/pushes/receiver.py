"""Sending one push: the seam between the pushes and the network."""

import logging
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Protocol, Self

import aiohttp
import msgspec

from controller.settings import PushSettings

log = logging.getLogger(__name__)

_CONTENT_TYPE = "application/json;charset=UTF-8"


@dataclass(frozen=True)
class Delivery:
    """What became of one push: a status of HTTP, or why there is none."""

    status: int | None
    error: str | None = None

    @property
    def accepted(self) -> bool:
        """The receiver said 200; nothing else counts."""
        return self.status == 200


class Sender(Protocol):
    """Sends pushes."""

    async def send(self, url: str, message: dict[str, Any]) -> Delivery:
        """One attempt; never raises for what the receiver or the network does."""
        ...


class HttpSender:
    """Sends pushes over HTTP. Redirects count as failures; the body of an answer is not read."""

    def __init__(self, settings: PushSettings) -> None:
        self._settings = settings
        self._http: aiohttp.ClientSession | None = None

    async def send(self, url: str, message: dict[str, Any]) -> Delivery:
        if self._http is None:
            raise RuntimeError("the sender was not opened")
        try:
            async with self._http.post(
                url,
                data=msgspec.json.encode(message),
                headers={"Content-Type": _CONTENT_TYPE},
                allow_redirects=False,
            ) as answer:
                return Delivery(answer.status)
        except TimeoutError:
            return Delivery(None, f"no answer in {self._settings.timeout} s")
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return Delivery(None, f"{type(error).__name__}: {error}")

    async def __aenter__(self) -> Self:
        self._http = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, limit_per_host=self._settings.connections_per_receiver),
            timeout=aiohttp.ClientTimeout(total=self._settings.timeout),
            cookie_jar=aiohttp.DummyCookieJar(),
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._http is not None:
            await self._http.close()
