"""What receivers of pushes answer: any bytes at all, and the sender tells what it was and goes on."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from unit.pushes.support import http_sender, raw_server, read_request

from controller.pushes.exchange import ANSWER_KEPT
from controller.pushes.http_sender import HttpSender
from controller.pushes.receiver import Delivery, retry_after
from fuzz.conftest import Alive
from fuzz.effort import tries

pytestmark = pytest.mark.requirement("B1")

_LINE = st.sampled_from(
    [
        b"HTTP/1.1 200 OK",
        b"HTTP/1.1 204 No Content",
        b"HTTP/1.1 301 Moved",
        b"HTTP/1.1 503 Busy",
        b"HTTP/1.1 999 ",
        b"HTTP/1.0 200",
        b"HTTP/2 200 OK",
        b"ICY 200 OK",
        b"200",
        b"",
    ]
) | st.binary(max_size=20)
_HEADER = st.builds(
    lambda name, value: name + b": " + value,
    st.sampled_from(
        [
            b"Content-Length",
            b"Transfer-Encoding",
            b"Content-Encoding",
            b"Retry-After",
            b"Location",
            b"Set-Cookie",
        ]
    )
    | st.binary(max_size=8),
    st.sampled_from([b"2", b"0", b"-1", b"9" * 30, b"chunked", b"gzip", b"http://169.254.169.254/", b"1e9"])
    | st.binary(max_size=20),
)
ANSWERS = st.binary(max_size=200) | st.builds(
    lambda line, headers, body: b"\r\n".join([line, *headers, b"", body]),
    _LINE,
    st.lists(_HEADER, max_size=5),
    st.binary(max_size=60),
)


@dataclass
class Receiver:
    """Answers what it is told to, and then ends the connection."""

    sender: HttpSender
    port: int = 0
    answer: bytes = b""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if await read_request(reader):
            writer.write(self.answer)
            await writer.drain()
            writer.write_eof()
            await reader.read()

    async def push(self, answer: bytes) -> Delivery:
        self.answer = answer
        return await self.sender.send(f"http://127.0.0.1:{self.port}/", b"{}", {})


@asynccontextmanager
async def _receiver() -> AsyncIterator[Receiver]:
    async with http_sender() as sender:
        made = Receiver(sender)
        async with raw_server(made.serve) as made.port:
            yield made


@pytest.fixture(scope="module")
def receiver() -> Iterator[Alive[Receiver]]:
    with Alive(_receiver) as made:
        yield made


@given(answer=ANSWERS)
@tries(150)
def test_B1_given_any_bytes_as_an_answer_when_pushed_then_it_is_told_what_they_were(
    receiver: Alive[Receiver], answer: bytes
) -> None:
    delivery = receiver.do(receiver.made.push(answer))

    assert (delivery.status is None) == (delivery.failure is not None)
    assert len(delivery.answer) <= ANSWER_KEPT
    assert delivery.retry_after is None or delivery.retry_after >= 0
    assert receiver.do(receiver.made.push(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")).status == 200


@given(
    header=st.text(max_size=40)
    | st.builds(
        "{}, {} {} {} {}:{}:{} {}".format,
        st.sampled_from(["Mon", "Xyz", ""]),
        st.integers(),
        st.sampled_from(["Jan", "Foo"]),
        st.integers(),
        st.integers(0, 99),
        st.integers(0, 99),
        st.integers(0, 99),
        st.sampled_from(["GMT", "+9999", "-2500", "+99999999999"]),
    )
)
@example("Mon, 1 Jan 99999999999999999999 00:00:00 GMT")
@tries(300)
def test_given_any_retry_after_when_read_then_it_is_seconds_or_nothing(header: str) -> None:
    found = retry_after(header, datetime(2026, 11, 26, tzinfo=UTC))
    assert found is None or found >= 0
