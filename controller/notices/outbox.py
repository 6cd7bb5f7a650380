"""The outbox of notices: each is tried until it was delivered or ten attempts in three days have failed.

Of several controllers each takes what it can attempt now, and no more: what waited for its turn here could be
another one's again before that came.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from functools import partial
from random import Random

from controller.accounts.webhook_secret import webhook_key
from controller.clock import Clock
from controller.notices import message
from controller.notices.mail import Mailer, MailError
from controller.pushes.certain import Certainty
from controller.pushes.due import DueLoop
from controller.pushes.guard import AddressGuard
from controller.pushes.http_sender import HttpSender
from controller.pushes.receiver import Delivery, Failure, Sender
from controller.pushes.retry import Again, Decision, GiveUp, durable
from controller.pushes.signing import webhook_headers
from controller.settings import MailSettings, PushSettings
from controller.store import notices as rows
from controller.store.database import Database
from controller.store.notices import Channel, DueNotice

log = logging.getLogger(__name__)

_AT_ONCE = {Channel.EMAIL: 2, Channel.WEBHOOK: 20}
"""Attempts under way; a mail server likes few connections."""

CLAIMED = timedelta(minutes=2)
"""For how long, beside the time of an attempt, a notice is one controller's; if that one ends meanwhile it is
any other's again."""


class NoticeOutbox:
    """Delivers what is due."""

    def __init__(
        self,
        database: Database,
        sender: Sender,
        mailer: Mailer,
        clock: Clock,
        random: Random,
        longest: timedelta = timedelta(),
        certainty: Certainty | None = None,
    ) -> None:
        """`longest`: the time that an attempt takes at most. `certainty`: None if there are no others."""
        self._database = database
        self._sender = sender
        self._mailer = mailer
        self._clock = clock
        self._random = random
        self._loop = DueLoop(clock, self._start_due)
        self._claimed = CLAIMED + longest
        self._certainty = certainty
        self._under_way: dict[Channel, dict[int, asyncio.Task[bool]]] = {channel: {} for channel in _AT_ONCE}
        self._draining = False

    def wake(self, due_at: datetime) -> None:
        """Something in the outbox is due then."""
        self._loop.wake(due_at)

    async def run(self) -> None:
        """Deliver until cancelled."""
        await self._loop.run()

    async def drain(self, timeout: float) -> None:
        """Wait for what is under way; what is not delivered stays in the outbox."""
        self._draining = True
        tasks = [task for under_way in self._under_way.values() for task in under_way.values()]
        if tasks:
            await asyncio.wait(tasks, timeout=timeout)
        for task in tasks:
            task.cancel()

    async def _start_due(self, now: datetime) -> datetime | None:
        if self._draining:
            return None
        for channel, under_way in self._under_way.items():
            for notice in await self._take_due(channel, now):
                task = asyncio.create_task(self._deliver(notice), name=f"notice {notice.id}")
                under_way[notice.id] = task
                task.add_done_callback(partial(self._done, channel, notice.id))
        return await self._database.read(lambda session: rows.next_due(session, after=now))

    async def _take_due(self, channel: Channel, now: datetime) -> list[DueNotice]:
        """What is due and can be attempted now; no other controller takes it for due meanwhile."""
        here = list(self._under_way[channel])
        free = _AT_ONCE[channel] - len(here)
        if not free:
            return []
        due = await self._database.read(lambda session: rows.due_notices(session, now, channel, free, here))
        if due and self._database.shared:
            # Counted from when it is written, for which others may have been waited.
            due = await self._database.write(
                lambda session: rows.claim_due(
                    session, now, self._clock.now() + self._claimed, channel, free, here
                )
            )
        return due

    def _done(self, channel: Channel, notice_id: int, task: "asyncio.Task[bool]") -> None:
        del self._under_way[channel][notice_id]
        # There is a place, for which more may be due. What can't be noted is due still, and must not be sent
        # again and again.
        if not task.cancelled() and task.result():
            self._loop.wake(self._clock.now())

    async def _deliver(self, notice: DueNotice) -> bool:
        """Attempt it once, and note what became of that; False if that can't be."""
        if self._certainty is not None and not self._certainty.certain:
            # Paused since it was claimed: it may be another's by now. If not, it is due again in its time.
            log.warning("A notice is left for later", extra={"notice": notice.id})
            return False
        try:
            delivery, final = await self._attempt(notice)
            now = self._clock.now()
            if delivery.accepted:
                await self._database.write(partial(rows.mark_delivered, notice_id=notice.id, now=now))
                return True
            error = delivery.error or "not accepted"
            decision: Decision = (
                GiveUp(final) if final else durable(notice.attempts + 1, delivery, now, self._random)
            )
            await self._after_failure(notice, decision, error, now)
        except Exception:
            log.exception("A notice came to nothing; it is tried again")
            return False
        return True

    async def _after_failure(self, notice: DueNotice, decision: Decision, error: str, now: datetime) -> None:
        if isinstance(decision, Again):
            due_at = decision.at
            await self._database.write(
                partial(rows.mark_failed, notice_id=notice.id, due_at=due_at, error=error)
            )
            self.wake(due_at)
            return
        # The address is personal data, and in `error`, where the server quotes it; the outbox has both.
        log.warning(
            "A notice is given up",
            extra={"account": notice.account_id, "channel": notice.channel, "why": decision.why},
        )
        await self._database.write(partial(rows.mark_given_up, notice_id=notice.id, now=now, error=error))

    async def _attempt(self, notice: DueNotice) -> tuple[Delivery, str]:
        """What became of one attempt, and why another would be hopeless, for the log; "" if it would not."""
        if not notice.address:
            nowhere = "the contact has no such address any more"
            return Delivery(None, Failure.ADDRESS, nowhere), nowhere
        if notice.channel is Channel.EMAIL:
            return await self._mail(notice)
        content = message.body(notice.event, notice.data, notice.account_id, notice.created_at)
        keys = [webhook_key(notice.secret)] if notice.secret else []
        headers = {
            "Content-Type": "application/json",
            **webhook_headers(keys, notice.message_id, self._clock.now(), content),
        }
        if not keys:
            del headers["webhook-signature"]
        delivery = await self._sender.send(notice.address, content, headers)
        if delivery.accepted and delivery.status not in range(200, 300):
            return (
                Delivery(
                    delivery.status,
                    Failure.HTTP,
                    f"answered {delivery.status}",
                    retry_after=delivery.retry_after,
                ),
                "",
            )
        return delivery, ""

    async def _mail(self, notice: DueNotice) -> tuple[Delivery, str]:
        subject = message.subject(notice.event, notice.data)
        text = message.text(notice.event, notice.data, notice.account_id)
        try:
            await self._mailer.send(notice.address, subject, text, notice.message_id, notice.created_at)
        except MailError as error:
            return Delivery(None, Failure.CLOSED, str(error)), error.final
        return Delivery(None), ""


@asynccontextmanager
async def opened_outbox(
    database: Database,
    mail: MailSettings,
    pushes: PushSettings,
    guard: AddressGuard,
    clock: Clock,
    random: Random,
    sender: Sender | None = None,
    certainty: Certainty | None = None,
) -> AsyncIterator[NoticeOutbox]:
    """The outbox, able to send until the end of the block; webhooks go where pushes may go."""
    longest = timedelta(seconds=max(mail.timeout, pushes.timeout))
    if sender is not None:
        yield NoticeOutbox(database, sender, Mailer(mail), clock, random, longest, certainty)
        return
    async with HttpSender(pushes, guard) as own:
        yield NoticeOutbox(database, own, Mailer(mail), clock, random, longest, certainty)
