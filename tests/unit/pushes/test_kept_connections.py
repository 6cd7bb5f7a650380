"""Connections to receivers: which is kept for the next push, and which ends."""

import asyncio
from collections.abc import Sequence

import pytest
from aiohappyeyeballs import AddrInfoType
from unit.pushes.support import OK, ScriptedServer, http_sender, keep_saying_ok, raw_server, read_request

from controller.pushes.exchange import Exchange

pytestmark = pytest.mark.both_loops

Reader, Writer = asyncio.StreamReader, asyncio.StreamWriter


async def connections_used(pieces: Sequence[bytes], pushes: int = 2) -> tuple[int, list[int | None]]:
    """How many connections so many pushes took one after the other, and what was answered."""
    server = ScriptedServer(pieces)
    async with raw_server(server.serve) as port, http_sender() as sender:
        statuses = []
        for _ in range(pushes):
            server.said_all.clear()
            statuses.append((await sender.send(f"http://127.0.0.1:{port}/", b"{}", {})).status)
            await server.said_all.wait()
            await asyncio.sleep(0.01)
    return server.connections, statuses


async def test_given_a_whole_answer_when_pushed_again_then_the_connection_is_used_again() -> None:
    assert await connections_used([OK]) == (1, [200, 200])


@pytest.mark.parametrize(
    "pieces",
    [
        [b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"],
        [b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok"],
        [OK + b"HTTP/1.1 500 Not asked\r\nContent-Length: 0\r\n\r\n"],
        [OK, b"HTTP/1.1 500 Not asked\r\nContent-Length: 0\r\n\r\n"],
        [OK + b"nonsense"],
        [b"HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n" + bytes(4000)],
    ],
    ids=["closing", "HTTP/1.0", "another beside it", "another after it", "nonsense after it", "long body"],
)
async def test_given_an_answer_after_which_a_connection_is_no_good_when_pushed_again_then_a_new_one(
    pieces: Sequence[bytes],
) -> None:
    assert await connections_used(pieces) == (2, [200, 200])


async def test_given_a_kept_connection_that_the_receiver_closes_when_pushed_again_then_a_new_one() -> None:
    connections = 0

    async def say_ok_once(reader: Reader, writer: Writer) -> None:
        nonlocal connections
        connections += 1
        await read_request(reader)
        writer.write(OK)
        await writer.drain()
        writer.write_eof()

    async with raw_server(say_ok_once) as port, http_sender() as sender:
        first = await sender.send(f"http://127.0.0.1:{port}/", b"{}", {})
        await asyncio.sleep(0.05)
        second = await sender.send(f"http://127.0.0.1:{port}/", b"{}", {})

    assert (first.status, second.status, connections) == (200, 200, 2)


async def test_given_a_connection_nobody_uses_when_its_time_is_over_then_it_is_closed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("controller.pushes.http_sender._KEEP_ALIVE", 0.05)
    closed = asyncio.Event()

    async def serve(reader: Reader, writer: Writer) -> None:
        await keep_saying_ok(reader, writer)
        closed.set()

    async with raw_server(serve) as port, http_sender() as sender:
        await sender.send(f"http://127.0.0.1:{port}/", b"{}", {})
        async with asyncio.timeout(2):
            await closed.wait()


async def test_given_pushes_at_the_same_time_when_sent_then_each_has_a_connection_of_its_own() -> None:
    both, inside = asyncio.Event(), 0

    async def wait_for_both(reader: Reader, writer: Writer) -> None:
        nonlocal inside
        await read_request(reader)
        inside += 1
        if inside == 2:
            both.set()
        await both.wait()
        writer.write(OK)
        await reader.read()

    async with raw_server(wait_for_both) as port, http_sender() as sender:
        url = f"http://127.0.0.1:{port}/"
        deliveries = await asyncio.gather(*(sender.send(url, b"{}", {}) for _ in range(2)))

    assert [delivery.status for delivery in deliveries] == [200, 200]


async def test_given_a_push_that_is_cancelled_when_its_answer_comes_then_no_later_push_gets_it() -> None:
    asked, go = asyncio.Event(), asyncio.Event()

    async def late(reader: Reader, writer: Writer) -> None:
        request = await read_request(reader)
        if b"/slow" in request:
            asked.set()
            await go.wait()
            writer.write(b"HTTP/1.1 500 Late\r\nContent-Length: 0\r\n\r\n")
        else:
            writer.write(OK)
        await reader.read()

    async with raw_server(late) as port, http_sender() as sender:
        slow = asyncio.create_task(sender.send(f"http://127.0.0.1:{port}/slow", b"{}", {}))
        await asked.wait()
        slow.cancel()
        await asyncio.wait({slow})
        go.set()
        after = await sender.send(f"http://127.0.0.1:{port}/", b"{}", {})

    assert slow.cancelled()
    assert after.status == 200


async def test_given_receivers_that_are_pushed_to_once_when_their_connections_end_then_none_is_remembered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("controller.pushes.http_sender._KEEP_ALIVE", 0.05)
    ended = asyncio.Semaphore(0)

    async def look_up(_host: str, port: int) -> list[AddrInfoType]:
        return [(2, 1, 0, "", ("127.0.0.1", port))]

    async def serve(reader: Reader, writer: Writer) -> None:
        await keep_saying_ok(reader, writer)
        ended.release()

    async with raw_server(serve) as port, http_sender(look_up) as sender:
        for number in range(20):
            await sender.send(f"http://t{number}.example:{port}/", b"{}", {})
        async with asyncio.timeout(2):
            for _ in range(20):
                await ended.acquire()
        assert not sender._kept


async def test_given_many_connections_after_a_burst_when_one_is_enough_then_the_others_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("controller.pushes.http_sender._KEEP_ALIVE", 0.5)
    async with raw_server(keep_saying_ok) as port, http_sender() as sender:
        url = f"http://127.0.0.1:{port}/"
        await asyncio.gather(*(sender.send(url, b"{}", {}) for _ in range(10)))
        (kept,) = sender._kept.values()
        after_the_burst = len(kept)
        for _ in range(14):
            await asyncio.sleep(0.05)
            await sender.send(url, b"{}", {})
        (kept,) = sender._kept.values()
        in_the_end = len(kept)

    assert (after_the_burst, in_the_end) == (10, 1)


async def test_given_a_push_that_is_cancelled_just_as_its_answer_is_whole_then_its_connection_ends() -> None:
    ended = asyncio.Event()

    async def serve(reader: Reader, writer: Writer) -> None:
        await keep_saying_ok(reader, writer)
        ended.set()

    async with raw_server(serve) as port, http_sender() as sender:
        task = asyncio.create_task(sender.send(f"http://127.0.0.1:{port}/", b"{}", {}))
        whole = Exchange.on_message_complete

        def cancelling(exchange: Exchange) -> None:
            whole(exchange)
            task.cancel()

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Exchange, "on_message_complete", cancelling)
            await asyncio.wait({task})
        async with asyncio.timeout(2):
            await ended.wait()

    assert task.cancelled()


async def test_given_an_answer_before_the_request_has_gone_when_pushed_again_then_on_a_new_connection() -> (
    None
):
    connections = 0

    async def answer_early(reader: Reader, writer: Writer) -> None:
        nonlocal connections
        connections += 1
        await reader.readexactly(10)
        writer.write(OK)
        await asyncio.Event().wait()

    async with raw_server(answer_early) as port, http_sender() as sender:
        url = f"http://127.0.0.1:{port}/"
        first = await sender.send(url, bytes(20_000_000), {})
        second = await sender.send(url, b"{}", {})

    assert (first.status, second.status, connections) == (200, 200, 2)
