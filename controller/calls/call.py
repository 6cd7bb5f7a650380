"""A call: what was asked for, its identity, and what has happened to it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from random import Random
from typing import Any

from controller.calls.collection import NO_REPLAY, ReplayRule
from controller.calls.timeline import Entry, Kind, Timeline
from controller.clock import Clock
from controller.phone_number import PhoneNumber
from controller.store.tables import Service


@dataclass(frozen=True)
class Prompt:
    """A sound that every node can play: `media` is for Asterisk, `name` is the customer's."""

    name: str
    media: str


@dataclass(frozen=True)
class PlayItem:
    """One item of a notification: a prompt, how many digits to collect after it, and when to repeat it."""

    prompt: Prompt
    collect: int = 0
    replay: ReplayRule = NO_REPLAY


@dataclass(frozen=True)
class CallRequest:
    """What an application asked for, checked and resolved."""

    account_id: str
    app_key: str
    service: Service
    display_number: PhoneNumber
    callee: PhoneNumber
    items: tuple[PlayItem, ...] = ()
    user_data: str | None = None
    status_url: str | None = None
    fee_url: str | None = None


_SERVICE_NUMBERS = {Service.NOTIFICATION: 1200, Service.VERIFICATION: 1201, Service.CALLBACK: 1202}


@dataclass
class Identities:
    """Gives calls their ids: readable, unique over restarts and controllers, safe in URLs and file names.

    The cloud's form is `{number}_{number}_{number}_{yyyyMMddHHmmss}@{host}`; ours has a counter and a
    random number where the cloud has two of its own.
    """

    host_name: str
    clock: Clock
    random: Random
    count: int = 0

    def next(self, service: Service) -> tuple[str, str]:
        """(call id, session id) of the next call; the call id is the session id without the host."""
        self.count += 1
        moment = self.clock.now().strftime("%Y%m%d%H%M%S")
        salt = self.random.getrandbits(32)
        call_id = f"{_SERVICE_NUMBERS[service]}_{self.count}_{salt}_{moment}"
        return call_id, f"{call_id}@{self.host_name}"


@dataclass
class LiveCall:
    """A call under way. `on_entry` is told everything that happens, at once and in order."""

    id: str
    session_id: str
    request: CallRequest
    clock: Clock
    on_entry: Callable[["LiveCall", Entry], None]
    timeline: Timeline = field(default_factory=Timeline)

    def tell(self, kind: Kind, leg: str | None = None, detail: Mapping[str, Any] | None = None) -> Entry:
        """Record that something happened now."""
        entry = Entry(self.timeline.next_sequence, self.clock.now(), kind, leg, dict(detail or {}))
        self.timeline.add(entry)
        self.on_entry(self, entry)
        return entry

    @property
    def accepted_at(self) -> datetime:
        return self.timeline.entries[0].at
