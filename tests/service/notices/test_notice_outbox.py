"""The outbox of notices on a real database, a real SMTP server and real HTTP."""

import asyncio
import json
import logging
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from pydantic import ValidationError
from service.notices.desk import ABOUT, SECRET, Desk, opened, receiver
from standardwebhooks import Webhook
from unit.calls.support import ACCOUNT
from unit.pushes.support import fee
from unit.support import soon

from controller.accounts.contact_details import MOST, ContactDetails
from controller.notices.errors import ContactUnknown, TooManyContacts
from controller.pushes.ledger import Ledger
from controller.pushes.receiver import Delivery, Failure
from controller.store import notices as rows
from controller.store.alarms import Raised, raise_alarms


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


@pytest.mark.requirement("C7")
@pytest.mark.parametrize(
    ("answers", "why"),
    [
        (["550 5.1.1 <gone@example.com>: Recipient address rejected"], "the mail server said 550 5.1.1"),
        (["450 4.2.1 <gone@example.com>: mailbox is busy"] * 10, "the last attempt failed"),
    ],
)
async def test_C7_given_a_server_that_quotes_the_address_when_given_up_then_the_outbox_has_it_and_no_log(
    desk: Desk, caplog: pytest.LogCaptureFixture, answers: list[str], why: str
) -> None:
    caplog.set_level(logging.DEBUG, "controller")
    desk.mail.answers += answers
    await desk.contacts.add(ACCOUNT, ContactDetails(email="gone@example.com"))
    await desk.tell()
    for _ in answers:
        (notice,) = await desk.attempt()
        desk.clock.move(days=2)

    assert notice.error == f"the mail server said {answers[0]}"
    told = [vars(record) for record in caplog.records]
    assert [record["why"] for record in told if record["msg"] == "A notice is given up"] == [why]
    assert "gone@example.com" not in str(told)


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
