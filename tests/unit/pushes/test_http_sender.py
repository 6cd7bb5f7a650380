"""Requests and answers: what goes out, what is taken for an answer, which connection is kept."""

import asyncio
from collections.abc import Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohappyeyeballs import AddrInfoType
from unit.pushes.support import OK, http_sender, keep_saying_ok, raw_server, read_request

from controller.pushes.exchange import Exchange
from controller.pushes.receiver import Failure

pytestmark = pytest.mark.both_loops

Reader, Writer = asyncio.StreamReader, asyncio.StreamWriter


@dataclass
class Scripted:
    """Sends these pieces as the answer to each request, on as many connections as there are."""

    pieces: Sequence[bytes] = (OK,)
    requests: list[bytes] = field(default_factory=list)
    connections: int = 0
    said_all: asyncio.Event = field(default_factory=asyncio.Event)
    """All pieces of an answer are on their way."""

    async def serve(self, reader: Reader, writer: Writer) -> None:
        self.connections += 1
        while request := await read_request(reader):
            self.requests.append(request)
            try:
                for piece in self.pieces:
                    writer.write(piece)
                    await writer.drain()
                    await asyncio.sleep(0.001)
            finally:
                self.said_all.set()


async def answered(*pieces: bytes) -> Any:
    server = Scripted(pieces)
    async with raw_server(server.serve) as port, http_sender() as sender:
        return await sender.send(f"http://127.0.0.1:{port}/", b"{}", {})


async def test_given_a_push_when_sent_then_the_request_is_whole_and_says_who_and_what() -> None:
    server = Scripted()
    async with raw_server(server.serve) as port, http_sender() as sender:
        url = f"http://ann:s%20cret@localhost:{port}/in/%E4%B8%AD?a=1&b=%2B#part"
        await sender.send(url, b'{"a":1}', {"Content-Type": "application/json", "X-Call-Sequence": "3"})

    head, _, body = server.requests[0].partition(b"\r\n\r\n")
    assert head.decode().split("\r\n") == [
        "POST /in/%E4%B8%AD?a=1&b=%2B HTTP/1.1",
        f"Host: localhost:{port}",
        "User-Agent: voicecall",
        "Accept: */*",
        "Accept-Encoding: identity",
        "Authorization: Basic YW5uOnMgY3JldA==",
        "Content-Type: application/json",
        "X-Call-Sequence: 3",
        "Content-Length: 7",
    ]
    assert body == b'{"a":1}'


async def test_given_an_address_without_path_when_sent_then_the_root_is_asked() -> None:
    server = Scripted()
    async with raw_server(server.serve) as port, http_sender() as sender:
        await sender.send(f"HTTP://127.0.0.1:{port}?x", b"{}", {})

    assert server.requests[0].startswith(b"POST /?x HTTP/1.1\r\n")


@pytest.mark.parametrize("value", ["a\r\nX-Other: b", "a\nb", "a\rb", "a\0b"])
async def test_given_a_header_with_a_line_break_when_sent_then_nothing_goes_out(value: str) -> None:
    server = Scripted()
    async with raw_server(server.serve) as port, http_sender() as sender:
        with pytest.raises(ValueError, match="line break"):
            await sender.send(f"http://127.0.0.1:{port}/", b"{}", {"X-Trace": value})

    assert server.connections == 0


@pytest.mark.parametrize(
    "pieces",
    [
        [bytes([byte]) for byte in OK],
        [b"HTTP/1.1 100 Continue\r\n\r\n", OK],
        [b"HTTP/1.1 103 Early Hints\r\nRetry-After: 9\r\n\r\n" + OK],
        [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\no\r\n", b"1\r\nk\r\n0\r\n\r\n"],
        [b"HTTP/1.0 200\r\n\r\n", b"o", b"k"],
        [b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok"],
        [b"HTTP/1.1 200 OK\r\nX-A: b\r\n c\r\nX-B: \x01\r\nContent-Length: 2\r\n\r\nok"],
        [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2 \r\nok\r\n0\r\n\r\n"],
    ],
    ids=[
        "byte by byte",
        "100 before it",
        "103 before it",
        "chunks",
        "without a length",
        "line feeds alone",
        "folded headers",
        "a space behind a chunk's size",
    ],
)
async def test_given_an_answer_in_any_form_when_it_has_come_then_it_is_read(pieces: Sequence[bytes]) -> None:
    server = Scripted(pieces)

    async def serve(reader: Reader, writer: Writer) -> None:
        await asyncio.wait({asyncio.create_task(server.serve(reader, writer))}, timeout=0.2)

    async with raw_server(serve) as port, http_sender() as sender:
        delivery = await sender.send(f"http://127.0.0.1:{port}/", b"{}", {})

    assert (delivery.status, delivery.answer, delivery.retry_after) == (200, b"ok", None)


async def test_given_an_answer_that_asks_for_another_protocol_when_pushed_then_none_of_http() -> None:
    delivery = await answered(b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nwhatever")

    assert delivery.failure is Failure.HTTP


async def test_given_retry_after_when_answered_then_it_is_told() -> None:
    delivery = await answered(b"HTTP/1.1 503 Busy\r\nretry-after: 7\r\nContent-Length: 0\r\n\r\n")

    assert (delivery.status, delivery.retry_after) == (503, 7.0)


async def connections_used(pieces: Sequence[bytes], pushes: int = 2) -> tuple[int, list[int | None]]:
    """How many connections so many pushes took one after the other, and what was answered."""
    server = Scripted(pieces)
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


@asynccontextmanager
async def hanging_names(until: asyncio.Event, address: str) -> Any:
    asked: list[str] = []

    async def look_up(host: str, port: int) -> list[AddrInfoType]:
        asked.append(host)
        await until.wait()
        return [(2, 1, 0, "", (address, port))]

    yield look_up, asked


async def test_given_a_name_that_takes_long_when_one_gives_up_then_the_others_share_one_look_up() -> None:
    known = asyncio.Event()
    async with (
        hanging_names(known, "127.0.0.1") as (look_up, asked),
        raw_server(keep_saying_ok) as port,
        http_sender(look_up) as sender,
    ):
        url = f"http://receiver.test:{port}/"
        impatient, *others = [asyncio.create_task(sender.send(url, b"{}", {})) for _ in range(3)]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        impatient.cancel()
        await asyncio.wait({impatient})
        known.set()
        deliveries = await asyncio.gather(*others)

    assert [delivery.status for delivery in deliveries] == [200, 200]
    assert asked == ["receiver.test"]


async def test_given_a_name_nobody_knew_when_pushed_again_then_it_is_looked_up_again() -> None:
    asked: list[str] = []

    async def look_up(host: str, port: int) -> list[AddrInfoType]:
        asked.append(host)
        if len(asked) == 1:
            raise OSError("no such name")
        return [(2, 1, 0, "", ("127.0.0.1", port))]

    async with raw_server(keep_saying_ok) as port, http_sender(look_up) as sender:
        url = f"http://receiver.test:{port}/"
        first, second = [await sender.send(url, b"{}", {}) for _ in range(2)]

    assert (first.failure, second.status, len(asked)) == (Failure.DNS, 200, 2)


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
    monkeypatch.setattr("controller.pushes.http_sender._KEEP_ALIVE", 0.1)
    async with raw_server(keep_saying_ok) as port, http_sender() as sender:
        url = f"http://127.0.0.1:{port}/"
        await asyncio.gather(*(sender.send(url, b"{}", {}) for _ in range(10)))
        (kept,) = sender._kept.values()
        after_the_burst = len(kept)
        for _ in range(12):
            await asyncio.sleep(0.02)
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


async def test_given_an_endless_trailer_when_pushed_then_the_connection_ends_and_the_status_counts() -> None:
    ended = asyncio.Event()

    async def pour_trailer(reader: Reader, writer: Writer) -> None:
        await read_request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX-T: ")
        try:
            while True:
                writer.write(bytes(65536).replace(b"\0", b"a"))
                await writer.drain()
        finally:
            ended.set()

    async with raw_server(pour_trailer) as port, http_sender() as sender:
        began = asyncio.get_running_loop().time()
        delivery = await sender.send(f"http://127.0.0.1:{port}/", b"{}", {})
        took = asyncio.get_running_loop().time() - began
        async with asyncio.timeout(2):
            await ended.wait()

    assert delivery.status == 200
    assert took < 0.9


async def test_given_a_look_up_that_takes_longer_than_names_are_known_when_pushed_then_there_is_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("controller.pushes.outbound._NAME_KNOWN", 0.02)
    known = asyncio.Event()
    async with (
        hanging_names(known, "127.0.0.1") as (look_up, asked),
        raw_server(keep_saying_ok) as port,
        http_sender(look_up) as sender,
    ):
        url = f"http://receiver.test:{port}/"
        first = asyncio.create_task(sender.send(url, b"{}", {}))
        await asyncio.sleep(0.06)
        second = asyncio.create_task(sender.send(url, b"{}", {}))
        await asyncio.sleep(0)
        known.set()
        deliveries = await asyncio.gather(first, second)

    assert [delivery.status for delivery in deliveries] == [200, 200]
    assert asked == ["receiver.test"]


async def test_given_an_address_with_a_dot_at_the_end_of_its_name_when_pushed_then_host_is_without() -> None:
    server = Scripted()

    async def look_up(host: str, port: int) -> list[AddrInfoType]:
        assert host == "receiver.test."
        return [(2, 1, 0, "", ("127.0.0.1", port))]

    async with raw_server(server.serve) as port, http_sender(look_up) as sender:
        await sender.send(f"http://receiver.test.:{port}/", b"{}", {})

    assert f"\r\nHost: receiver.test:{port}\r\n".encode() in server.requests[0]


@pytest.mark.parametrize("url", ["http://h\x0b/", "http://a b/", "http://a\0b/", "http://a\x7f/"])
async def test_given_an_address_with_something_unprintable_when_pushed_then_it_is_none(url: str) -> None:
    async with http_sender() as sender:
        assert (await sender.send(url, b"{}", {})).failure is Failure.ADDRESS


async def test_given_a_sender_that_was_closed_when_pushed_then_nothing_goes_out() -> None:
    async with http_sender() as sender:
        pass

    assert (await sender.send("http://127.0.0.1:9/", b"{}", {})).failure is Failure.CLOSED
