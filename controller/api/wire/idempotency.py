"""Idempotency-Key on requests that start a call: asked again, they get the same answer and no second call.

Which call a key has started is written in the transaction that accepts the call, so that neither a crash nor
a second controller forgets it. What was refused may be asked for again.
"""

import hashlib
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from http import HTTPStatus
from typing import Final

from controller.api.wire.results import WireError, invalid_request
from controller.calls.service import Accepted
from controller.clock import Clock
from controller.store.calls import forget_nonces, started_once
from controller.store.database import Database
from controller.store.limits import KeyUse

HEADER: Final = "Idempotency-Key"
REPLAYED: Final = {"Idempotent-Replayed": "true"}
PATTERN: Final = r"^[A-Za-z0-9_.:-]{1,255}$"
_KEPT = timedelta(hours=24)
_FORM = re.compile(PATTERN, re.ASCII)


class StartedCalls:
    """The calls that keys have started, and those that they are starting."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._under_way: set[str] = set()

    def key(self, text: str, app_key: str, path: str, raw: bytes) -> KeyUse:
        """The key of a request with the body `raw`. Raises WireError 1010002 when it has a wrong form."""
        if not _FORM.fullmatch(text):
            raise invalid_request(f"{HEADER} must be 1 to 255 letters, digits and _ . : -")
        # Aliases of a path ask for the same call.
        name = f"{app_key}\n{path.removeprefix('/sandbox')}\n{text}"
        return KeyUse(_digest(name.encode()), _digest(raw), self._clock.now() + _KEPT)

    @asynccontextmanager
    async def alone(self, key: KeyUse) -> AsyncIterator[None]:
        """A block that no other request with the same key enters meanwhile. Raises WireError (409)."""
        if key.id in self._under_way:
            raise WireError(
                "1010002",
                f"A request with this {HEADER} is under way.",
                status=HTTPStatus.CONFLICT,
                passes_in=timedelta(seconds=1),
            )
        self._under_way.add(key.id)
        try:
            yield
        finally:
            self._under_way.discard(key.id)

    async def find(self, key: KeyUse) -> Accepted | None:
        """What a request with this key was answered. Raises WireError (422) if it had another body."""
        found = await self._database.read(lambda session: started_once(session, key.id))
        if found is None:
            return None
        now = self._clock.now()
        if found.expires_at <= now:
            # It is good again, also if nobody has tidied up yet.
            await self._database.write(lambda session: forget_nonces(session, now))
            return None
        if found.body_digest != key.body_digest:
            text = f"This {HEADER} was used with another body."
            raise WireError("1010002", text, status=HTTPStatus.UNPROCESSABLE_ENTITY)
        return Accepted(found.session_id, found.idle)


def _digest(text: bytes) -> str:
    return hashlib.sha256(text).hexdigest()
