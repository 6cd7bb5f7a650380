"""Connections that are lost, refused, silent or taken over."""

import asyncio
from random import Random

import aiohttp
import pytest
from unit.ari.raw import raw_client
from unit.ari.support import PHONE, called, client_of, lost_and_regained, next_of, retry_at_once
from unit.support import soon

from controller.ari import (
    Address,
    Client,
    ConnectionLost,
    NotConnected,
    ObjectPresent,
    OwnershipLost,
    Snapshot,
    retry_unless_refused,
)
from controller.ari.fake import FakeAsterisk


def handshake_error(status: int) -> aiohttp.WSServerHandshakeError:
    return aiohttp.WSServerHandshakeError(None, (), status=status)  # type: ignore[arg-type]


@pytest.mark.parametrize("error", [OwnershipLost(), handshake_error(401), handshake_error(403)])
def test_given_a_refusal_that_no_waiting_mends_when_decided_then_it_is_final(error: Exception) -> None:
    assert retry_unless_refused(error, 0, Random(1)) is None


@pytest.mark.parametrize(
    "error", [ConnectionLost(), handshake_error(503), OSError(), TimeoutError(), RuntimeError("a bug")]
)
def test_given_any_other_trouble_when_decided_then_the_wait_doubles_up_to_five_seconds(
    error: Exception,
) -> None:
    random = Random(1)
    for attempt in range(40):
        longest = min(5.0, 0.1 * 2**attempt)
        delays = [retry_unless_refused(error, attempt, random) for _ in range(200)]
        assert all(delay is not None and 0.02 <= delay <= longest for delay in delays)
        # Jitter: not all come back at the same moment.
        assert len(set(delays)) > 100


class Attempts:
    """A retry decision that remembers what it was asked."""

    def __init__(self, delay: float = 0.001) -> None:
        self._delay = delay
        self.asked: list[tuple[BaseException, int]] = []
        self._news = asyncio.Event()

    def __call__(self, error: BaseException, attempt: int, _random: Random) -> float | None:
        self.asked.append((error, attempt))
        self._news.set()
        return self._delay

    async def reach(self, count: int) -> None:
        """Wait until it was asked so often."""
        while len(self.asked) < count:
            self._news.clear()
            await soon(self._news.wait())

    @property
    def numbers(self) -> list[int]:
        return [attempt for _error, attempt in self.asked]


async def test_given_a_cut_socket_when_it_is_regained_then_the_client_is_ready_again(
    client: Client, asterisk: FakeAsterisk
) -> None:
    for _ in range(3):
        asterisk.drop_sockets()
        await soon(client.wait_lost())
        assert not client.ready
        await soon(client.wait_ready())
        await client.asterisk.ping()
    assert asterisk.connections == 1


async def test_given_connections_that_are_refused_when_tried_again_then_attempts_count_until_it_is_ready(
    asterisk: FakeAsterisk,
) -> None:
    attempts = Attempts()
    async with client_of(asterisk, retry=attempts) as client:
        await soon(client.wait_ready())
        asterisk.refuse_connections()
        asterisk.drop_sockets()
        await attempts.reach(4)
        asterisk.refuse_connections(False)
        await soon(client.wait_ready())
        failed = len(attempts.asked)
        await soon(lost_and_regained(client, asterisk))
    assert attempts.numbers[:failed] == list(range(failed))
    # A connection that became ready was a success: counting begins anew.
    assert attempts.numbers[failed:] == [0]


async def test_given_sockets_that_are_cut_before_the_client_is_ready_when_tried_again_then_attempts_count_on(
    asterisk: FakeAsterisk,
) -> None:
    attempts = Attempts()
    asterisk.faults.delay_answers(1.0, "asterisk.getInfo")
    async with client_of(asterisk, retry=attempts) as client:
        for number in range(1, 4):
            await asterisk.requested("asterisk.getInfo", number)
            asterisk.drop_sockets()
        asterisk.faults.delay_answers(0, "asterisk.getInfo")
        await soon(client.wait_ready())
    assert attempts.numbers == [0, 1, 2]


@pytest.mark.parametrize("status", [404, 500])
async def test_given_a_snapshot_that_fails_when_connecting_then_it_is_tried_again(
    asterisk: FakeAsterisk, status: int
) -> None:
    attempts = Attempts()
    asterisk.faults.answer("channels.list", status, times=2)
    async with client_of(asterisk, retry=attempts) as client:
        await soon(client.wait_ready())
    assert attempts.numbers == [0, 1]


async def test_given_a_program_that_cannot_get_ready_when_connected_then_it_is_tried_again(
    asterisk: FakeAsterisk,
) -> None:
    attempts = Attempts()
    snapshots: list[Snapshot] = []

    async def get_ready(snapshot: Snapshot) -> None:
        snapshots.append(snapshot)
        if len(snapshots) < 3:
            raise RuntimeError("the database is away")

    async with client_of(asterisk, retry=attempts, on_ready=get_ready) as client:
        await soon(client.wait_ready())
    assert [(str(error), attempt) for error, attempt in attempts.asked] == [
        ("the database is away", 0),
        ("the database is away", 1),
    ]


async def test_given_a_decision_to_give_up_when_the_connection_is_lost_then_run_raises_the_error(
    asterisk: FakeAsterisk,
) -> None:
    async with client_of(asterisk, retry=lambda *_: None) as client:
        await soon(client.wait_ready())
        asterisk.drop_sockets()
        await soon(client.wait_lost())
        with pytest.raises(ConnectionLost):
            await soon(client.wait_ready())


async def test_given_a_wrong_password_when_connecting_then_it_is_not_tried_again(
    asterisk: FakeAsterisk,
) -> None:
    address = asterisk.address
    client = Client(Address(address.url, address.user, "wrong"), "app")
    with pytest.raises(aiohttp.WSServerHandshakeError) as error:
        await soon(client.run())
    assert error.value.status == 401
    assert not client.ready


async def test_given_nobody_listens_on_the_port_when_connecting_then_it_waits_until_somebody_does(
    asterisk: FakeAsterisk,
) -> None:
    asterisk.kill()
    attempts = Attempts()
    async with client_of(asterisk, retry=attempts) as client:
        await attempts.reach(3)
        with pytest.raises(NotConnected):
            await client.asterisk.ping()
        asterisk.start()
        await soon(client.wait_ready())


async def test_given_an_asterisk_that_hangs_when_pings_stay_unanswered_then_the_socket_is_given_up(
    asterisk: FakeAsterisk,
) -> None:
    attempts = Attempts()
    async with client_of(asterisk, retry=attempts, heartbeat=0.2, request_timeout=0.5) as client:
        await soon(client.wait_ready())
        asterisk.go_silent()
        await soon(client.wait_lost())
        asterisk.speak_again()
        await soon(client.wait_ready())
        await client.asterisk.ping()
    assert len(attempts.asked) >= 1


async def test_given_an_asterisk_that_hangs_when_connecting_then_the_attempt_ends_in_time(
    asterisk: FakeAsterisk,
) -> None:
    attempts = Attempts()
    asterisk.go_silent()
    async with client_of(asterisk, retry=attempts, request_timeout=0.2) as client:
        await attempts.reach(2)
        assert all(isinstance(error, ConnectionLost) for error, _attempt in attempts.asked)
        asterisk.speak_again()
        await soon(client.wait_ready())


async def test_given_a_socket_that_is_only_quiet_when_pings_are_answered_then_it_stays(
    asterisk: FakeAsterisk,
) -> None:
    async with client_of(asterisk, heartbeat=0.2) as client:
        await soon(client.wait_ready())
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.7):
                await client.wait_lost()


async def test_given_a_second_connection_of_the_application_when_it_takes_over_then_the_first_ends_for_good(
    client: Client, asterisk: FakeAsterisk
) -> None:
    async with client_of(asterisk) as second:
        await soon(second.wait_ready())
        await soon(client.wait_lost())
        with pytest.raises(OwnershipLost):
            await soon(client.wait_ready())
        with pytest.raises(NotConnected):
            await client.asterisk.ping()
        assert second.ready
        assert asterisk.connections == 1


@pytest.mark.requirement("E4")
async def test_given_handshakes_that_were_given_up_when_they_come_through_late_then_the_client_connects_again(
    asterisk: FakeAsterisk,
) -> None:
    given_up = asyncio.Event()

    def retry(error: BaseException, attempt: int, random: Random) -> float | None:
        if "no socket" in str(error):
            given_up.set()
        return retry_at_once(error, attempt, random)

    async with client_of(asterisk, retry=retry, request_timeout=0.6) as client:
        await soon(client.wait_ready())
        asterisk.go_silent()
        asterisk.drop_sockets()
        await soon(given_up.wait())
        asterisk.speak_again()
        await soon(client.wait_ready())

        # One handshake was given up: whoever comes once may be it, who comes again is somebody else.
        async with raw_client(asterisk, "app"):
            await soon(client.wait_lost())
            await soon(client.wait_ready())
        async with raw_client(asterisk, "app"):
            with pytest.raises(OwnershipLost):
                await soon(client.wait_ended())


@pytest.mark.requirement("E4")
async def test_given_a_socket_that_answers_and_brings_no_events_when_noticed_then_the_client_connects_again(
    asterisk: FakeAsterisk,
) -> None:
    async with client_of(asterisk, heartbeat=0.2, request_timeout=0.5) as client:
        await soon(client.wait_ready())
        asterisk.go_deaf()
        await client.asterisk.ping()
        await soon(client.wait_lost())
        await soon(client.wait_ready())
        phone = await soon(called(client, asterisk, "c1"))
        assert phone is not None


@pytest.mark.requirement("E4")
async def test_given_handshakes_that_were_given_up_when_the_next_socket_is_deaf_then_the_client_is_not_ready(
    asterisk: FakeAsterisk,
) -> None:
    given_up, lost, snapshots = asyncio.Event(), [], []

    def retry(error: BaseException, attempt: int, random: Random) -> float | None:
        lost.append((str(error), len(snapshots)))
        if "no socket" in str(error):
            given_up.set()
        return retry_at_once(error, attempt, random)

    async def on_ready(snapshot: Snapshot) -> None:
        snapshots.append(snapshot)

    async with client_of(asterisk, retry=retry, on_ready=on_ready, request_timeout=0.6) as client:
        await soon(client.wait_ready())
        asterisk.go_silent()
        asterisk.drop_sockets()
        await soon(given_up.wait())
        asterisk.faults.omit("ChannelUserevent")
        asterisk.speak_again()
        await soon(client.wait_ready())

        # It was noticed before anybody was told that the client is ready again.
        assert ("no events come", 1) in lost
        assert len(snapshots) == 2


async def test_given_a_client_that_is_closed_when_it_is_not_ready_then_it_ends_at_once(
    asterisk: FakeAsterisk,
) -> None:
    asterisk.go_silent()
    async with client_of(asterisk):
        await asyncio.sleep(0)
    asterisk.speak_again()
    async with client_of(asterisk) as client:
        await soon(client.wait_ready())
    await asterisk.until(lambda: asterisk.connections == 0)


async def test_given_somebody_who_waits_for_ready_when_he_gives_up_then_no_task_is_left(
    asterisk: FakeAsterisk,
) -> None:
    asterisk.refuse_connections()
    attempts = Attempts(delay=60.0)
    async with client_of(asterisk, retry=attempts) as client:
        await attempts.reach(1)
        for _ in range(10):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.001):
                    await client.wait_ready()
        names = [getattr(task.get_coro(), "__qualname__", "") for task in asyncio.all_tasks()]
        assert names.count("Event.wait") <= 1


def test_given_an_address_when_printed_then_its_password_is_not() -> None:
    assert "geheim" not in repr(Address("http://127.0.0.1:8088", "user", "geheim"))


async def test_given_a_client_that_was_asked_to_reconnect_when_done_then_it_is_ready_and_nothing_is_lost(
    client: Client, asterisk: FakeAsterisk
) -> None:
    with client.listen("channel:c1") as events:
        await client.channels.create(PHONE, channel_id="c1")
        await client.reconnect()
        await soon(client.wait_lost())
        await soon(client.wait_ready())
        assert isinstance(await soon(next_of(events, "ObjectPresent")), ObjectPresent)
    assert asterisk.connections == 1
