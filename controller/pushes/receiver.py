"""Sending one push: the seam between the pushes and the network."""

import asyncio
import logging
import ssl
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum
from types import TracebackType
from typing import Protocol, Self

import aiohttp
from aiohttp.abc import AbstractResolver

from controller.pushes.guard import AddressGuard, AddressRefused
from controller.pushes.outbound import outbound_connector, tls_context
from controller.settings import PushSettings

log = logging.getLogger(__name__)

ANSWER_KEPT = 2048
"""Bytes of an answer that are read; nobody needs more, and none of it decides anything."""

_ANSWER_PATIENCE = 1.0
"""Seconds for the body of an answer, once its status is known."""


class Failure(StrEnum):
    """Why a push was not accepted."""

    ADDRESS = "address"
    """The receiver's address is refused, or no address at all."""
    DNS = "dns"
    CONNECT = "connect"
    TLS = "tls"
    TIMEOUT = "timeout"
    CLOSED = "closed"
    """The connection ended without an answer."""
    HTTP = "http"
    """The answer was not the right one, or none of HTTP."""
    BUSY = "busy"
    """Not sent: too many pushes wait for this receiver already."""
    DISABLED = "disabled"
    """Not sent: the endpoint is disabled."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """What became of one push: a status of HTTP, or why there is none."""

    status: int | None
    failure: Failure | None = None
    error: str | None = None
    latency_ms: int = 0
    """From the start to the head of the answer, or to the failure."""
    answer: bytes = b""
    retry_after: float | None = None
    """Seconds for which the receiver asked to be left alone."""

    @property
    def accepted(self) -> bool:
        return self.failure is None


class Sender(Protocol):
    """Sends pushes."""

    async def send(self, url: str, body: bytes, headers: Mapping[str, str]) -> Delivery:
        """One attempt, with whatever status; never raises for what the receiver or the network does."""
        ...


class HttpSender:
    """Sends pushes over HTTP: to guarded addresses, over verified TLS, following no redirect."""

    def __init__(
        self, settings: PushSettings, guard: AddressGuard, resolver: AbstractResolver | None = None
    ) -> None:
        self._settings = settings
        self._guard = guard
        self._resolver = resolver
        self._stack = AsyncExitStack()
        self._http: aiohttp.ClientSession | None = None

    async def send(self, url: str, body: bytes, headers: Mapping[str, str]) -> Delivery:
        if self._http is None:
            raise RuntimeError("the sender was not opened")
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            async with self._http.post(url, data=body, headers=headers, allow_redirects=False) as answer:
                latency = _milliseconds(loop.time() - began)
                return Delivery(
                    answer.status,
                    latency_ms=latency,
                    answer=await _beginning(answer),
                    retry_after=retry_after(answer.headers.get("Retry-After"), datetime.now(UTC)),
                )
        except (aiohttp.ClientError, OSError, ValueError) as error:
            failure, text = self._failure(error, url)
            return Delivery(None, failure, text, _milliseconds(loop.time() - began))

    def _failure(self, error: Exception, url: str) -> tuple[Failure, str]:
        """What went wrong: its class and its words. TimeoutError is one of OSError."""
        text = f"{type(error).__name__}: {error}"
        match error:
            case TimeoutError():
                return Failure.TIMEOUT, f"no answer in {self._settings.timeout:g} s"
            case aiohttp.ClientConnectorDNSError():
                return Failure.DNS, str(error.os_error)
            case aiohttp.ClientSSLError() | ssl.SSLError():
                return Failure.TLS, str(error)
            case aiohttp.ClientConnectorError(os_error=AddressRefused() as refused):
                return Failure.ADDRESS, refused.text
            case aiohttp.ClientConnectorError(os_error=OSError(errno=None)) if _is_https(url):
                return Failure.TLS, "the connection ended during the handshake"
            case aiohttp.ClientConnectorError():
                return Failure.CONNECT, str(error)
            case aiohttp.InvalidURL() | aiohttp.NonHttpUrlClientError():
                return Failure.ADDRESS, "not an address of HTTP"
            case aiohttp.ServerConnectionError() | aiohttp.ClientConnectionError() | OSError():
                return Failure.CLOSED, text
            case _:
                return Failure.HTTP, text

    async def __aenter__(self) -> Self:
        if not self._settings.verify_tls:
            log.warning("Certificates of receivers are not verified (pushes.verify_tls): anybody can be them")
        tls = tls_context(verify=self._settings.verify_tls, ca_file=self._settings.ca_file)
        connector = await self._stack.enter_async_context(
            outbound_connector(self._guard, tls, self._resolver)
        )
        self._http = await self._stack.enter_async_context(
            aiohttp.ClientSession(
                connector=connector,
                connector_owner=False,
                timeout=aiohttp.ClientTimeout(total=self._settings.timeout),
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={"User-Agent": "voicecall", "Accept-Encoding": "identity"},
                auto_decompress=False,
            )
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()


async def _beginning(answer: aiohttp.ClientResponse) -> bytes:
    """The first bytes of the body, as far as they come. A connection with more to come is closed."""
    content, kept = answer.content, b""
    if content.is_eof() and content.total_bytes <= ANSWER_KEPT:
        # All of it came with the head, as it mostly does.
        return content.read_nowait()
    try:
        async with asyncio.timeout(_ANSWER_PATIENCE):
            while len(kept) < ANSWER_KEPT and (part := await content.read(ANSWER_KEPT - len(kept))):
                kept += part
    except (aiohttp.ClientError, OSError):
        answer.close()
    if not content.at_eof():
        answer.close()
    return kept


def retry_after(header: str | None, now: datetime) -> float | None:
    """The seconds in a Retry-After header, which has seconds or a date; None without a sensible one."""
    if header is None:
        return None
    if header.isascii() and header.isdigit():
        return float(header[:9])
    try:
        moment = parsedate_to_datetime(header)
    except (ValueError, OverflowError):
        # A year of 20 digits is no ValueError.
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max((moment - now).total_seconds(), 0.0)


def _is_https(url: str) -> bool:
    return url[:6].lower() == "https:"


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000)
