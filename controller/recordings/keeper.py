"""Recordings from Asterisk to a disk of ours, and off it when their time is over.

A recording is deleted on Asterisk once the file and its row are safe, and not before. A crash in between
repeats a step; it never loses a recording.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Final, cast

from controller import ari
from controller.asterisk.node import Node
from controller.clock import Clock
from controller.recordings.errors import RecordingError, RecordingLost, RecordingUnderWay
from controller.recordings.files import Parts, recording_path, remove_recording
from controller.store import recordings
from controller.store.database import Database
from controller.store.recordings import KnownRecording, RecordingState

log = logging.getLogger(__name__)

PURGE_INTERVAL: Final = timedelta(hours=1)

_LOOK_AGAIN: Final = 30.0
"""Seconds until what another process left in the table is found."""

_AFTER_TROUBLE: Final = 1.0
_SHORTEST_PAUSE: Final = 0.02
_PURGED_AT_ONCE: Final = 200


def retry_delay(attempt: int) -> float:
    """Seconds until the next attempt after `attempt` (from 1) failed: 1 s, doubling to 5 minutes."""
    return min(300.0, 2.0 ** min(attempt - 1, 10))


@dataclass(frozen=True)
class _Rest:
    """A recording that is left alone `until` then, on the loop's clock."""

    attempts: int
    until: float


class RecordingKeeper:
    """Fetches, keeps and purges the recordings of one node."""

    def __init__(
        self,
        database: Database,
        node: Node,
        clock: Clock,
        directory: Path,
        keep: timedelta,
        controller: str,
        *,
        fetches: int = 2,
        retry: Callable[[int], float] = retry_delay,
        purge_interval: timedelta = PURGE_INTERVAL,
    ) -> None:
        """`fetches` at once at most; `retry`: failed attempts -> seconds until the next."""
        self._database = database
        self._node = node
        self._clock = clock
        self._directory = directory
        self._keep = keep
        self._fetches = fetches
        self._retry = retry
        self._purge_interval = purge_interval
        self._parts = Parts(directory, node.name, controller)
        self._news = asyncio.Event()
        self._under_way: dict[str, asyncio.Task[None]] = {}
        self._resting: dict[str, _Rest] = {}
        self._stopping = False

    def wake(self) -> None:
        """A call has ended that has a recording."""
        self._news.set()

    async def run(self) -> None:
        """Fetch and purge until cancelled."""
        await asyncio.to_thread(self._parts.remove_all)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._fetch_what_comes(), name="fetch recordings")
                group.create_task(self._purge_now_and_then(), name="purge recordings")
        finally:
            await self._cancel_fetches()

    async def drain(self, timeout: float) -> None:
        """Begin nothing new and wait `timeout` seconds for the fetches under way; others are for later."""
        self._stopping = True
        if self._under_way:
            await asyncio.wait(self._under_way.values(), timeout=timeout)
        await self._cancel_fetches()

    async def _cancel_fetches(self) -> None:
        tasks = list(self._under_way.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # Fetching

    async def _fetch_what_comes(self) -> None:
        while True:
            self._news.clear()
            try:
                await self._node_ready()
                pause = await self._start_due()
            except Exception:
                log.exception("The list of recordings can't be read; trying again")
                pause = _AFTER_TROUBLE
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(pause, _SHORTEST_PAUSE)):
                    await self._news.wait()

    async def _node_ready(self) -> None:
        while not self._node.available:
            try:
                await self._node.ari.wait_ready()
            except Exception:
                # Not started yet, or given up for good: that is for others to deal with.
                await asyncio.sleep(_AFTER_TROUBLE)

    async def _start_due(self) -> float:
        """Start what is due and has a place; returns the seconds until the next may be due."""
        now = asyncio.get_running_loop().time()
        resting = {call_id: rest.until - now for call_id, rest in self._resting.items() if rest.until > now}
        places = self._fetches - len(self._under_way)
        if places > 0 and not self._stopping:
            excluded = {*self._under_way, *resting}
            due = await self._database.read(
                partial(recordings.due, node=self._node.name, excluded=excluded, limit=places)
            )
            for recording in due:
                self._start(recording)
        return min([_LOOK_AGAIN, *resting.values()])

    def _start(self, recording: KnownRecording) -> None:
        if self._stopping:
            return

        def ended(_task: asyncio.Task[None]) -> None:
            del self._under_way[recording.call_id]
            self._news.set()

        task = asyncio.create_task(self._try(recording), name=f"recording {recording.call_id}")
        self._under_way[recording.call_id] = task
        task.add_done_callback(ended)

    async def _try(self, recording: KnownRecording) -> None:
        """One attempt; a slow or broken one holds up only itself."""
        try:
            await self._bring_forward(recording)
        except Exception as error:
            attempts = self._resting.get(recording.call_id, _Rest(0, 0.0)).attempts + 1
            delay = self._retry(attempts)
            self._resting[recording.call_id] = _Rest(attempts, asyncio.get_running_loop().time() + delay)
            expected = isinstance(error, ari.AriError | RecordingError | OSError)
            log.warning(
                "A recording stays on Asterisk for now; trying again",
                exc_info=None if expected else error,
                extra={"call": recording.call_id, "error": str(error), "retry_in": round(delay, 1)},
            )
        else:
            self._resting.pop(recording.call_id, None)

    async def _bring_forward(self, recording: KnownRecording) -> None:
        """From the state it is in to the last one."""
        if recording.state is not RecordingState.FETCHED:
            await self._end_on_node(recording.call_id)
        if recording.state is RecordingState.PENDING and not await self._fetch(recording):
            return
        with contextlib.suppress(ari.NotFound):
            await self._node.ari.recordings.delete_stored(recording.call_id)
        done = (
            recordings.mark_discarded if recording.state is RecordingState.DISCARD else recordings.mark_stored
        )
        await self._database.write(lambda session: done(session, recording.call_id))

    async def _end_on_node(self, call_id: str) -> None:
        """A file that is still written to would be fetched in part. Raises RecordingUnderWay, AriError."""
        try:
            await self._node.ari.recordings.stop(call_id)
        except ari.NotFound:
            return
        raise RecordingUnderWay("Asterisk is still writing it")

    async def _fetch(self, recording: KnownRecording) -> bool:
        """Make file and row safe; returns False when there is nothing to keep. Raises AriError, OSError."""
        call_id = recording.call_id
        try:
            seconds = await self._download(recording)
        except RecordingLost as error:
            if await self._database.write(partial(recordings.mark_failed, call_id=call_id)):
                log.error(
                    "A recording is lost",
                    extra={"call": call_id, "node": self._node.name, "error": str(error)},
                )
            return False
        if seconds == 0:
            log.error("A recording has no sound", extra={"call": call_id, "node": self._node.name})
            await self._database.write(partial(recordings.mark_empty, call_id=call_id))
            return False
        purge_at = recording.started_at + self._keep
        if not await self._database.write(
            partial(recordings.mark_fetched, call_id=call_id, seconds=seconds, purge_at=purge_at)
        ):
            log.warning("A recording came after it was given up", extra={"call": call_id})
            path = recording_path(self._directory, call_id, recording.started_at)
            await asyncio.to_thread(remove_recording, path)
            return False
        return True

    async def _download(self, recording: KnownRecording) -> float:
        """Its seconds; if there are any, the file is whole and on disk.

        Raises RecordingLost, AriError, OSError.
        """
        target = recording_path(self._directory, recording.call_id, recording.started_at)
        part = self._parts.open(recording.call_id)
        try:
            # What it gives is a generator; closing it gives the HTTP connection back at once.
            stream = cast(AsyncGenerator[bytes, None], self._node.ari.recordings.fetch(recording.call_id))
            async with aclosing(stream) as pieces:
                async for piece in pieces:
                    await asyncio.to_thread(part.write, piece)
            if part.size:
                await asyncio.to_thread(part.finish, target)
        except ari.NotFound:
            raise RecordingLost("Asterisk doesn't have it") from None
        finally:
            part.discard()
        return part.seconds

    # Purging

    async def _purge_now_and_then(self) -> None:
        while True:
            try:
                await asyncio.to_thread(self._parts.remove_old)
                await self.purge()
                if self._node.available:
                    await self.clear_node()
            except Exception:
                log.exception("Recordings could not be purged; trying again later")
            await asyncio.sleep(self._purge_interval.total_seconds())

    async def purge(self) -> int:
        """Remove the files whose time is over; returns how many recordings that were."""
        now, after, purged = self._clock.now(), "", 0
        while True:
            found = await self._database.read(
                partial(recordings.due_to_purge, now=now, after=after, limit=_PURGED_AT_ONCE)
            )
            if not found:
                return purged
            gone = await asyncio.to_thread(self._remove_files, found)
            await self._database.write(partial(recordings.mark_purged, call_ids=gone))
            purged += len(gone)
            after = found[-1].call_id

    async def clear_node(self) -> None:
        """Delete on the node what was given up while it was away. Raises RecordingUnderWay, AriError."""
        while left := await self._database.read(
            partial(recordings.left_behind, node=self._node.name, limit=_PURGED_AT_ONCE)
        ):
            for recording in left:
                await self._end_on_node(recording.call_id)
                with contextlib.suppress(ari.NotFound):
                    await self._node.ari.recordings.delete_stored(recording.call_id)
                await self._database.write(partial(recordings.mark_gone, call_id=recording.call_id))

    def _remove_files(self, found: list[KnownRecording]) -> list[str]:
        """Those of which no file is left. What another node's controller keeps elsewhere is its own."""
        gone = []
        for recording in found:
            path = recording_path(self._directory, recording.call_id, recording.started_at)
            try:
                removed = remove_recording(path)
            except OSError as error:
                log.error(
                    "A recording can't be purged",
                    extra={"call": recording.call_id, "error": error.strerror},
                )
                continue
            if removed or recording.node == self._node.name:
                gone.append(recording.call_id)
        return gone
