"""Requests and answers: what goes out, and what is taken for an answer."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from aiohappyeyeballs import AddrInfoType
from unit.pushes.support import OK, ScriptedServer, http_sender, raw_server, read_request

from controller.pushes.receiver import Failure

pytestmark = pytest.mark.both_loops

Reader, Writer = asyncio.StreamReader, asyncio.StreamWriter


async def answered(*pieces: bytes) -> Any:
    server = ScriptedServer(pieces)
    async with raw_server(server.serve) as port, http_sender() as sender:
        return await sender.send(f"http://127.0.0.1:{port}/", b"{}", {})


async def test_given_a_push_when_sent_then_the_request_is_whole_and_says_who_and_what() -> None:
    server = ScriptedServer()
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
    server = ScriptedServer()
    async with raw_server(server.serve) as port, http_sender() as sender:
        await sender.send(f"HTTP://127.0.0.1:{port}?x", b"{}", {})

    assert server.requests[0].startswith(b"POST /?x HTTP/1.1\r\n")


@pytest.mark.parametrize("value", ["a\r\nX-Other: b", "a\nb", "a\rb", "a\0b"])
async def test_given_a_header_with_a_line_break_when_sent_then_nothing_goes_out(value: str) -> None:
    server = ScriptedServer()
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
    server = ScriptedServer(pieces)

    async def serve(reader: Reader, writer: Writer) -> None:
        answering = asyncio.create_task(server.serve(reader, writer))
        await server.said_all.wait()
        answering.cancel()
        await asyncio.wait({answering})

    async with raw_server(serve) as port, http_sender() as sender:
        delivery = await sender.send(f"http://127.0.0.1:{port}/", b"{}", {})

    assert (delivery.status, delivery.answer, delivery.retry_after) == (200, b"ok", None)


async def test_given_an_answer_that_asks_for_another_protocol_when_pushed_then_none_of_http() -> None:
    delivery = await answered(b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nwhatever")

    assert delivery.failure is Failure.HTTP


async def test_given_retry_after_when_answered_then_it_is_told() -> None:
    delivery = await answered(b"HTTP/1.1 503 Busy\r\nretry-after: 7\r\nContent-Length: 0\r\n\r\n")

    assert (delivery.status, delivery.retry_after) == (503, 7.0)


async def test_given_an_endless_trailer_when_pushed_then_the_connection_ends_and_the_status_counts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("controller.pushes.exchange._ANSWER_PATIENCE", 10)
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

    async with raw_server(pour_trailer) as port, http_sender(timeout=20) as sender:
        began = asyncio.get_running_loop().time()
        delivery = await sender.send(f"http://127.0.0.1:{port}/", b"{}", {})
        took = asyncio.get_running_loop().time() - began
        async with asyncio.timeout(2):
            await ended.wait()

    assert delivery.status == 200
    assert took < 5


async def test_given_an_address_with_a_dot_at_the_end_of_its_name_when_pushed_then_host_is_without() -> None:
    server = ScriptedServer()

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
