"""Notices where several controllers send them: each goes out once, whoever is slow or paused."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import pytest
from engine import database_at
from service.notices.desk import Desk, ended, receiver
from unit.calls.support import ACCOUNT
from unit.pushes.support import SetClock
from unit.support import soon

from controller.accounts.contact_details import ContactDetails
from controller.lifecycle import background
from controller.membership import membership as membership_module
from controller.membership.membership import Membership
from controller.notices.mail import Mailer
from controller.notices.outbox import CLAIMED, NoticeOutbox
from controller.settings import MailSettings
from controller.store import notices as rows
from controller.store.database import Database
from controller.store.notices import Channel


class SlowMailer(Mailer):
    """Takes 10 s for each message, in which others do what `meanwhile` says."""

    def __init__(self, clock: SetClock, meanwhile: Callable[[], Awaitable[None]]) -> None:
        super().__init__(MailSettings())
        self.sent: list[str] = []
        self._clock = clock
        self._meanwhile = meanwhile

    async def send(self, to: str, subject: str, text: str, message_id: str, at: datetime) -> None:
        del to, subject, text, at
        self.sent.append(message_id)
        self._clock.move(seconds=10)
        await self._meanwhile()


@pytest.mark.requirement("C7", "E2")
@pytest.mark.engine("postgresql")
async def test_C7_given_two_controllers_and_more_mail_than_they_soon_send_when_sent_then_each_goes_out_once(
    desk: Desk, tmp_path: Path
) -> None:
    await desk.add_contacts(20)
    for _ in range(2):
        await desk.tell()
    one_looks = asyncio.Lock()

    async def both_look() -> None:
        async with one_looks:
            for outbox in outboxes:
                await outbox._start_due(desk.clock.now())

    mailer = SlowMailer(desk.clock, both_look)
    async with Database(database_at(tmp_path / "test.db"), synchronous="NORMAL") as second:
        outboxes = [
            NoticeOutbox(database, desk.outbox._sender, mailer, desk.clock, Random(1))
            for database in (desk.database, second)
        ]
        # Each of its mails lets both look for more.
        async with asyncio.timeout(20):
            while len(set(mailer.sent)) < 40:
                await both_look()
                await ended()

    assert Counter(mailer.sent).most_common(1)[0][1] == 1
    assert not await desk.database.read(
        partial(rows.due_notices, now=desk.clock.now() + timedelta(days=1), channel=Channel.EMAIL, limit=1)
    )


@pytest.mark.requirement("C7", "E2")
@pytest.mark.engine("postgresql")
@pytest.mark.parametrize("way", ["email", "webhook_url"])
async def test_C7_given_a_controller_that_is_paused_with_a_notice_in_hand_when_another_sends_it_then_not_both(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    async with (
        receiver() as (url, came),
        Database(database_at(tmp_path / "test.db"), synchronous="NORMAL") as second,
    ):
        await desk.contacts.add(
            ACCOUNT, ContactDetails.model_validate({way: url if way == "webhook_url" else "dora@example.com"})
        )
        await desk.tell()
        place = await _place(desk, monkeypatch)
        mailer = desk.outbox._mailer
        heir = NoticeOutbox(second, desk.outbox._sender, mailer, desk.clock, Random(1))
        own = NoticeOutbox(
            desk.database, desk.outbox._sender, mailer, desk.clock, Random(1), certainty=place.membership
        )
        write = desk.database.write

        async def and_then_stand_still(work: Any, **more: Any) -> Any:
            claimed = await write(work, **more)
            if claimed:
                monkeypatch.setattr(desk.database, "write", write)
                place.stand_still(180)
                await heir._start_due(desk.clock.now())
                await ended()
            return claimed

        monkeypatch.setattr(desk.database, "write", and_then_stand_still)
        await own._start_due(desk.clock.now())
        await ended()
        assert len(came) + len(desk.mail.messages) == 1

        # It is still there: what is told from here on it sends.
        await desk.tell()
        async with background(place.membership.live()):
            await soon(place.membership.wait_certain())
            await own._start_due(desk.clock.now())
            await ended()
        assert len(came) + len(desk.mail.messages) == 2


@pytest.mark.requirement("C7", "E2")
@pytest.mark.engine("postgresql")
async def test_C7_given_a_notice_that_is_left_for_later_when_nobody_else_sends_it_then_it_goes_in_its_time(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    await desk.add_contacts(1)
    await desk.tell()
    place = await _place(desk, monkeypatch)
    place.stand_still(5)
    outbox = NoticeOutbox(
        desk.database,
        desk.outbox._sender,
        desk.outbox._mailer,
        desk.clock,
        Random(1),
        certainty=place.membership,
    )
    await outbox._start_due(desk.clock.now())
    await ended()
    assert desk.mail.messages == []

    async with background(place.membership.live()):
        await soon(place.membership.wait_certain())
        desk.clock.move(seconds=CLAIMED.total_seconds())
        await outbox._start_due(desk.clock.now())
        await ended()
    assert len(desk.mail.messages) == 1


@dataclass
class Place:
    """A controller's among others, and by how much its machine's clock has gone on while it stood still."""

    membership: Membership
    clock: SetClock
    stood_still: float = 0.0

    def stand_still(self, seconds: float) -> None:
        self.stood_still += seconds
        self.clock.move(seconds=seconds)


async def _place(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Place:
    membership = Membership(
        desk.database, "a", "voicecall-a", ["node1"], desk.clock, lambda reason: pytest.fail(reason)
    )
    place, now = Place(membership, desk.clock), membership_module._now
    monkeypatch.setattr(membership_module, "_now", lambda: now() + place.stood_still)
    await membership.join()
    return place
