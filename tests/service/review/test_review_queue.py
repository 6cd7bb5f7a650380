"""The review queue: decisions on what was submitted, once, and told to the account's contacts."""

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest
from service.sounds.support import OTHER, Studio, pieces, studio
from sqlmodel import Session
from unit.calls.support import ACCOUNT

from controller.accounts.contact_details import ContactDetails
from controller.notices.contacts import Contacts
from controller.review.errors import ReviewDecided, ReviewOutdated, ReviewUnknown
from controller.review.queue import ReviewQueue, Verdict
from controller.store import notices, reviews
from controller.store.directory import revision
from controller.store.reviews import QueueState, ReviewKind
from controller.store.tables import ReviewState, SoundFile
from testbed.sounds import distinct_prompt


@pytest.fixture
async def room(template: Path, tmp_path: Path) -> AsyncIterator[Studio]:
    async with studio(template, tmp_path) as made:
        yield made


async def submitted(room: Studio, name: str = "hello.wav", account: str = ACCOUNT) -> int:
    await room.files.upload(account, name, pieces(distinct_prompt(len(name))))
    await room.files.submit(account, name, by="dora")
    return (await room.queue.page(account_id=account))[-1].id


@pytest.mark.requirement("C5", "C7")
async def test_C7_given_a_submitted_file_when_rejected_then_its_account_sees_why_and_can_submit_again(
    room: Studio,
) -> None:
    review = await submitted(room)
    decided = await room.queue.reject(review, by="oscar", reason="  too much noise ")

    assert (decided.state, decided.decided_by, decided.reason) == (
        QueueState.REJECTED,
        "oscar",
        "too much noise",
    )
    sound = await room.files.get(ACCOUNT, "hello.wav")
    assert (sound.state, sound.reason, sound.usable) == (ReviewState.REJECTED, "too much noise", False)
    again = await room.files.submit(ACCOUNT, "hello.wav", by="dora")
    assert (again.state, again.reason) == (ReviewState.SUBMITTED, None)


@pytest.mark.requirement("C7")
@pytest.mark.parametrize("reason", ["", "   ", "x" * 501])
async def test_C7_given_no_sensible_reason_when_rejecting_then_nothing_is_decided(
    room: Studio, reason: str
) -> None:
    review = await submitted(room)
    with pytest.raises(ValueError, match="needs a reason of 1 to 500 characters"):
        await room.queue.reject(review, by="oscar", reason=reason)
    assert (await room.queue.get(review)).state is QueueState.PENDING


@pytest.mark.requirement("C7")
async def test_C7_given_two_who_decide_at_once_when_both_press_then_one_decision_counts(
    room: Studio,
) -> None:
    review = await submitted(room)
    results = await asyncio.gather(
        room.queue.approve(review, by="oscar"),
        room.queue.reject(review, by="olga", reason="no"),
        return_exceptions=True,
    )
    assert [isinstance(result, ReviewDecided) for result in results] == [False, True]
    assert (await room.files.get(ACCOUNT, "hello.wav")).state is ReviewState.APPROVED


async def test_given_a_thing_that_changed_behind_the_queue_when_decided_then_nothing_is(room: Studio) -> None:
    review = await submitted(room)

    def change(session: Session) -> None:
        row = session.get(SoundFile, (ACCOUNT, "hello.wav"))
        assert row is not None
        row.digest = "another"

    await room.database.write(change)
    with pytest.raises(ReviewOutdated):
        await room.queue.approve(review, by="oscar")
    assert (await room.queue.get(review)).state is QueueState.PENDING


async def test_given_the_queue_when_looked_at_then_pages_are_oldest_first_and_filtered(room: Studio) -> None:
    ids = [await submitted(room, name) for name in ("a.wav", "bb.wav", "ccc.wav")]
    other = await submitted(room, "a.wav", OTHER)
    await room.templates.create(ACCOUNT, "您好。", template_id="t")
    await room.templates.submit(ACCOUNT, "t", by="dora")

    first = await room.queue.page(kind=ReviewKind.SOUND, limit=2)
    rest = await room.queue.page(kind=ReviewKind.SOUND, after=first[-1].id)
    assert [item.id for item in (*first, *rest)] == [*ids, other]
    assert [item.subject for item in await room.queue.page(kind=ReviewKind.TEMPLATE)] == ["t"]
    assert [item.id for item in await room.queue.page(account_id=OTHER)] == [other]
    with pytest.raises(ReviewUnknown):
        await room.queue.get(other, ACCOUNT)
    with pytest.raises(ReviewUnknown):
        await room.queue.approve(999, by="oscar")


@pytest.mark.requirement("C7")
async def test_C7_given_contacts_when_something_is_decided_then_each_of_their_ways_has_one_notice(
    room: Studio,
) -> None:
    contacts = Contacts(room.database, room.clock)
    await contacts.add(ACCOUNT, ContactDetails(email="a@example.com"))
    await contacts.add(ACCOUNT, ContactDetails(email="b@example.com", webhook_url="https://b.example/hook"))
    await contacts.add(OTHER, ContactDetails(email="other@example.com"))
    before = await room.database.read(revision)
    review = await submitted(room)
    await room.queue.reject(review, by="oscar", reason="too loud")

    due = [
        notice
        for channel in notices.Channel
        for notice in await room.database.read(
            partial(notices.due_notices, now=room.clock.now(), channel=channel, limit=20)
        )
    ]
    assert sorted(notice.address for notice in due) == [
        "a@example.com",
        "b@example.com",
        "https://b.example/hook",
    ]
    assert {notice.event for notice in due} == {"review.rejected"}
    assert due[0].data == {
        "review": review,
        "kind": "sound",
        "subject": "hello.wav",
        "reason": "too loud",
    }
    assert await room.database.read(revision) > before


@pytest.mark.requirement("C7")
async def test_C7_given_another_kind_of_thing_when_it_joins_the_queue_then_it_is_decided_like_the_others(
    room: Studio,
) -> None:
    verdicts: list[tuple[str, str, Verdict]] = []

    def decide(session: Session, account_id: str, subject: str, verdict: Verdict) -> None:
        del session
        verdicts.append((account_id, subject, verdict))

    queue = ReviewQueue(room.database, room.clock, {"enterprise": decide})
    row = await room.database.write(
        lambda session: (
            reviews.submit(
                session, ACCOUNT, "enterprise", "ent-1", version="v1", by="dora", now=room.clock.now()
            ).id
        )
    )
    assert row is not None
    await queue.approve(row, by="oscar")
    assert verdicts == [(ACCOUNT, "ent-1", Verdict(True, "v1", room.clock.now()))]
