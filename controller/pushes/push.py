"""A push: one message for one endpoint."""

from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import urlsplit, urlunsplit


class Endpoint(NamedTuple):
    """Where an app is told things. `url` is without credentials and query: those may differ for each call."""

    app_key: str
    url: str


@dataclass(frozen=True, slots=True)
class Push:
    """One message, at one attempt of perhaps several."""

    app_key: str
    url: str
    message_id: str
    """The same at every attempt."""
    event_type: str
    body: bytes
    call_ids: tuple[str, ...]
    sequence: int | None = None
    """Of a status push: how many there were before it in its call."""
    attempt: int = 1
    first_due_at: datetime | None = None
    """When what it tells of happened; of CDRs, when the others of their second had been gathered."""

    @property
    def endpoint(self) -> Endpoint:
        return Endpoint(self.app_key, endpoint_url(self.url))


@lru_cache(4096)
def endpoint_url(url: str) -> str:
    """The part of an address by which an endpoint is known."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))
