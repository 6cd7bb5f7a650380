"""A controller among several: it joins them, ends when it is taken over, goes on with what others left."""

import logging
import os
from collections.abc import Callable
from contextlib import AsyncExitStack

from controller.asterisk.node import Node
from controller.calls.recovery import Recovery
from controller.clock import Clock
from controller.lifecycle import background
from controller.membership.membership import Membership
from controller.pushes.room import Pushes
from controller.settings import Settings
from controller.store.controllers import Estate
from controller.store.database import Database

log = logging.getLogger(__name__)


async def joined(
    settings: Settings,
    database: Database,
    clock: Clock,
    on_fenced: Callable[[str], None],
    stack: AsyncExitStack,
) -> Membership | None:
    """This controller among those of its database, which it leaves at the end; None: it has no others."""
    if not database.shared:
        return None
    node = settings.own_asterisk
    membership = Membership(database, settings.controller, node.application, node.name, clock, on_fenced)
    await membership.join()
    stack.push_async_callback(membership.leave)
    await stack.enter_async_context(background(membership.live()))
    return membership


def die(reason: str) -> None:
    """End the process at once: whatever it still did would be done to another controller's calls."""
    log.critical("This controller ends at once", extra={"reason": reason})
    logging.shutdown()
    os._exit(os.EX_TEMPFAIL)


async def take_over(estate: Estate, *, node: Node, recovery: Recovery, pushes: Pushes, clock: Clock) -> None:
    """Go on with what another controller has left."""
    pushes.adopt(estate.behind, clock.now())
    # The dialplan may have been told to ask the other one.
    await node.announce()
    if estate.node != node.name:
        if estate.live:
            log.error(
                "Calls are closed whose node this controller doesn't know",
                extra={"node": estate.node, "calls": len(estate.live)},
            )
        await recovery.close_all(estate.live)
        return
    await recovery.take_over(estate.application)
