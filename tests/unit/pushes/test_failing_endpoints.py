"""Endpoints that do nothing but fail: when they are disabled, what is told of it, and how they come back."""

import logging
from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import select
from unit.calls.support import ACCOUNT
from unit.pushes.support import (
    APP,
    FAILS,
    Room,
    Scripted,
    application,
    fee,
    push,
    room,
    until_written,
)

from controller.pushes.ledger import Ledger, Trouble
from controller.pushes.push import Endpoint, Push
from controller.pushes.receiver import Delivery, Failure
from controller.store import pushes as rows
from controller.store.database import Database
from controller.store.tables import Contact, Notice, PushEndpoint, PushProfile

Kind = Callable[[str], Push]


async def fail_for_days(place: Room, days: float, every: float = 1, kind: Kind = fee) -> None:
    for _ in range(int(days / every)):
        await place.courier.deliver(kind("http://x.test/s?call=1"))
        place.clock.move(days=every)


async def test_given_an_endpoint_that_only_fails_for_five_days_when_pushed_to_then_disabled_and_told(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    async with room(database, Scripted(FAILS)) as place:
        await fail_for_days(place, 5)
        sent = len(place.sender.sent)
        assert not place.ledger.is_disabled(Endpoint(APP, "http://x.test/s"))
        last = await place.courier.deliver(fee("http://x.test/s"))
        after = await place.courier.deliver(fee("http://x.test/s?call=2"))
        other_app = await place.courier.deliver(fee("http://x.test/s", app_key="other"))

    assert sent == 5
    assert last.failure is Failure.TIMEOUT
    assert after.failure is Failure.DISABLED
    assert other_app.failure is Failure.TIMEOUT
    assert [record.levelname for record in caplog.records] == ["WARNING", "ERROR", "WARNING"]
    assert "disabled" in caplog.records[1].getMessage()


async def test_given_an_address_with_query_and_credentials_when_told_of_then_logs_and_ledger_have_neither(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    url = "https://user:word@x.test:8443/s?phone=%2B8613900001111&token=t0ken#part"
    caplog.set_level(logging.DEBUG)
    async with room(database, Scripted(*[FAILS] * 6, Delivery(200))) as place:
        for _ in range(6):
            await place.courier.deliver(fee(url))
            place.clock.move(days=1)
        (endpoint,) = place.ledger.disabled
        # As when somebody has it resent by hand, and as when another process enables it.
        place.ledger.note(fee(url), Delivery(200), place.clock.now())
        await place.ledger.written()
        place.ledger._troubles[endpoint] = Trouble(place.clock.now(), place.clock.now(), 1, "x")
        await place.ledger.refresh()

    assert endpoint.url == "https://x.test:8443/s"
    told = [vars(record) for record in caplog.records if "url" in vars(record)]
    assert [record["levelname"] for record in told] == ["WARNING", "ERROR", "INFO", "INFO"]
    assert {record["url"] for record in told} == {endpoint.url}
    everything = str([vars(record) for record in caplog.records])
    assert not [
        secret for secret in ("user:", "word", "13900001111", "t0ken", "#part") if secret in everything
    ]


async def test_given_a_disabled_endpoint_when_started_again_then_it_is_still_disabled(
    database: Database,
) -> None:
    async with room(database, Scripted(FAILS)) as place:
        await fail_for_days(place, 6)
    async with Ledger(database, place.clock, timedelta(days=5)) as ledger:
        assert ledger.is_disabled(Endpoint(APP, "http://x.test/s"))


async def test_given_few_failures_in_a_long_time_when_pushed_to_then_not_disabled(database: Database) -> None:
    async with room(database, Scripted(FAILS)) as place:
        await fail_for_days(place, 12, every=3)

        assert not place.ledger.is_disabled(Endpoint(APP, "http://x.test/s"))


async def test_given_one_success_in_between_when_pushed_to_then_the_days_begin_anew(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    async with room(database, Scripted(*[FAILS] * 4, Delivery(200), FAILS)) as place:
        await fail_for_days(place, 9)

        assert not place.ledger.is_disabled(Endpoint(APP, "http://x.test/s"))
        await fail_for_days(place, 3)
        assert place.ledger.is_disabled(Endpoint(APP, "http://x.test/s"))


@pytest.mark.requirement("B1")
@pytest.mark.parametrize(
    ("becomes", "in_trouble"), [(Delivery(500), False), (Delivery(204), False), (FAILS, True)]
)
async def test_B1_given_status_pushes_like_the_clouds_when_they_only_fail_then_they_are_sent_all_the_same(
    database: Database, becomes: Delivery, in_trouble: bool
) -> None:
    """Of a receiver that can't be reached people hear all the same."""
    async with room(database, Scripted(becomes)) as place:
        await fail_for_days(place, 12, kind=push)

        assert len(place.sender.sent) == 12
        assert not place.ledger.is_disabled(Endpoint(APP, "http://x.test/s"))
    assert len(await database.read(rows.troubled_endpoints)) == in_trouble


async def test_given_durable_status_pushes_when_they_only_fail_then_the_endpoint_is_disabled(
    database: Database,
) -> None:
    async with room(
        database, Scripted(Delivery(500)), app=application(push_profile=PushProfile.DURABLE)
    ) as place:
        await fail_for_days(place, 12, kind=push)

        assert place.ledger.is_disabled(Endpoint(APP, "http://x.test/s"))
        assert len(place.sender.sent) == 6


@pytest.mark.requirement("B1")
async def test_B1_given_an_endpoint_that_its_cdrs_disabled_when_statuses_come_then_they_are_sent_there(
    database: Database,
) -> None:
    """And what is answered to them enables nothing: the CDRs wait for people."""
    async with room(database, Scripted(FAILS)) as place:
        await fail_for_days(place, 6)
        place.sender.answers = [Delivery(200)]
        status = await place.courier.deliver(push("http://x.test/s"))
        cdr = await place.courier.deliver(fee("http://x.test/s"))

    assert status.accepted
    assert cdr.failure is Failure.DISABLED


@pytest.mark.virtual_time
async def test_given_a_disabled_endpoint_when_enabled_by_another_process_then_noticed(
    database: Database,
) -> None:
    async with room(database, Scripted(FAILS)) as place:
        await fail_for_days(place, 6)
        endpoint = Endpoint(APP, "http://x.test/s")
        await place.ledger.refresh()
        assert place.ledger.is_disabled(endpoint)
        await until_written(place)
        await place.ledger.refresh()
        assert place.ledger.is_disabled(endpoint)

        await database.write(lambda session: rows.enable_endpoint(session, *endpoint))
        await place.ledger.refresh()

        assert not place.ledger.is_disabled(endpoint)


async def test_given_a_disabled_endpoint_when_enabled_while_statuses_still_fail_there_then_it_stays_enabled(
    database: Database,
) -> None:
    endpoint = Endpoint(APP, "http://x.test/s")
    async with room(database, Scripted(FAILS)) as place:
        await fail_for_days(place, 6)
        assert len(await kept(place)) == 1
        await database.write(lambda session: rows.enable_endpoint(session, *endpoint))
        # Before it has been noticed.
        await place.courier.deliver(push("http://x.test/s"))

        assert await kept(place) == []
        await place.ledger.refresh()
        assert not place.ledger.is_disabled(endpoint)
        await place.courier.deliver(fee("http://x.test/s"))
        assert [row.failures for row in await kept(place)] == [1]


async def kept(place: Room) -> list[PushEndpoint]:
    """What is kept of endpoints once all that was noted is written."""
    await place.ledger.written()
    return await place.database.read(rows.troubled_endpoints)


@pytest.mark.requirement("B2", "E2")
async def test_B2_given_two_controllers_when_one_disables_what_fails_at_both_then_it_stays_so_and_told_once(
    database: Database,
) -> None:
    contact = Contact(id="c", account_id=ACCOUNT, name="Li Wei", email="li@example.com")
    await database.write(lambda session: session.add(contact))
    endpoint, url = Endpoint(APP, "http://x.test/s"), "http://x.test/s"
    async with room(database, Scripted(FAILS)) as a, room(database, Scripted(FAILS), a.clock) as b:
        since = a.clock.now()
        await fail_for_days(a, 1)
        await b.courier.deliver(fee(url))
        await kept(b)
        await fail_for_days(a, 5)
        disabled = await kept(a)
        await b.courier.deliver(fee(url))

        assert await kept(b) != []
        (row,) = await kept(a)
        assert row.disabled_at == disabled[0].disabled_at is not None
        assert (row.failing_since, row.failures) == (since, 6)
        await b.ledger.refresh()
        assert b.ledger.is_disabled(endpoint)
        assert (await b.courier.deliver(fee(url))).failure is Failure.DISABLED
    notices = await database.read(lambda session: session.execute(select(Notice.event)).scalars().all())
    assert notices == [rows.DISABLED]


@pytest.mark.requirement("E2")
@pytest.mark.parametrize("fails_on", [False, True])
async def test_E2_given_a_disabled_endpoint_of_two_controllers_when_enabled_at_one_then_it_is_at_both(
    database: Database, fails_on: bool
) -> None:
    endpoint, url = Endpoint(APP, "http://x.test/s"), "http://x.test/s"
    async with room(database, Scripted(FAILS)) as a, room(database, Scripted(FAILS), a.clock) as b:
        await fail_for_days(a, 6)
        await kept(a)
        await b.ledger.refresh()
        for one, other in ((a, b), (b, a)):
            assert one.ledger.is_disabled(endpoint) and other.ledger.is_disabled(endpoint)
            # A push by hand that is accepted; in the same moment it may fail again, which counts anew.
            one.ledger.note(fee(url), Delivery(200), one.clock.now())
            if fails_on:
                one.ledger.note(fee(url), FAILS, one.clock.now())
            found = await kept(one)
            await other.ledger.refresh()

            assert [(row.disabled_at, row.failures) for row in found] == [(None, 1)] * fails_on
            assert not one.ledger.is_disabled(endpoint) and not other.ledger.is_disabled(endpoint)
            await fail_for_days(one, 6)
            await kept(one)
            await other.ledger.refresh()
