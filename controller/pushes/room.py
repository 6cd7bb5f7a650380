"""The room of pushes, put together: what the rest of the house needs of it, and what runs in it."""

from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Any

from controller.accounts.directory import Application
from controller.clock import Clock
from controller.pushes.cdr_outbox import CdrOutbox
from controller.pushes.certain import CertainSender, Certainty
from controller.pushes.courier import Courier, Observer
from controller.pushes.durable import DurableStatuses
from controller.pushes.guard import AddressGuard
from controller.pushes.http_sender import HttpSender
from controller.pushes.ledger import Ledger
from controller.pushes.receiver import Sender
from controller.pushes.resending import Resender
from controller.pushes.retry import RetryPolicy
from controller.pushes.status import StatusPushes
from controller.settings import Settings
from controller.store.database import Database


@dataclass(frozen=True)
class Pushes:
    """Everything that tells customers something."""

    courier: Courier
    ledger: Ledger
    statuses: StatusPushes
    durable: DurableStatuses
    outbox: CdrOutbox
    resender: Resender
    works: tuple[Coroutine[Any, Any, None], ...]
    """To be run in the background."""

    def adopt(self, behind: Iterable[str], now: datetime) -> None:
        """Go on with what another controller has left; `behind` are its live calls that are told again."""
        self.durable.adopt(behind)
        self.outbox.wake(now)

    async def drain(self, timeout: float) -> None:
        """Wait for what is under way, `timeout` seconds at most."""
        await self.statuses.drain(timeout)
        await self.outbox.drain(timeout)


@asynccontextmanager
async def opened_pushes(
    settings: Settings,
    database: Database,
    application: Callable[[str], Application | None],
    guard: AddressGuard,
    clock: Clock,
    random: Random,
    sender: Sender | None = None,
    observer: Observer | None = None,
    certainty: Certainty | None = None,
) -> AsyncIterator[Pushes]:
    """The room, open until the end of the block. `application` finds an app by its key."""
    own = settings.pushes
    async with AsyncExitStack() as stack:
        if sender is None:
            sender = await stack.enter_async_context(HttpSender(own, guard))
        if certainty is not None:
            sender = CertainSender(sender, certainty)
        ledger = await stack.enter_async_context(
            Ledger(database, clock, timedelta(days=own.disable_after_days))
        )
        courier = Courier(sender, application, ledger, clock, random, own, observer)
        policy = RetryPolicy(own.cdr_attempts, timedelta(seconds=own.cdr_interval), random)
        durable = DurableStatuses(courier, database, clock, policy, settings.controller)
        await durable.resume()
        outbox = CdrOutbox(
            database,
            courier,
            application,
            clock,
            policy,
            own.cdr_batch,
            settings.cdr_file_dir,
            settings.controller if database.shared else None,
            settings.name,
        )
        statuses = StatusPushes(courier, durable)
        resender = Resender(database, courier, ledger, clock)
        works = (outbox.run(), durable.run(), ledger.run())
        yield Pushes(courier, ledger, statuses, durable, outbox, resender, works)
