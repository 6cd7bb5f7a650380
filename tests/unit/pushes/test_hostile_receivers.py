"""Receivers that do harm, on purpose or not: each is classified and bounded, and the next push works."""

import asyncio
import gzip
import socket
import struct
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from unit.pushes.support import OK, http_sender, keep_saying_ok, raw_server, read_request

from controller.pushes.exchange import ANSWER_KEPT
from controller.pushes.receiver import Failure, retry_after

pytestmark = pytest.mark.both_loops

Reader, Writer = asyncio.StreamReader, asyncio.StreamWriter


def _reset(writer: Writer) -> None:
    """End the connection with an RST."""
    own: socket.socket = writer.get_extra_info("socket")
    own.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def hang(reader: Reader, writer: Writer) -> None:
    await reader.read()


async def hang_up(reader: Reader, writer: Writer) -> None:
    await read_request(reader)


async def hang_up_at_once(reader: Reader, writer: Writer) -> None:
    writer.close()


async def reset_unread(reader: Reader, writer: Writer) -> None:
    _reset(writer)


async def reset_at_once(reader: Reader, writer: Writer) -> None:
    await reader.read(1)
    _reset(writer)


async def reset_in_the_head(reader: Reader, writer: Writer) -> None:
    await read_request(reader)
    writer.write(b"HTTP/1.1 200 OK\r\nContent-")
    await writer.drain()
    _reset(writer)


async def reset_in_the_body(reader: Reader, writer: Writer) -> None:
    await read_request(reader)
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
    await writer.drain()
    _reset(writer)


async def pour(reader: Reader, writer: Writer) -> None:
    await read_request(reader)
    writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        writer.write(b"x" * 65536)
        await writer.drain()


async def pour_head(reader: Reader, writer: Writer) -> None:
    await read_request(reader)
    writer.write(b"HTTP/1.1 200 OK\r\n")
    while True:
        writer.write(b"X-More: " + b"x" * 4000 + b"\r\n")
        await writer.drain()


async def pour_continues(reader: Reader, writer: Writer) -> None:
    await read_request(reader)
    while True:
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        await writer.drain()
        await asyncio.sleep(0.001)


async def drip_head(reader: Reader, writer: Writer) -> None:
    await read_request(reader)
    for byte in OK:
        writer.write(bytes([byte]))
        await writer.drain()
        await asyncio.sleep(1)


async def drip_body(reader: Reader, writer: Writer) -> None:
    await read_request(reader)
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n")
    while True:
        writer.write(b"x")
        await writer.drain()
        await asyncio.sleep(1)


async def bomb(reader: Reader, writer: Writer) -> None:
    await read_request(reader)
    body = gzip.compress(bytes(16 << 20))
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(body)}\r\n\r\n"
    writer.write(head.encode() + body)
    await reader.read()


async def talk_nonsense(reader: Reader, writer: Writer) -> None:
    await read_request(reader)
    writer.write(b"220 smtp.example ESMTP\r\n\r\n")
    await reader.read()


async def lie_about_chunks(reader: Reader, writer: Writer) -> None:
    await read_request(reader)
    writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nnonsense")
    await reader.read()


def answering(text: str) -> Callable[[Reader, Writer], Coroutine[Any, Any, None]]:
    async def answer(reader: Reader, writer: Writer) -> None:
        await read_request(reader)
        writer.write(f"HTTP/1.1 {text}\r\nContent-Length: 0\r\n\r\n".encode())
        await reader.read()

    return answer


METADATA = "301 Moved\r\nLocation: http://169.254.169.254/latest/meta-data/"

HOSTILE = {
    "hangs": (hang, None, Failure.TIMEOUT),
    "hangs up": (hang_up, None, Failure.CLOSED),
    "hangs up at once": (hang_up_at_once, None, Failure.CLOSED),
    "RST unread": (reset_unread, None, Failure.CLOSED),
    "RST at once": (reset_at_once, None, Failure.CLOSED),
    "RST in the head": (reset_in_the_head, None, Failure.CLOSED),
    "RST in the body": (reset_in_the_body, 200, None),
    "endless body": (pour, 200, None),
    "endless head": (pour_head, None, Failure.HTTP),
    "endless 100 Continue": (pour_continues, None, Failure.TIMEOUT),
    "1 byte a second, head": (drip_head, None, Failure.TIMEOUT),
    "1 byte a second, body": (drip_body, 200, None),
    "gzip bomb": (bomb, 200, None),
    "nonsense": (talk_nonsense, None, Failure.HTTP),
    "broken chunks": (lie_about_chunks, 200, None),
    "301 to the metadata service": (answering(METADATA), 301, None),
}
"""What it does, and the status and failure that follow. What comes after the head decides nothing."""


@pytest.mark.requirement("B1")
@pytest.mark.parametrize(("serve", "status", "failure"), HOSTILE.values(), ids=HOSTILE.keys())
async def test_B1_given_a_hostile_receiver_when_pushed_then_classified_bounded_and_the_next_push_works(
    serve: Any, status: int | None, failure: Failure | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("controller.pushes.exchange._ANSWER_PATIENCE", 0.15)
    limit = 0.6 if failure is Failure.TIMEOUT else 5
    loop = asyncio.get_running_loop()
    async with (
        raw_server(serve) as hostile,
        raw_server(keep_saying_ok) as friendly,
        http_sender(timeout=limit) as sender,
    ):
        began = loop.time()
        delivery = await sender.send(f"http://127.0.0.1:{hostile}/", b"{}", {})
        took = loop.time() - began
        after = await sender.send(f"http://127.0.0.1:{friendly}/", b"{}", {})

    assert (delivery.status, delivery.failure) == (status, failure)
    assert took < limit + 1.5
    assert len(delivery.answer) <= ANSWER_KEPT
    assert after.accepted


async def test_given_a_long_answer_when_pushed_then_its_first_2_kb_are_kept() -> None:
    async def answer(reader: Reader, writer: Writer) -> None:
        await read_request(reader)
        body = bytes(range(256)) * 16
        writer.write(f"HTTP/1.1 500 Oh\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
        await reader.read()

    async with raw_server(answer) as port, http_sender() as sender:
        delivery = await sender.send(f"http://127.0.0.1:{port}/", b"{}", {})

    assert delivery.answer == bytes(range(256)) * 8


async def test_given_a_redirect_when_pushed_then_nobody_is_asked_at_its_end() -> None:
    asked: list[bytes] = []

    async def note(reader: Reader, writer: Writer) -> None:
        asked.append(await read_request(reader))

    async with raw_server(note) as elsewhere:
        to = answering(f"307 Elsewhere\r\nLocation: http://127.0.0.1:{elsewhere}/")
        async with raw_server(to) as port, http_sender() as sender:
            delivery = await sender.send(f"http://127.0.0.1:{port}/", b"{}", {})

    assert delivery.status == 307
    assert asked == []


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("120", 120),
        ("0", 0),
        ("Tue, 24 Nov 2026 08:01:00 GMT", 60),
        ("Tue, 24 Nov 2026 07:00:00 GMT", 0),
        ("soon", None),
        ("-5", None),
        ("9" * 50, 999999999),
    ],
)
def test_given_a_retry_after_header_when_read_then_seconds(header: str | None, seconds: float | None) -> None:
    from datetime import UTC, datetime

    assert retry_after(header, datetime(2026, 11, 24, 8, 0, tzinfo=UTC)) == seconds
