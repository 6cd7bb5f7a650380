"""The receiver that says when pushes arrived."""

import asyncio
import time
from urllib.parse import urlsplit

from benchmarks.arrivals import arrivals


async def test_given_pushes_on_one_connection_when_they_arrive_then_each_is_answered_and_has_its_moment() -> (
    None
):
    came: asyncio.Queue[tuple[bytes, float]] = asyncio.Queue()
    with arrivals(lambda body, at: came.put_nowait((body, at))) as url:
        address = urlsplit(url)
        reader, writer = await asyncio.open_connection(address.hostname, address.port)
        for body in (b"first", b"the second"):
            before = time.time()
            writer.write(b"POST /s HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % len(body))
            await writer.drain()
            writer.write(body)

            assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
            told, at = await came.get()
            assert told == body
            assert before <= at <= time.time()
        writer.close()
        await writer.wait_closed()


async def test_given_a_sender_that_goes_in_the_middle_when_it_has_gone_then_nothing_is_told() -> None:
    came: asyncio.Queue[tuple[bytes, float]] = asyncio.Queue()
    with arrivals(lambda body, at: came.put_nowait((body, at))) as url:
        address = urlsplit(url)
        reader, writer = await asyncio.open_connection(address.hostname, address.port)
        writer.write(b"POST /s HTTP/1.1\r\nContent-Length: 9\r\n\r\nhalf")
        writer.write_eof()

        assert await reader.read() == b""
        assert came.empty()
        writer.close()
        await writer.wait_closed()
