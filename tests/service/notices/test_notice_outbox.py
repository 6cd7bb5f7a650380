"""The outbox of notices on a real database, a real SMTP server and real HTTP."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from engine import copy_database, database_at, is_made
from pydantic import ValidationError
from service.notices.support import MailServer, mail_server
from standardwebhooks import Webhook
from unit.calls.support import ACCOUNT
from unit.pushes.support import SetClock, fee, push_settings
from unit.support import soon

from controller.accounts.contact_details import MOST, ContactDetails
from controller.lifecycle import background
from controller.membership import membership as membership_module
from controller.membership.membership import Membership
from controller.notices.contacts import Contacts
from controller.notices.errors import ContactUnknown, TooManyContacts
from controller.notices.mail import Mailer
from controller.notices.outbox import CLAIMED, NoticeOutbox, opened_outbox
from controller.pushes.guard import AddressGuard
from controller.pushes.ledger import Ledger
from controller.pushes.receiver import Delivery, Failure
from controller.settings import MailSettings
from controller.store import notices as rows
from controller.store.alarms import Raised, raise_alarms
from controller.store.database import Database
from controller.store.notices import Channel
from controller.store.tables import Notice

SECRET = "whsec_" + "a" * 32
ABOUT = {"review": 7, "kind": "sound", "subject": "hello.wav", "reason": "too loud"}


@dataclass
class Desk:
    database: Database
    clock: SetClock
    contacts: Contacts
    outbox: NoticeOutbox
    mail: MailServer

    async def add_contacts(self, count: int) -> None:
        for number in range(count):
            await self.contacts.add(ACCOUNT, ContactDetails(email=f"{number}@example.com"))

    async def tell(self) -> None:
        await self.database.write(
            partial(
                rows.tell_contacts,
                account_id=ACCOUNT,
                event="review.rejected",
                data=ABOUT,
                now=self.clock.now(),
            )
        )

    async def attempt(self) -> list[Notice]:
        """Have everything that is due tried once."""
        await self.outbox._start_due(self.clock.now())
        await soon(ended())

        def read(session: Any) -> list[Notice]:
            found = list(rows.notices(session, ACCOUNT))
            session.expunge_all()
            return found

        return await self.database.read(read)


async def ended() -> None:
    """Wait for all attempts under way, and for those that begin meanwhile."""
    while under_way := [task for task in asyncio.all_tasks() if task.get_name().startswith("notice ")]:
        await asyncio.gather(*under_way)


@asynccontextmanager
async def opened(template: Path, folder: Path, **pushes: Any) -> AsyncIterator[Desk]:
    path = folder / "test.db"
    if not is_made(path):
        copy_database(template, path)
    settings = push_settings(**pushes)
    clock = SetClock()
    async with (
        Database(database_at(path), synchronous="NORMAL") as database,
        mail_server() as mail,
        opened_outbox(
            database,
            MailSettings(host="127.0.0.1", port=mail.port, security="none", sender="voice@example.com"),
            settings,
            AddressGuard(settings.allowed_networks),
            clock,
            Random(1),
        ) as outbox,
    ):
        yield Desk(database, clock, Contacts(database, clock), outbox, mail)


@pytest.fixture
async def desk(template: Path, tmp_path: Path) -> AsyncIterator[Desk]:
    async with opened(template, tmp_path) as made:
        yield made


@asynccontextmanager
async def receiver(
    *statuses: int, arrived: asyncio.Event | None = None
) -> AsyncIterator[tuple[str, list[tuple[Mapping[str, str], bytes]]]]:
    """(address, what came) of a webhook receiver that answers with these statuses, then with 204."""
    came: list[tuple[Mapping[str, str], bytes]] = []
    left = list(statuses)

    async def take(request: web.Request) -> web.Response:
        came.append((request.headers, await request.read()))
        if arrived is not None:
            arrived.set()
        return web.Response(status=left.pop(0) if left else 204)

    app = web.Application()
    app.router.add_post("/hook", take)
    async with TestServer(app) as server:
        yield str(server.make_url("/hook")), came


@pytest.mark.requirement("C7")
async def test_C7_given_a_contact_with_both_ways_when_told_then_mail_and_signed_webhook_arrive(
    desk: Desk,
) -> None:
    async with receiver() as (url, came):
        await desk.contacts.add(
            ACCOUNT,
            ContactDetails.model_validate(
                {"email": "dora@example.com", "webhook_url": url, "webhook_secret": SECRET}
            ),
        )
        await desk.tell()
        notices = await desk.attempt()

    ((_, message),) = desk.mail.messages
    assert message["To"] == "dora@example.com"
    assert message["Subject"] == "Your sound file hello.wav was rejected"
    assert "Reason: too loud" in message.get_content()
    ((headers, body),) = came
    assert json.loads(body) == {
        "type": "review.rejected",
        "timestamp": "2026-11-24T08:00:00Z",
        "data": {"account": ACCOUNT, **ABOUT},
    }
    signature = Webhook(SECRET).sign(headers["webhook-id"], desk.clock.now(), body.decode())
    assert headers["webhook-signature"] == signature
    assert all(notice.delivered_at and notice.due_at is None for notice in notices)


@pytest.mark.requirement("C7")
async def test_C7_given_receivers_that_fail_at_first_when_tried_again_then_they_get_the_same_message_once(
    desk: Desk,
) -> None:
    async with receiver(500) as (url, came):
        await desk.contacts.add(ACCOUNT, ContactDetails(email="dora@example.com", webhook_url=url))
        desk.mail.answers.append("451 4.7.1 come back later")
        await desk.tell()
        first = await desk.attempt()
        assert {notice.error for notice in first} == {
            "answered 500",
            "the mail server said 451 4.7.1 come back later",
        }
        assert not desk.mail.messages
        # Nothing is due before its pause is over.
        await desk.attempt()
        assert len(came) == 1

        desk.clock.move(seconds=10)
        second = await desk.attempt()
    assert [notice.attempts for notice in second] == [2, 2]
    assert all(notice.delivered_at for notice in second)
    assert len({headers["webhook-id"] for headers, _ in came}) == 1
    assert len(desk.mail.messages) == 1


@pytest.mark.requirement("C7")
async def test_C7_given_receivers_that_never_work_when_ten_attempts_failed_then_the_notice_is_given_up(
    desk: Desk,
) -> None:
    async with receiver(*[500] * 20) as (url, came):
        await desk.contacts.add(ACCOUNT, ContactDetails(webhook_url=url))
        await desk.tell()
        for _ in range(12):
            (notice,) = await desk.attempt()
            desk.clock.move(days=2)
    assert len(came) == notice.attempts == 10
    assert (notice.due_at, notice.error) == (None, "answered 500")
    assert notice.given_up_at is not None


@pytest.mark.requirement("C7")
@pytest.mark.parametrize(
    ("details", "answer", "words"),
    [
        ({"email": "gone@example.com"}, "550 no such user", "said 550 no such user"),
        ({"webhook_url": "http://10.0.0.1/hook"}, "", "10.0.0.1 port 80 is refused: private"),
    ],
)
async def test_C7_given_an_address_that_can_not_be_when_told_then_it_says_so(
    desk: Desk, details: dict[str, str], answer: str, words: str
) -> None:
    desk.mail.answers += [answer] if answer else []
    await desk.contacts.add(ACCOUNT, ContactDetails.model_validate(details))
    await desk.tell()
    (notice,) = await desk.attempt()
    assert notice.delivered_at is None
    assert notice.error is not None
    assert words in notice.error
    assert (notice.given_up_at is not None) == bool(answer)


@pytest.mark.requirement("C8")
async def test_C8_given_an_alarm_when_raised_twice_then_contacts_are_told_once(desk: Desk) -> None:
    await desk.contacts.add(ACCOUNT, ContactDetails(email="dora@example.com"))
    low = Raised(ACCOUNT, "low balance", "low:1", desk.clock.now(), {"balance": "4.20"})
    for _ in range(2):
        await desk.database.write(lambda session: raise_alarms(session, [low]))
    await desk.attempt()

    ((_, message),) = desk.mail.messages
    assert message["Subject"] == "Alarm: low balance"
    assert "Balance: 4.20" in message.get_content()


@pytest.mark.requirement("C7")
async def test_C7_given_a_kill_before_anything_was_sent_when_started_again_then_the_notice_goes_out(
    template: Path, tmp_path: Path
) -> None:
    async with opened(template, tmp_path) as desk:
        await desk.contacts.add(ACCOUNT, ContactDetails(email="dora@example.com"))
        await desk.tell()
    async with opened(template, tmp_path) as desk:
        running = asyncio.create_task(desk.outbox.run())
        await soon(desk.mail.news.wait())
        await desk.outbox.drain(5)
        running.cancel()
        assert len(desk.mail.messages) == 1


@pytest.mark.requirement("B2")
async def test_B2_given_an_endpoint_that_only_fails_for_days_when_disabled_then_the_contacts_are_told_once(
    desk: Desk,
) -> None:
    async with receiver() as (url, came):
        await desk.contacts.add(ACCOUNT, ContactDetails(email="dora@example.com", webhook_url=url))
        async with Ledger(desk.database, desk.clock, timedelta(days=5)) as ledger:
            push = fee("http://receiver.example/fee")
            for _ in range(8):
                ledger.note(push, Delivery(500, Failure.HTTP, "answered 500"), desk.clock.now())
                await ledger.written()
                desk.clock.move(days=1)
        await desk.attempt()

    ((_, message),) = desk.mail.messages
    assert message["Subject"].startswith("Nothing is pushed to http://receiver.example/fee any more")
    assert "Failures: 6" in message.get_content()
    ((_, body),) = came
    told = json.loads(body)
    assert told["type"] == "endpoint.disabled"
    assert told["data"]["app"] == push.app_key
    assert told["data"]["error"] == "http: answered 500"


async def test_given_a_mail_server_that_hangs_when_told_then_webhooks_arrive_all_the_same(desk: Desk) -> None:
    hung = asyncio.Event()

    async def hang(*_: object) -> str:
        await hung.wait()
        return "250 OK"

    desk.mail.handle_DATA = hang  # type: ignore[method-assign,assignment]
    arrived = asyncio.Event()
    async with receiver(arrived=arrived) as (url, _):
        await desk.add_contacts(5)
        await desk.contacts.add(ACCOUNT, ContactDetails(webhook_url=url))
        await desk.tell()
        await desk.outbox._start_due(desk.clock.now())
        await soon(arrived.wait())
        hung.set()
        await desk.outbox.drain(5)


async def test_given_a_contact_that_is_changed_or_removed_when_a_notice_waits_then_it_goes_there_or_nowhere(
    desk: Desk,
) -> None:
    changed = await desk.contacts.add(ACCOUNT, ContactDetails(email="old@example.com"))
    removed = await desk.contacts.add(ACCOUNT, ContactDetails(email="gone@example.com"))
    await desk.tell()
    await desk.contacts.replace(ACCOUNT, changed.id, ContactDetails(email="new@example.com"))
    await desk.contacts.remove(ACCOUNT, removed.id)
    notices = {notice.contact_id: notice for notice in await desk.attempt()}

    assert [message["To"] for _, message in desk.mail.messages] == ["new@example.com"]
    assert notices[removed.id].error == rows.NO_CONTACT
    with pytest.raises(ContactUnknown):
        await desk.contacts.get(ACCOUNT, removed.id)
    with pytest.raises(ContactUnknown):
        await desk.contacts.get("account-2", changed.id)


async def test_given_as_many_contacts_as_may_be_when_another_is_added_then_it_is_refused(desk: Desk) -> None:
    await desk.add_contacts(MOST)
    with pytest.raises(TooManyContacts):
        await desk.contacts.add(ACCOUNT, ContactDetails(email="one@example.com"))
    first = await desk.contacts.page(ACCOUNT, limit=15)
    rest = await desk.contacts.page(ACCOUNT, after=first[-1].id, limit=15)
    assert len({contact.id for contact in (*first, *rest)}) == MOST


@pytest.mark.requirement("C7")
@pytest.mark.parametrize(
    "details",
    [
        {},
        {"name": "nobody"},
        {"email": "dora"},
        {"email": "dora@example.com\nBcc: all@example.com"},
        {"email": "dora@example.com, all@example.com"},
        {"email": '"a b"@example.com'},
        {"webhook_url": "ftp://example.com"},
        {"webhook_url": "https://"},
        {"webhook_url": "https://example.com:99999/"},
        {"webhook_url": "https://example.com/", "webhook_secret": "short"},
        {"email": "dora@example.com", "webhook_secret": SECRET},
        {"email": "dora@example.com", "phone": "1"},
    ],
)
def test_C7_given_details_that_reach_nobody_when_checked_then_they_are_refused(
    details: dict[str, str],
) -> None:
    with pytest.raises(ValidationError):
        ContactDetails.model_validate(details)


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


async def test_given_more_mail_than_goes_out_at_once_when_an_outbox_runs_then_one_follows_the_other(
    desk: Desk,
) -> None:
    await desk.add_contacts(7)
    await desk.tell()
    running = asyncio.create_task(desk.outbox.run())

    async def all_came() -> None:
        while len(desk.mail.messages) < 7:
            desk.mail.news.clear()
            await desk.mail.news.wait()

    # Sooner than it looks again by itself.
    await soon(all_came(), 4)
    await desk.outbox.drain(5)
    running.cancel()


async def test_given_what_became_of_mail_cant_be_written_when_sent_then_it_is_not_sent_again_at_once(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    await desk.contacts.add(ACCOUNT, ContactDetails(email="dora@example.com"))
    await desk.tell()
    woken: list[datetime] = []
    monkeypatch.setattr(desk.outbox._loop, "wake", woken.append)

    def full(*_: object, **__: object) -> None:
        raise OSError("the disk is full")

    with monkeypatch.context() as patched:
        patched.setattr(rows, "mark_delivered", full)
        await desk.attempt()
    assert (len(desk.mail.messages), woken) == (1, [])
    # Where there are several controllers it is this one's for some minutes.
    desk.clock.move(minutes=5)
    await desk.attempt()
    assert (len(desk.mail.messages), woken) == (2, [desk.clock.now()])


async def test_given_an_outbox_that_drains_when_more_is_due_than_it_sends_at_once_then_it_begins_no_more(
    desk: Desk,
) -> None:
    await desk.add_contacts(5)
    await desk.tell()
    await desk.outbox._start_due(desk.clock.now())
    await desk.outbox.drain(5)
    await desk.attempt()

    assert len(desk.mail.messages) == 2
