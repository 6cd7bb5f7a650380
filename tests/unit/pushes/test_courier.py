"""What every push carries, whose turn it is, and what is kept of it; real sockets where it matters."""

import asyncio
import base64
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import SecretBytes, SecretStr
from standardwebhooks import Webhook
from unit.pushes.support import (
    APP,
    FAILS,
    Scripted,
    SetClock,
    application,
    attempts,
    fee,
    http_sender,
    keep_saying_ok,
    push,
    raw_server,
    room,
    until_written,
)
from unit.support import soon

from controller.accounts.directory import PreviousSecret
from controller.pushes.receiver import Delivery, Failure
from controller.pushes.signing import Signing, push_digest
from controller.store import pushes as rows
from controller.store.database import Database
from controller.store.tables import PushProfile
from testbed.push_receiver import Hang, PushReceiver, Reply

KEYS = (SecretBytes(b"1" * 32), SecretBytes(b"2" * 32))


@pytest.mark.requirement("B3")
@pytest.mark.parametrize("signing", ["newline", "concatenated"])
async def test_B3_given_signing_when_pushed_then_a_receiver_can_check_the_signature(
    database: Database, signing: str
) -> None:
    async with (
        PushReceiver.start() as receiver,
        http_sender() as sender,
        room(database, sender, signing=signing) as place,
    ):
        await place.courier.deliver(push(receiver.url("/s?x=1"), 3))

    came = receiver.pushes[0]
    token = (came.header("X-AKSK") or "").removeprefix("UsernameToken ")
    fields = dict(part.split("=", 1) for part in token.split(", "))
    plain = {name: value.strip('"') for name, value in fields.items()}
    digest = push_digest(
        Signing(signing), "s3cret-APP-0001", receiver.url("/s?x=1"), plain["Nonce"], plain["Created"]
    )
    assert plain["PasswordDigest"] == digest
    assert plain["Username"] == APP
    assert came.header("Content-Type") == "application/json;charset=UTF-8"
    assert came.header("Authorization") == 'AKSK realm="SDP",profile="UsernameToken",type="Appkey"'
    assert came.header("X-Call-Sequence") == "3"
    assert came.header("webhook-id") is None


@pytest.mark.requirement("B3")
async def test_B3_given_a_secret_that_was_renewed_when_pushed_then_the_newest_signs(
    database: Database,
) -> None:
    clock = SetClock()
    old = PreviousSecret(SecretStr("the old secret"), clock.now() + timedelta(hours=1))
    async with room(database, clock=clock, app=application(previous_secret=old)) as place:
        await place.courier.deliver(push("http://x.test/"))

    fields = dict(part.split("=", 1) for part in place.sender.sent[0][2]["X-AKSK"].split()[1:])
    nonce, created, digest = (fields[name].strip('",') for name in ("Nonce", "Created", "PasswordDigest"))
    newest = push_digest(Signing.NEWLINE, "s3cret-APP-0001", "http://x.test/", nonce, created)
    assert digest == newest


async def test_given_signing_is_off_when_pushed_then_no_signature(database: Database) -> None:
    async with room(database, signing="off") as place:
        await place.courier.deliver(push("http://x.test/"))

    assert place.sender.sent[0][2] == {
        "Content-Type": "application/json;charset=UTF-8",
        "X-Call-Sequence": "0",
    }


async def test_given_two_webhook_secrets_when_pushed_twice_then_both_verify_and_the_id_stays(
    database: Database,
) -> None:
    app = application(webhook_keys=KEYS)
    async with (
        PushReceiver.start(Reply(500), Reply(200)) as receiver,
        http_sender() as sender,
        room(database, sender, SetClock(datetime.now(UTC)), app) as place,
    ):
        await place.courier.deliver(push(receiver.url("/s"), body='{"ü":1}'.encode()))
        place.clock.move(seconds=5)
        await place.courier.deliver(push(receiver.url("/s"), body='{"ü":1}'.encode(), attempt=2))

    first, second = receiver.pushes
    for came in (first, second):
        for key in KEYS:
            secret = "whsec_" + base64.b64encode(key.get_secret_value()).decode()
            assert Webhook(secret).verify(came.body, dict(came.headers)) == {"ü": 1}
    assert first.header("webhook-id") == second.header("webhook-id") == "msg_0"
    stamps = [int(came.header("webhook-timestamp") or 0) for came in (first, second)]
    assert stamps[1] - stamps[0] == 5


async def test_given_credentials_in_the_address_when_pushed_then_they_are_the_authorization(
    database: Database,
) -> None:
    async with (
        PushReceiver.start() as receiver,
        http_sender() as sender,
        room(database, sender) as place,
    ):
        url = receiver.url("/s?token=t").replace("http://", "http://user:word@")
        delivery = await place.courier.deliver(push(url))

    assert delivery.accepted
    basic = base64.b64encode(b"user:word").decode()
    assert receiver.pushes[0].header("Authorization") == f"Basic {basic}"
    assert receiver.pushes[0].header("X-AKSK") is not None
    kept = (await attempts(database))[0]
    assert kept.url == receiver.url("/s")


@pytest.mark.requirement("B2")
@pytest.mark.parametrize(
    ("profile", "status", "accepted"),
    [
        (PushProfile.COMPAT, 200, True),
        (PushProfile.COMPAT, 201, False),
        (PushProfile.COMPAT, 302, False),
        (PushProfile.COMPAT, 500, False),
        (PushProfile.DURABLE, 200, True),
        (PushProfile.DURABLE, 204, True),
        (PushProfile.DURABLE, 302, False),
        (PushProfile.DURABLE, 410, False),
    ],
)
async def test_B2_given_a_profile_when_answered_then_just_its_statuses_count(
    database: Database, profile: PushProfile, status: int, accepted: bool
) -> None:
    app = application(push_profile=profile)
    async with room(database, Scripted(Delivery(status)), app=app) as place:
        delivery = await place.courier.deliver(push("http://x.test/"))

    assert delivery.accepted is accepted
    assert delivery.failure is (None if accepted else Failure.HTTP)


@pytest.mark.requirement("B4")
async def test_B4_given_attempts_when_over_then_each_is_kept_with_what_became_of_it(
    database: Database,
) -> None:
    answers = (
        Delivery(500, None, None, 12, b"no \x00\xff" + b"x" * 3000),
        FAILS,
        Delivery(200, latency_ms=3, answer=b"ok"),
    )
    async with room(database, Scripted(*answers)) as place:
        began = place.clock.now()
        for attempt in (1, 2):
            await place.courier.deliver(push("http://x.test/s", attempt=attempt))
        await place.courier.deliver(fee("http://x.test/f", call_ids=("c1", "c2"), message_id="m"))

    kept = await attempts(database)
    first, second, *batch = kept
    assert (first.call_id, first.message_id, first.attempt, first.sequence) == ("call", "msg_0", 1, 0)
    assert (first.status, first.failure, first.error) == (500, "http", "answered 500")
    assert (first.at, first.latency_ms) == (began, 12)
    assert first.answer.startswith("no \ufffd\ufffdx")
    assert len(first.answer) == 2048
    assert (second.status, second.failure, second.error) == (None, "timeout", "no answer in 2 s")
    assert [(row.call_id, row.event_type, row.message_id, row.answer) for row in batch] == [
        ("c1", "fee", "m", "ok"),
        ("c2", "fee", "m", "ok"),
    ]
    assert await database.read(lambda session: len(rows.attempts_of(session, "call"))) == 2


@pytest.mark.virtual_time
async def test_given_attempts_that_gather_when_closed_then_they_are_written_at_once(
    database: Database,
) -> None:
    loop = asyncio.get_running_loop()
    async with room(database) as place:
        await place.courier.deliver(push("http://x.test/s"))
        began = loop.time()

    assert loop.time() - began < 0.05
    assert len(await attempts(database)) == 1


async def test_given_old_attempts_when_purged_then_just_they_are_gone(database: Database) -> None:
    async with room(database) as place:
        await place.courier.deliver(push("http://x.test/s", 0))
        place.clock.move(days=15)
        await place.courier.deliver(push("http://x.test/s", 1))
    before = place.clock.now() - timedelta(days=14)

    more = await database.write(lambda session: rows.purge_pushes(session, before))

    assert not more
    assert [row.sequence for row in await attempts(database)] == [1]


# One slow receiver


@pytest.mark.requirement("B1")
async def test_B1_given_a_receiver_that_hangs_when_others_are_pushed_to_then_they_do_not_wait(
    database: Database,
) -> None:
    """Also others of the same host: two customers behind one gateway, of which one hangs."""
    async with (
        PushReceiver.start(Reply(200)) as receiver,
        http_sender(timeout=30) as sender,
        room(database, sender, connections_per_receiver=2) as place,
    ):
        receiver.plan(Hang(), path="/hangs")
        stuck = [
            asyncio.create_task(place.courier.deliver(push(receiver.url("/hangs"), number)))
            for number in range(10)
        ]
        await receiver.wait_count(2)
        for number in range(5):
            other = push(receiver.url("/works"), number, app_key="other")
            assert (await soon(place.courier.deliver(other))).accepted
        assert len([came for came in receiver.pushes if came.path == "/hangs"]) == 2
        for task in stuck:
            task.cancel()
        await asyncio.wait(stuck)


async def test_given_too_many_waiting_pushes_when_another_comes_then_busy_and_it_is_kept(
    database: Database,
) -> None:
    sender = Scripted()
    sender.gate.clear()
    async with room(database, sender, connections_per_receiver=1) as place:
        waiting = [
            asyncio.create_task(place.courier.deliver(push("http://x.test/", number))) for number in range(11)
        ]
        await sender.until(1)
        one_more = await place.courier.deliver(push("http://x.test/", 11))
        sender.gate.set()
        done = await asyncio.gather(*waiting)

    assert one_more.failure is Failure.BUSY
    assert all(delivery.accepted for delivery in done)
    assert (await attempts(database))[0].failure == "busy"


# What is kept of it


@pytest.mark.virtual_time
async def test_given_the_database_is_away_when_attempts_are_noted_then_they_are_written_later(
    database: Database, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    add, tries = rows.add_attempts, iter([True, False])
    monkeypatch.setattr("controller.pushes.ledger._AFTER_TROUBLE", 0.01)

    def sometimes(session: object, made: object) -> None:
        if next(tries, False):
            raise OSError("disk full")
        add(session, made)  # type: ignore[arg-type]

    monkeypatch.setattr(rows, "add_attempts", sometimes)
    async with room(database, Scripted(FAILS)) as place:
        await place.courier.deliver(push("http://x.test/s"))
        await until_written(place)

    assert len(await attempts(database)) == 1
    found = await database.read(rows.troubled_endpoints)
    assert [(row.app_key, row.failures) for row in found] == [(APP, 1)]
    assert "can't be written" in caplog.text


async def test_given_a_receiver_over_http_when_pushed_then_one_connection_is_kept_alive(
    database: Database,
) -> None:
    opened: list[int] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        opened.append(1)
        await keep_saying_ok(reader, writer)

    async with raw_server(serve) as port, http_sender() as sender, room(database, sender) as place:
        for number in range(5):
            assert (await place.courier.deliver(push(f"http://127.0.0.1:{port}/", number))).accepted

    assert len(opened) == 1
