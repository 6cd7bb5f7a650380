"""What became of every attempt at a push, kept for days; and which endpoints do nothing but fail.

Attempts gather for a moment and are written in one statement, like the journal's entries: nobody waits.
"""

import asyncio
import contextlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from types import TracebackType
from typing import Any, Self

from sqlmodel import Session

from controller.clock import Clock
from controller.pushes.due import LOOK_AGAIN
from controller.pushes.exchange import ANSWER_KEPT
from controller.pushes.push import Endpoint, Push
from controller.pushes.receiver import Delivery, Failure
from controller.store import pushes as rows
from controller.store.database import Database

log = logging.getLogger(__name__)

_GATHERING = 0.25
"""Seconds."""

_PATIENCE = 0.1
"""Seconds that attempts may wait for other writes to be committed with."""

_AFTER_TROUBLE = 1.0
_MOST_WAITING = 50_000
"""Attempts that are kept in memory while the database is away; the oldest go first."""

SEVERAL = 5
"""Failures without which no endpoint is disabled: one call in a quiet week is no judgement."""


@dataclass(frozen=True)
class Trouble:
    """An endpoint that has failed since it last worked."""

    failing_since: datetime
    failed_at: datetime
    failures: int
    error: str
    disabled_at: datetime | None = None

    def after(self, error: str, now: datetime, patience: timedelta, *, counts: bool) -> "Trouble":
        """One more failure: it may be the last that we want to see, if it `counts`."""
        failures = self.failures + 1
        hopeless = counts and failures >= SEVERAL and now - self.failing_since >= patience
        return Trouble(
            self.failing_since, now, failures, error, self.disabled_at or (now if hopeless else None)
        )


class Ledger:
    """Keeps attempts and the troubles of endpoints; `patience` is how long one may do nothing but fail."""

    def __init__(self, database: Database, clock: Clock, patience: timedelta) -> None:
        self._database = database
        self._clock = clock
        self._patience = patience
        self._troubles: dict[Endpoint, Trouble] = {}
        self._changed: set[Endpoint] = set()
        self._well: set[Endpoint] = set()
        """Those of them that took pushes meanwhile, whatever they have done since."""
        self._judged: set[Endpoint] = set()
        """Those of them that were disabled meanwhile."""
        self._in_flight: set[Endpoint] = set()
        self._writes = 0
        self._attempts: list[Mapping[str, Any]] = []
        self._waiting: list[asyncio.Future[None]] = []
        self._writing: asyncio.Task[None] | None = None
        self._closing = asyncio.Event()

    def is_disabled(self, endpoint: Endpoint) -> bool:
        trouble = self._troubles.get(endpoint)
        return trouble is not None and trouble.disabled_at is not None

    @property
    def disabled(self) -> list[Endpoint]:
        """Endpoints that are sent nothing, as they did nothing but fail."""
        return [endpoint for endpoint in self._troubles if self.is_disabled(endpoint)]

    def note(self, push: Push, delivery: Delivery, at: datetime, *, counts: bool = True) -> None:
        """Keep an attempt that began at `at`; never waits.

        One that does not count disables no endpoint, nor does it enable one; and an answer that was not the
        right one is not held against it.
        """
        endpoint = push.endpoint
        self._attempts += [
            {
                "call_id": call_id,
                "message_id": push.message_id,
                "app_key": endpoint.app_key,
                "url": endpoint.url,
                "event_type": push.event_type,
                "sequence": push.sequence,
                "attempt": push.attempt,
                "at": at,
                "latency_ms": delivery.latency_ms,
                "status": delivery.status,
                "failure": delivery.failure,
                "error": delivery.error,
                "answer": delivery.answer[:ANSWER_KEPT].decode("utf-8", "replace").replace("\0", "\ufffd"),
            }
            for call_id in push.call_ids
        ]
        if delivery.accepted:
            if endpoint in self._troubles and (counts or not self.is_disabled(endpoint)):
                self._recovered(endpoint)
        elif delivery.failure is not Failure.BUSY and (counts or delivery.failure is not Failure.HTTP):
            self._failed(endpoint, delivery, self._clock.now(), counts)
        if self._writing is None:
            self._writing = asyncio.create_task(self._write_soon(), name="push attempts")

    async def written(self) -> None:
        """Wait until what was noted so far is in the database, however long that takes."""
        if self._attempts:
            waiting = asyncio.get_running_loop().create_future()
            self._waiting.append(waiting)
            await waiting

    def _recovered(self, endpoint: Endpoint) -> None:
        trouble = self._troubles.pop(endpoint)
        self._changed.add(endpoint)
        self._well.add(endpoint)
        log.info(
            "An endpoint takes pushes again",
            extra={"app": endpoint.app_key, "url": endpoint.url, "failures": trouble.failures},
        )

    def _failed(self, endpoint: Endpoint, delivery: Delivery, now: datetime, counts: bool) -> None:
        facts = {"app": endpoint.app_key, "url": endpoint.url, "failure": delivery.failure}
        error = f"{delivery.failure}: {delivery.error}"
        before = self._troubles.get(endpoint)
        if before is None:
            # Once for each time of trouble: the attempts are kept, a line for each would bury the rest.
            log.warning("A push was not accepted", extra={**facts, "error": delivery.error})
            trouble = Trouble(now, now, 1, error)
        else:
            trouble = before.after(error, now, self._patience, counts=counts)
            if trouble.disabled_at and not before.disabled_at:
                self._judged.add(endpoint)
                log.error(
                    "An endpoint is disabled: it has done nothing but fail. Its CDRs are kept; see "
                    "`voicecall pushes list`",
                    extra={**facts, "failures": trouble.failures, "since": trouble.failing_since.isoformat()},
                )
        self._troubles[endpoint] = trouble
        self._changed.add(endpoint)

    async def run(self) -> None:
        """Notice what other processes do to endpoints, until cancelled."""
        while True:
            await asyncio.sleep(LOOK_AGAIN.total_seconds())
            try:
                await self.refresh()
            except Exception:
                log.exception("The endpoints can't be read; trying again")

    async def refresh(self) -> None:
        """Read what is known of endpoints; another process may have enabled some, or disabled them."""
        settled = set(self._troubles) - self._unsaved
        writes = self._writes
        found = await self._database.read(rows.troubled_endpoints)
        kept = {Endpoint(row.app_key, row.url): row for row in found}
        for endpoint in settled - set(kept) - self._unsaved:
            if self._troubles.pop(endpoint, None):
                _say_enabled(endpoint)
        if writes != self._writes:
            # What was read may be older than what was written meanwhile.
            return
        for endpoint, row in kept.items():
            if endpoint not in self._unsaved:
                if row.disabled_at is None and self.is_disabled(endpoint):
                    _say_enabled(endpoint)
                self._troubles[endpoint] = Trouble(
                    row.failing_since, row.failed_at, row.failures, row.error, row.disabled_at
                )

    @property
    def _unsaved(self) -> set[Endpoint]:
        return self._changed | self._in_flight

    async def _write_soon(self) -> None:
        pause = _GATHERING
        while self._attempts or self._changed:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._closing.wait()
            attempts, self._attempts = self._attempts, []
            waiting, self._waiting = self._waiting, []
            self._in_flight, self._changed = self._changed, set()
            well, self._well = self._well, set()
            judged, self._judged = self._judged, set()
            troubles = {
                endpoint: trouble for endpoint in self._in_flight if (trouble := self._troubles.get(endpoint))
            }
            try:
                await self._database.write(
                    partial(_write, attempts=attempts, well=well, troubles=troubles, judged=judged),
                    patience=0 if self._closing.is_set() else _PATIENCE,
                )
                pause = _GATHERING
                for each in waiting:
                    if not each.done():
                        each.set_result(None)
            except Exception:
                log.exception("Attempts at pushes can't be written", extra={"attempts": len(attempts)})
                if self._closing.is_set():
                    break
                self._attempts = [*attempts, *self._attempts][-_MOST_WAITING:]
                self._changed |= self._in_flight
                self._well |= well
                self._judged |= judged
                self._waiting += waiting
                pause = _AFTER_TROUBLE
            finally:
                self._in_flight = set()
                self._writes += 1
        self._writing = None

    async def __aenter__(self) -> Self:
        await self.refresh()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Write what is left, at once."""
        self._closing.set()
        if self._writing is not None:
            await self._writing


def _say_enabled(endpoint: Endpoint) -> None:
    log.info("An endpoint is enabled", extra={"app": endpoint.app_key, "url": endpoint.url})


def _write(
    session: Session,
    attempts: list[Mapping[str, Any]],
    well: set[Endpoint],
    troubles: Mapping[Endpoint, Trouble],
    judged: set[Endpoint],
) -> None:
    rows.add_attempts(session, attempts)
    rows.keep_troubles(
        session, well, {endpoint: vars(trouble) for endpoint, trouble in troubles.items()}, judged
    )
