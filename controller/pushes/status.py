"""Status pushes: at once, in order for each call, never retried; no call's receiver delays another's."""

import asyncio
import logging
from collections import deque
from typing import Any

from controller.calls.call import LiveCall
from controller.calls.timeline import Entry
from controller.pushes.receiver import Sender
from controller.pushes.wire import status_message

log = logging.getLogger(__name__)


class StatusPushes:
    """A queue for each call that has something to tell; a task for each queue that isn't empty."""

    def __init__(self, sender: Sender) -> None:
        self._sender = sender
        self._queues: dict[str, deque[tuple[dict[str, Any], asyncio.Task[None] | None]]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def tell(self, call: LiveCall, entry: Entry, after: asyncio.Task[None] | None = None) -> None:
        """Queue the push for something that happened, if the customer wants to know.

        It is sent once `after` is done, and so is everything that follows it.
        """
        url = call.request.status_url
        message = status_message(call, entry)
        if url is None or message is None:
            return
        queue = self._queues.get(call.id)
        if queue is not None:
            queue.append((message, after))
            return
        self._queues[call.id] = deque([(message, after)])
        task = asyncio.create_task(self._send_all(call.id, url), name=f"pushes of {call.id}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _send_all(self, call_id: str, url: str) -> None:
        queue = self._queues[call_id]
        try:
            while queue:
                message, after = queue.popleft()
                if after is not None:
                    await asyncio.wait({after})
                delivery = await self._sender.send(url, message)
                if not delivery.accepted:
                    log.warning(
                        "A status push was not accepted",
                        extra={"call": call_id, "status": delivery.status, "error": delivery.error},
                    )
        finally:
            del self._queues[call_id]

    async def drain(self, timeout: float) -> None:
        """Wait until everything told was sent, `timeout` seconds at most."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=timeout)
        for task in self._tasks:
            task.cancel()
