"""What becomes of a push that is sent: the seam between the pushes and the network."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import Protocol


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
