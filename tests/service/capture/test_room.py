"""What is kept of calls in SIP and RTCP: over a real socket, into a real file."""

import asyncio
import socket
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from unit.capture.messages import AT, SDP, answer, datagram, report, request

from controller.capture import room
from controller.capture.listener import Listener
from controller.capture.room import Captures, lent_captures, opened_captures
from controller.settings import CaptureSettings

pytestmark = pytest.mark.requirement("B4")

INVITE = request("INVITE", 'Authorization: Digest response="5ecret"', body=SDP)


class Clock:
    def __init__(self) -> None:
        from datetime import UTC, datetime

        self.time = datetime.fromtimestamp(AT, UTC)

    def now(self):
        return self.time


@asynccontextmanager
async def opened(folder: Path, clock: Clock | None = None, **settings: object) -> AsyncIterator[Captures]:
    async with opened_captures(
        CaptureSettings(port=0, **settings), folder / "capture.db", clock or Clock()
    ) as captures:
        yield captures


async def until(seen: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while not seen():  # noqa: ASYNC110
            await asyncio.sleep(0.01)  # a datagram announces itself to nobody


def send(captures: Captures, *datagrams: bytes) -> None:
    assert captures.listener is not None
    with socket.socket(type=socket.SOCK_DGRAM) as node:
        for each in datagrams:
            node.sendto(each, captures.listener.address)


async def messages(captures: Captures, call_id: str = "1200_1") -> list[str]:
    found = await captures.of_call(call_id)
    return [message.text.partition(" ")[0] for leg in found.legs for message in leg.messages]


async def heard(captures: Captures, count: int, call_id: str = "1200_1") -> None:
    async with asyncio.timeout(10):
        while len(await messages(captures, call_id)) < count:  # noqa: ASYNC110
            await asyncio.sleep(0.01)  # a datagram announces itself to nobody


async def test_B4_given_datagrams_when_the_controller_is_started_again_then_the_call_still_has_them(
    tmp_path: Path,
) -> None:
    async with opened(tmp_path) as captures:
        captures.claim("1200_1.a", "call-1")
        send(captures, datagram(INVITE), datagram(answer(180, "Ringing")))
        await heard(captures, 2)
    async with opened(tmp_path) as captures:
        assert await messages(captures) == ["INVITE", "SIP/2.0"]
        found = await captures.of_call("1200_1")
        assert found.missing is None
        assert (await captures.of_call("1200_2")).missing == "none"
    assert (tmp_path / "capture.db").stat().st_mode & 0o077 == 0


async def test_E3_given_an_answer_to_a_challenge_when_kept_then_it_is_in_no_file(tmp_path: Path) -> None:
    async with opened(tmp_path) as captures:
        captures.claim("1200_1.a", "call-1")
        send(captures, datagram(INVITE))
        await heard(captures, 1)
        (leg,) = (await captures.of_call("1200_1")).legs
    assert "5ecret" not in leg.messages[0].text
    with sqlite3.connect(tmp_path / "capture.db") as file:
        (content,) = file.execute("SELECT content FROM capture").fetchone()
    assert b"5ecret" not in type(leg).unpacked(content).messages[0].text.encode()


async def test_B4_given_garbage_among_datagrams_when_it_comes_then_the_rest_is_taken(tmp_path: Path) -> None:
    async with opened(tmp_path) as captures:
        captures.claim("1200_1.a", "call-1")
        send(captures, b"", b"junk" * 50, datagram(INVITE)[:-5], datagram(INVITE))
        await heard(captures, 1)
        assert captures.listener is not None
        assert captures.listener.unusable == 3


async def test_B4_given_old_and_too_many_when_purged_then_they_are_gone(tmp_path: Path) -> None:
    clock = Clock()
    async with opened(tmp_path, clock, keep_days=1) as captures:
        captures.claim("1200_1.a", "call-1")
        send(captures, datagram(INVITE))
        await heard(captures, 1)
    async with opened(tmp_path, clock, keep_days=1) as captures:
        await captures.purge()
        assert await messages(captures) == ["INVITE"]
        clock.time += timedelta(days=2)
        await captures.purge()
        assert await messages(captures) == []


async def test_B4_given_more_than_fits_when_purged_then_the_oldest_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("controller.store.call_captures._AT_ONCE", 1)
    async with opened(tmp_path, legs_per_second=100, megabytes=1) as captures:
        import random

        for number in range(8):
            noise = "".join(random.Random(number).choices("0123456789abcdef", k=7000))
            captures.claim(f"1200_{number}.a", f"call-{number}")
            body = [request("INVITE", body=noise + str(again)) for again in range(40)]
            send(captures, *(datagram(each, sip_id=f"call-{number}", at=AT + number) for each in body))
            await heard(captures, 30, f"1200_{number}")
    async with opened(tmp_path, megabytes=1) as captures:
        whole = [number for number in range(8) if await messages(captures, f"1200_{number}")]
        # What is kept is compressed: each leg takes less than 0.3 MB.
        monkeypatch.setattr(captures, "_settings", captures._settings.model_copy(update={"megabytes": 0}))
        await captures.purge()
        assert whole == list(range(8))
        assert [number for number in whole if await messages(captures, f"1200_{number}")] == []


async def test_B4_given_a_leg_that_is_over_when_some_time_passes_then_it_is_put_away_by_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("controller.capture.gathering._QUIET", 0.05)
    monkeypatch.setattr(room, "_PAUSE", 0.01)
    async with opened(tmp_path) as captures:
        running = asyncio.create_task(captures.run())
        captures.claim("1200_1.a", "call-1")
        send(captures, datagram(INVITE), datagram(answer(486, "Busy Here")), datagram(request("ACK")))
        await until(lambda: not captures._gathering.all())
        assert await messages(captures) == ["INVITE", "SIP/2.0", "ACK"]
        running.cancel()


@pytest.mark.parametrize("damage", [b"no database" * 1000, b""])
async def test_B4_given_a_broken_file_when_opened_then_it_is_begun_anew(
    tmp_path: Path, damage: bytes
) -> None:
    (tmp_path / "capture.db").write_bytes(damage)
    async with opened(tmp_path) as captures:
        assert await messages(captures) == []


async def test_B4_given_it_is_switched_off_when_opened_then_nothing_listens_and_that_is_told(
    tmp_path: Path,
) -> None:
    async with opened(tmp_path, enabled=False) as captures:
        captures.claim("1200_1.a", "call-1")
        assert captures.listener is None
        assert (await captures.of_call("1200_1")).missing == "off"
    assert not (tmp_path / "capture.db").exists()


async def test_B4_given_a_file_that_another_process_writes_when_lent_then_it_can_be_read(
    tmp_path: Path,
) -> None:
    async with opened(tmp_path) as captures:
        captures.claim("1200_1.a", "call-1")
        send(captures, datagram(INVITE))
        await heard(captures, 1)
    async with lent_captures(CaptureSettings(), tmp_path / "capture.db", Clock()) as lent:
        assert await messages(lent) == ["INVITE"]
    async with lent_captures(CaptureSettings(), tmp_path / "none.db", Clock()) as lent:
        assert (await lent.of_call("1200_1")).missing == "none"


async def test_B4_given_more_than_is_looked_at_when_it_comes_then_the_loop_is_left_alone_for_a_while() -> (
    None
):
    seen = []
    listener = Listener(seen.append, most=10)
    listener.open("127.0.0.1", 0)
    try:
        with socket.socket(type=socket.SOCK_DGRAM) as node:
            for _ in range(40):
                node.sendto(datagram(INVITE), listener.address)
            await until(lambda: listener.pauses)
            assert len(seen) == 10
            await until(lambda: len(seen) > 10)
    finally:
        listener.close()
    assert len(seen) <= 40


def test_B4_given_a_report_when_packed_into_a_datagram_then_it_is_one() -> None:
    """The specimens of these tests are themselves as they should be."""
    from controller.capture.hep import parse

    packet = report(b"{}", from_phone=True)
    again = parse(datagram(b"{}", protocol=5, source=packet.source, destination=packet.destination))
    assert again == packet
