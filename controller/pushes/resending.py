"""Push once more what a receiver was told, by hand: made again from the call, as it was said then."""

import asyncio
import contextlib
from dataclasses import dataclass
from functools import partial

from sqlmodel import Session

from controller.calls.cdr import CallDetailRecord
from controller.calls.recovery import NotRestored, restored
from controller.clock import Clock
from controller.pushes.courier import Courier
from controller.pushes.ledger import Ledger
from controller.pushes.push import Push
from controller.pushes.receiver import Delivery
from controller.pushes.wire import fee_push, is_told, status_push
from controller.store.call_detail import StoredCall, stored_call
from controller.store.database import Database
from controller.store.tables import PushAttempt

_SHOWN_WITHIN = 2.0
"""Seconds for which the answer waits so that whoever looks next sees the attempt."""


class NotToldAgain(Exception):
    """What was told can't be made again; the text says why."""


@dataclass(frozen=True)
class Resent:
    """The attempt that was made by hand."""

    push: Push
    delivery: Delivery


@dataclass
class Resender:
    """Repeats pushes. Nothing of their schedules changes: a CDR in the outbox stays due when it is."""

    database: Database
    courier: Courier
    ledger: Ledger
    clock: Clock

    async def resend(self, attempt_id: int) -> Resent | None:
        """Push what this attempt told, at once and to the same receiver; None: there is no such attempt.

        A CDR travels alone, whatever it travelled with. Raises NotToldAgain.
        """
        found = await self.database.read(partial(_stored, attempt_id=attempt_id))
        if found is None:
            return None
        told, stored = found
        attempts = [it.attempt for it in stored.attempts if it.message_id == told.message_id]
        push = self._push(told, stored, max(attempts) + 1)
        delivery = await self.courier.deliver(push)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_SHOWN_WITHIN):
                await self.ledger.written()
        return Resent(push, delivery)

    def _push(self, told: PushAttempt, stored: StoredCall, attempt: int) -> Push:
        if told.sequence is None:
            return _cdr(stored, attempt)
        try:
            call = restored(stored.call, stored.entries, self.clock)
        except NotRestored:
            raise NotToldAgain("The call was written by a newer version") from None
        for entry in call.timeline.entries:
            if is_told(call, entry):
                push = status_push(call, entry, attempt)
                if push.sequence == told.sequence:
                    return push
        raise NotToldAgain("What it told is no longer kept")


def _cdr(stored: StoredCall, attempt: int) -> Push:
    url = stored.call.fee_url
    if stored.record is None or url is None:
        raise NotToldAgain("The CDR is no longer kept")
    call = stored.call
    try:
        records = {call.id: CallDetailRecord.from_json(stored.record)}
        return fee_push(call.app_key, url, records, attempt)
    except (KeyError, TypeError, ValueError):
        raise NotToldAgain("The CDR was written by an older version, which kept less") from None


def _stored(session: Session, attempt_id: int) -> tuple[PushAttempt, StoredCall] | None:
    told = session.get(PushAttempt, attempt_id)
    if told is None:
        return None
    session.expunge(told)
    stored = stored_call(session, told.call_id, None)
    return None if stored is None else (told, stored)
