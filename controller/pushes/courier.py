"""The way of every push to its receiver: who it is from, whether it may go now, what became of it."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import lru_cache
from random import Random
from typing import Protocol
from urllib.parse import urlsplit

from controller.accounts.directory import Application
from controller.clock import Clock
from controller.pushes.ledger import Ledger
from controller.pushes.push import Push
from controller.pushes.receiver import Delivery, Failure, Sender
from controller.pushes.signing import Signing, aksk_headers, webhook_headers
from controller.settings import PushSettings
from controller.store.tables import PushProfile

_CONTENT_TYPE = "application/json;charset=UTF-8"

_WAITING_PER_CONNECTION = 10
"""How many pushes may wait for each that is under way: a receiver that hangs must not fill our memory."""

_OK = range(200, 201)
_ANY_OK = range(200, 300)


class Observer(Protocol):
    """Is told of every attempt, and may have headers sent along."""

    def headers(self, push: Push) -> Mapping[str, str]:
        """What goes along with a push."""
        ...

    def pushed(self, push: Push, delivery: Delivery, at: datetime) -> None:
        """An attempt that began at `at` is over. Must not wait."""
        ...


@dataclass
class _Lane:
    """The pushes of one app to one receiver: some under way, some waiting."""

    free: asyncio.Semaphore
    inside: int = field(default=0)


class Courier:
    """Delivers pushes, each app to each receiver on a lane of its own: who is slow holds up nobody else."""

    def __init__(
        self,
        sender: Sender,
        application: Callable[[str], Application | None],
        ledger: Ledger,
        clock: Clock,
        random: Random,
        settings: PushSettings,
        observer: Observer | None = None,
    ) -> None:
        self._sender = sender
        self._application = application
        self._ledger = ledger
        self._clock = clock
        self._random = random
        self._signing = Signing(settings.signing)
        self._width = settings.connections_per_receiver
        self._observer = observer
        self._lanes: dict[tuple[str, str], _Lane] = {}

    @property
    def inside(self) -> int:
        """Pushes that are under way or wait for their turn."""
        return sum(lane.inside for lane in self._lanes.values())

    async def deliver(self, push: Push) -> Delivery:
        """One attempt, which is kept; never raises for what the receiver or the network does."""
        if self._counts(push) and self._ledger.is_disabled(push.endpoint):
            return Delivery(None, Failure.DISABLED)
        key = (push.app_key, _origin(push.url))
        lane = self._lanes.get(key)
        if lane is None:
            lane = self._lanes[key] = _Lane(asyncio.Semaphore(self._width))
        elif lane.inside >= self._width * (1 + _WAITING_PER_CONNECTION):
            delivery = Delivery(None, Failure.BUSY, "too many pushes wait for this receiver")
            self._ledger.note(push, delivery, self._clock.now(), counts=self._counts(push))
            return delivery
        lane.inside += 1
        try:
            async with lane.free:
                return await self._deliver(push)
        finally:
            lane.inside -= 1
            if not lane.inside:
                del self._lanes[key]

    async def _deliver(self, push: Push) -> Delivery:
        application = self._application(push.app_key)
        at = self._clock.now()
        headers = self._headers(push, application, at)
        if self._observer is not None:
            headers |= self._observer.headers(push)
        delivery = await self._sender.send(push.url, push.body, headers)
        if delivery.accepted and delivery.status not in (_ANY_OK if _is_durable(application) else _OK):
            delivery = replace(delivery, failure=Failure.HTTP, error=f"answered {delivery.status}")
        self._ledger.note(push, delivery, at, counts=self._counts(push))
        if self._observer is not None:
            self._observer.pushed(push, delivery, at)
        return delivery

    def _counts(self, push: Push) -> bool:
        """Whether it matters what becomes of a push.

        To a status push like the cloud's it does not: that is sent once, whatever was answered to others.
        """
        return push.sequence is None or _is_durable(self._application(push.app_key))

    def _headers(self, push: Push, application: Application | None, now: datetime) -> dict[str, str]:
        headers = {"Content-Type": _CONTENT_TYPE}
        if push.sequence is not None:
            headers["X-Call-Sequence"] = str(push.sequence)
        if application is None:
            return headers
        nonce = self._random.randbytes(16).hex()
        secret, *_ = application.secrets(now)
        signature = aksk_headers(self._signing, push.app_key, secret, push.url, nonce, now)
        if _has_credentials(push.url):
            # They make an Authorization header of their own, which the customer asked for.
            signature.pop("Authorization", None)
        headers |= signature
        if application.webhook_keys:
            keys = [key.get_secret_value() for key in application.webhook_keys]
            headers |= webhook_headers(keys, push.message_id, now, push.body)
        return headers


def _is_durable(application: Application | None) -> bool:
    return application is not None and application.push_profile is PushProfile.DURABLE


@lru_cache(4096)
def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}".lower()


@lru_cache(4096)
def _has_credentials(url: str) -> bool:
    return "@" in urlsplit(url).netloc
