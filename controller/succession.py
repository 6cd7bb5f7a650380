"""A controller among several: it joins them, ends when it is taken over, goes on with what others left."""

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Final, TypeVar

from sqlmodel import Session

from controller.asterisk.fleet import Fleet
from controller.asterisk.node import Node
from controller.calls.recovery import Recovery
from controller.clock import Clock
from controller.lifecycle import background
from controller.membership.membership import GONE_ALONE, Membership, OnEstate
from controller.pushes.room import Pushes
from controller.settings import Settings
from controller.store import controllers
from controller.store.controllers import Estate, Pulse
from controller.store.database import Database
from controller.store.errors import DatabaseClosed, Fenced

log = logging.getLogger(__name__)

T = TypeVar("T")

_PAUSE: Final = 1.0
"""Seconds until the database is asked again."""

_ALONE = 5.0
"""Seconds from one sign of life of a controller that has no others to the next: nobody waits for it."""


async def joined(
    settings: Settings,
    database: Database,
    clock: Clock,
    on_fenced: Callable[[str], None],
    stack: AsyncExitStack,
) -> Membership | None:
    """This controller among those of its database, which it leaves at the end; None: it has no others."""
    names = [node.name for node in settings.nodes]
    if not database.shared:
        await stack.enter_async_context(
            _alone(database, settings.controller, settings.application, names, clock)
        )
        return None
    membership = Membership(database, settings.controller, settings.application, names, clock, on_fenced)
    await membership.join()
    stack.push_async_callback(membership.leave)
    await stack.enter_async_context(background(membership.live()))
    return membership


@asynccontextmanager
async def _alone(
    database: Database, name: str, application: str, nodes: list[str], clock: Clock
) -> AsyncIterator[None]:
    """Signs of life for its own next start, which is to know until when calls were looked after."""

    async def live() -> None:
        while True:
            await asyncio.sleep(_ALONE)
            try:
                await database.write(lambda session: controllers.beat(session, name, clock.now()))
            except Exception:
                log.exception("No sign of life can be given; trying again")

    await database.write(lambda session: controllers.join(session, name, application, nodes, clock.now()))
    try:
        async with background(live()):
            yield
    finally:
        try:
            await database.write(lambda session: controllers.leave(session, name, clock.now()))
        except Exception:
            log.exception("The next start doesn't know when this controller ended")


async def inherit(database: Database, name: str, clock: Clock, on_estate: OnEstate) -> None:
    """Take over what controllers of other names left in a database that takes one at a time.

    That is, as a rule, what this one left before it was renamed.
    """
    gone = await _until_done(lambda: database.read(partial(controllers.pulses, name=name)))
    if not all(pulse.left for pulse in gone):
        await asyncio.sleep(GONE_ALONE)
    for pulse in gone:

        def take(session: Session, seen: Pulse = pulse) -> Estate | None:
            return controllers.take_over(session, seen, name, clock.now())

        estate = await _until_done(lambda: database.write(take))
        if estate is None:
            log.error("Another controller uses this database", extra={"controller": pulse.name})
        else:
            log.warning("What a controller left is taken over", extra={"controller": pulse.name})
            await on_estate(estate)


def die(reason: str) -> None:
    """End the process at once: whatever it still did would be done to another controller's calls."""
    log.critical("This controller ends at once", extra={"reason": reason})
    logging.shutdown()
    os._exit(os.EX_TEMPFAIL)


@asynccontextmanager
async def going_on(take_over: OnEstate) -> AsyncIterator[OnEstate]:
    """Begins `take_over` for each estate that it is called for, without waiting for its end.

    Calls of one controller that are being closed must not keep anybody from seeing that another one is gone.
    What is not done at the end of the block is cancelled.
    """
    under_way: set[asyncio.Task[None]] = set()

    async def go_on(estate: Estate) -> None:
        try:
            await take_over(estate)
        except Exception:
            log.exception("What a controller left is not gone on with", extra={"controller": estate.name})

    async def begin(estate: Estate) -> None:
        task = asyncio.create_task(go_on(estate), name=f"go on with what {estate.name} left")
        under_way.add(task)
        task.add_done_callback(under_way.discard)

    try:
        yield begin
    finally:
        tasks = list(under_way)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def take_over(
    estate: Estate, *, fleet: Fleet, recoveries: Mapping[str, Recovery], pushes: Pushes, clock: Clock
) -> None:
    """Go on with what another controller has left. It stays ours when the database is away meanwhile."""
    pushes.adopt(estate.behind, clock.now())

    async def go_on_at(node: Node) -> None:
        # Its dialplan may have been told to ask the other one.
        await node.announce()
        if node.name in estate.nodes:
            await recoveries[node.name].take_over(estate.application)

    # Side by side: a node that hangs, and of which that is not known yet, must not keep other calls waiting,
    # nor one where something goes wrong.
    async with asyncio.TaskGroup() as group:
        group.create_task(_until_done(partial(recoveries[fleet.first.name].close_elsewhere, fleet.names)))
        for node in fleet:
            group.create_task(_until_done(partial(go_on_at, node)))


async def _until_done(work: Callable[[], Awaitable[T]]) -> T:
    """Whatever goes wrong: else those calls end with nobody. Raises Fenced, DatabaseClosed."""
    while True:
        try:
            return await work()
        except (Fenced, DatabaseClosed):
            raise
        except Exception:
            log.exception("What a controller left can't be gone on with; trying again")
            await asyncio.sleep(_PAUSE)
