"""Status pushes: in order for each call; no call's receiver delays another's.

Those of an ordinary call are sent once, as the cloud does; those of a durable one until they arrive
(`durable.py`).
"""

import asyncio
import logging
from collections import deque

from controller.calls.call import LiveCall
from controller.calls.timeline import Entry, Kind
from controller.pushes.courier import Courier
from controller.pushes.durable import DurableStatuses
from controller.pushes.push import Push
from controller.pushes.wire import is_told, status_push
from controller.store.tables import PushProfile

log = logging.getLogger(__name__)

Written = asyncio.Future[None] | None


class StatusPushes:
    """A queue for each call that has something to tell; a task for each queue that isn't empty."""

    def __init__(self, courier: Courier, durable: DurableStatuses) -> None:
        self._courier = courier
        self._durable = durable
        self._queues: dict[str, deque[tuple[Push, Written]]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def tell(self, call: LiveCall, entry: Entry, after: Written = None) -> None:
        """Queue the push for something that happened, if the customer wants to know.

        An answer is sent once `after` is done, and so is everything that follows it. The rest is sent
        at once, as the cloud does.
        """
        if call.request.push_profile is PushProfile.DURABLE:
            self._durable.tell(call, entry, after)
            return
        if not is_told(call, entry):
            return
        push = status_push(call, entry)
        if entry.kind is not Kind.ANSWER:
            after = None
        queue = self._queues.get(call.id)
        if queue is not None:
            queue.append((push, after))
            return
        self._queues[call.id] = deque([(push, after)])
        task = asyncio.create_task(self._send_all(call.id), name=f"pushes of {call.id}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _send_all(self, call_id: str) -> None:
        queue = self._queues[call_id]
        try:
            while queue:
                push, after = queue.popleft()
                if after is not None:
                    await asyncio.wait({after})
                delivery = await self._courier.deliver(push)
                if not delivery.accepted:
                    log.debug("A status push is lost", extra={"call": call_id, "failure": delivery.failure})
        finally:
            del self._queues[call_id]

    async def drain(self, timeout: float) -> None:
        """Wait until everything told was sent, `timeout` seconds at most."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=timeout)
        for task in self._tasks:
            task.cancel()
        await self._durable.drain(timeout)
