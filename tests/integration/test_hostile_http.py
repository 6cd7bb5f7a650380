"""What no client of good will sends, on raw sockets, to the running platform.

Each gets a JSON refusal or a closed connection, never a 5xx; no call is made and no trace lands in the log.
"""

import asyncio
import gzip
import json
import logging
import time
from urllib.parse import urlsplit

import pytest
from integration.support import APP_KEY, SECRET, Bench, StartBench
from sqlalchemy import func, select

from controller.settings import AuthenticationSettings, HttpSettings
from controller.store.tables import Call
from testbed.client import CALLNOTIFY, aksk_headers

QUIET_AFTER = 1.0
"""Seconds of `read_timeout` in these tests."""


def head(first: str = f"POST {CALLNOTIFY} HTTP/1.1", **more: str) -> bytes:
    """The head of a request that is signed well."""
    headers = {"Host": "x", **aksk_headers(APP_KEY, SECRET), **more}
    lines = [first, *(f"{name.replace('_', '-')}: {value}" for name, value in headers.items())]
    return "\r\n".join(lines).encode() + b"\r\n\r\n"


def request(body: bytes, **more: str) -> bytes:
    return head(Content_Length=str(len(body)), **more) + body


def field(value: str) -> bytes:
    return request(f'{{"userData":{value}}}'.encode())


def chunked(*chunks: bytes) -> bytes:
    return head(Transfer_Encoding="chunked") + b"".join(chunks)


def hostile() -> dict[str, tuple[bytes, int | None]]:
    """What is sent, and the status that is expected; None leaves that open, as long as it is no 5xx."""
    return {
        "the same member twice": (
            request(b'{"calleeNbr":"+8613900001111","calleeNbr":"+8613900001112"}'),
            403,
        ),
        "a number of 10,000 digits": (request(b'{"maxDuration":' + b"9" * 10_000 + b"}"), 403),
        "a number beyond all numbers": (field("1e999"), 403),
        "NaN": (field("NaN"), 403),
        "lists in lists, whole": (field("[" * 400 + "]" * 400), 403),
        "lists in lists, too many to read": (request(b"[" * 60_000), 403),
        "objects in objects": (field('{"a":' * 300 + "1" + "}" * 300), 403),
        "invalid UTF-8": (request(b'{"userData":"\xff\xfe"}'), 403),
        "UTF-16": (request('{"userData":"x"}'.encode("utf-16")), 403),
        "a byte order mark": (request(b"\xef\xbb\xbf{}"), 403),
        "NUL": (field('"\\u0000"'), 403),
        "half a surrogate pair": (field('"\\ud800"'), 403),
        "half a surrogate pair as a name": (request(b'{"\\udfff":1}'), 403),
        "a string of a megabyte": (field('"' + "x" * 1_000_000 + '"'), 413),
        "a string within the limit": (field('"' + "x" * 60_000 + '"'), 403),
        "a chunked body over the limit": (
            chunked(*[b"1000\r\n" + b" " * 4096 + b"\r\n"] * 20, b"0\r\n\r\n"),
            413,
        ),
        "a chunk of no length": (chunked(b"zz\r\n{}\r\n0\r\n\r\n"), 400),
        "a chunk longer than it says": (chunked(b"1\r\n{}\r\n0\r\n\r\n"), 400),
        "a chunk of a negative length": (chunked(b"-1\r\n{}\r\n0\r\n\r\n"), 400),
        "a length that is no number": (head(Content_Length="ten") + b"{}", 400),
        "a negative length": (head(Content_Length="-1") + b"{}", 400),
        "two lengths": (head(Content_Length="2", content_length="3") + b"{}x", 400),
        "a length and chunks": (head(Content_Length="2", Transfer_Encoding="chunked") + b"0\r\n\r\n", 400),
        "an unknown transfer encoding": (head(Transfer_Encoding="rot13") + b"{}", 400),
        "a gzip body": (request(gzip.compress(b"{}"), Content_Encoding="gzip"), 415),
        "a broken gzip body": (request(b"\x1f\x8b not gzip", Content_Encoding="gzip"), 415),
        "two codings": (request(b"{}", Content_Encoding="UTF-8, br"), 415),
        "many headers": (head(**{f"X_{number}": "x" for number in range(2_000)}), 400),
        "a long header": (head(X_Long="x" * 100_000), 400),
        "a header of one word": (head(X_AKSK="UsernameToken " + "x" * 7_900), 403),
        "a URL too long": (head(f"POST {CALLNOTIFY}?{'x' * 100_000} HTTP/1.1"), 400),
        "a header without a colon": (b"POST / HTTP/1.1\r\nHost: x\r\nnonsense\r\n\r\n", 404),
        "a header without a name": (b"POST / HTTP/1.1\r\nHost: x\r\n: nonsense\r\n\r\n", 400),
        "a header with a space before its colon": (b"POST / HTTP/1.1\r\nHost : x\r\n\r\n", 400),
        "no header but one without a colon": (b"POST / HTTP/1.1\r\nnonsense\r\n\r\n", 400),
        "a header with NUL": (head(X_Nul="a\0b"), 400),
        "no HTTP at all": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
        "an unknown version of HTTP": (b"POST / HTTP/9.9\r\nHost: x\r\n\r\n", 400),
        "HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
        "HTTP/1.0": (head(f"POST {CALLNOTIFY} HTTP/1.0", Content_Length="2") + b"{}", 403),
        "an unknown method": (head("BREW / HTTP/1.1"), 400),
        "CONNECT": (head("CONNECT example.net:443 HTTP/1.1"), None),
        "a WebSocket": (head(f"GET {CALLNOTIFY} HTTP/1.1", Connection="Upgrade", Upgrade="websocket"), 405),
        "a path upwards": (head("GET /../../etc/passwd HTTP/1.1"), 404),
        "a path that is no text": (b"GET /\xff%ff%00 HTTP/1.1\r\nHost: x\r\n\r\n", None),
        "a token that is no text": (
            b"POST " + CALLNOTIFY.encode() + b"?access_token=%ff%00 HTTP/1.1\r\n"
            b"Host: x\r\nContent-Length: 2\r\n\r\n{}",
            403,
        ),
        "a digest that is no text": (head().replace(b'PasswordDigest="', b'PasswordDigest="\xff\xfe'), 400),
        "a password that is no text": (
            b"POST /rest/fastlogin/v1.0?app_key=test-app&username=test-user HTTP/1.1\r\nHost: x\r\n"
            b"Authorization: \xff\xfe\r\nContent-Length: 0\r\n\r\n",
            403,
        ),
        "a form with a charset that isn't one": (
            b"POST /omp/oauth/refresh HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n"
            b"Content-Type: application/x-www-form-urlencoded; charset=klingon\r\n\r\n%ff",
            403,
        ),
        "a form of very many fields": (
            b"POST /omp/oauth/refresh HTTP/1.1\r\nHost: x\r\nContent-Length: 40000\r\n"
            b"Content-Type: application/x-www-form-urlencoded\r\n\r\n" + b"a=1&" * 10_000,
            403,
        ),
        "a multipart body that isn't one": (
            b"POST /omp/oauth/refresh HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n"
            b"Content-Type: multipart/form-data\r\n\r\n{}",
            403,
        ),
        "an expectation nobody meets": (request(b"{}", Expect="the-unexpected"), 403),
        "a Host that is none": (b"GET /rest/provision/voice/record/v1.0 HTTP/1.1\r\nHost: a b\r\n\r\n", None),
    }


def drops(what: str) -> list[bytes]:
    """A request that comes in a thousand pieces."""
    match what:
        case "head":
            return [bytes([byte]) for byte in head(X_Long="x" * 1000)]
        case "body":
            return [head(Content_Length="1000"), *[b" "] * 1000]
        case "chunks":
            return [head(Transfer_Encoding="chunked"), *[b"1\r\n \r\n"] * 1000]
        case _:
            return []


async def exchange(b: Bench, *parts: bytes, pause: float = 0, timeout: float = 10) -> bytes:
    """Send parts on one connection and read until the server closes it."""
    address = urlsplit(b.controller.url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    try:
        async with asyncio.timeout(timeout):
            try:
                for part in parts:
                    writer.write(part)
                    await writer.drain()
                    await asyncio.sleep(pause)
                return await reader.read()
            except ConnectionError:
                return b""
    finally:
        writer.close()


def status_of(answer: bytes) -> int | None:
    """The status of a JSON refusal; None for a connection that was closed without one."""
    if not answer:
        return None
    top, _, body = answer.partition(b"\r\n\r\n")
    assert b"application/json" in top.lower(), answer
    assert b"connection: close" in top.lower() or top.startswith(b"HTTP/1.0"), answer
    told = json.loads(body)
    assert told["resultcode"] not in ("0", "1010001"), told
    assert told["resultdesc"]
    return int(top.split()[1])


async def unharmed(b: Bench, caplog: pytest.LogCaptureFixture) -> None:
    """Nothing was called, nothing was logged, and the next call is as ever."""
    made = await b.controller.database.read(
        lambda session: session.execute(select(func.count()).select_from(Call)).scalar_one()
    )
    assert made == 0
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []
    await b.over(await b.notify(callee="+99901600001"))


@pytest.mark.requirement("A4.5")
async def test_A4_5_given_hostile_bytes_when_each_is_sent_then_a_refusal_and_no_call_and_no_trace(
    bench: StartBench, caplog: pytest.LogCaptureFixture
) -> None:
    b = await bench(phones={}, sections={"http": HttpSettings(port=0, read_timeout=5)})

    sent = hostile()

    found = {name: status_of(await exchange(b, raw)) for name, (raw, _status) in sent.items()}

    wrong = {
        name: status
        for name, status in found.items()
        if sent[name][1] not in (None, status) or (status or 0) >= 500
    }
    assert wrong == {}
    await unharmed(b, caplog)


@pytest.mark.requirement("A4.5")
@pytest.mark.parametrize("what", ["head", "body", "chunks", "nothing"])
async def test_A4_5_given_a_request_that_drips_when_it_takes_too_long_then_the_connection_is_closed(
    bench: StartBench, caplog: pytest.LogCaptureFixture, what: str
) -> None:
    b = await bench(phones={}, sections={"http": HttpSettings(port=0, read_timeout=QUIET_AFTER)})

    began = time.monotonic()
    answer = await exchange(b, *drops(what), pause=0.05)

    assert answer == b""
    assert QUIET_AFTER * 0.9 < time.monotonic() - began < QUIET_AFTER + 8
    await unharmed(b, caplog)


@pytest.mark.requirement("A4.5")
async def test_A4_5_given_pipelined_requests_when_sent_then_the_first_is_answered_and_the_rest_dropped(
    bench: StartBench, caplog: pytest.LogCaptureFixture
) -> None:
    b = await bench(phones={})

    answer = await exchange(b, request(b"{}") * 5)

    assert status_of(answer) == 403
    assert answer.count(b"HTTP/1.1") == 1
    await unharmed(b, caplog)


@pytest.mark.requirement("A4.5")
async def test_A4_5_given_a_client_that_waits_for_100_continue_when_it_calls_then_it_is_told_to_go_on(
    bench: StartBench,
) -> None:
    b = await bench(phones={})
    body = json.dumps(b.request(callee="+99901600001")).encode()
    first = head(Content_Length=str(len(body)), Expect="100-continue")

    answer = await exchange(b, first, body, pause=0.2)

    assert answer.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n")


@pytest.mark.requirement("A4.5")
@pytest.mark.parametrize(
    "line", ["application/x-www-form-urlencoded; charset=UTF-8", "Content-Type text/plain"]
)
async def test_A4_5_given_a_client_whose_content_type_has_no_colon_when_it_calls_then_the_line_is_passed_over(
    bench: StartBench, line: str
) -> None:
    b = await bench(phones={})
    body = json.dumps(b.request(callee="+99901600001")).encode()
    first, _, rest = request(body).partition(b"\r\n")

    answer = await exchange(b, first + b"\r\n" + line.encode() + b"\r\n" + rest)

    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")


@pytest.mark.requirement("A4.5")
async def test_A4_5_given_clients_that_leave_early_when_they_have_gone_then_nothing_is_left_of_them(
    bench: StartBench, caplog: pytest.LogCaptureFixture
) -> None:
    b = await bench(phones={})
    address = urlsplit(b.controller.url)

    for part in (b"", head()[:50], head(Content_Length="100") + b"{"):
        _reader, writer = await asyncio.open_connection(address.hostname, address.port)
        writer.write(part)
        await writer.drain()
        writer.transport.abort()

    await unharmed(b, caplog)


@pytest.mark.requirement("A4.5")
async def test_A4_5_given_a_locked_address_when_it_goes_on_then_each_post_is_refused_and_health_is_told(
    bench: StartBench,
) -> None:
    locked_soon = AuthenticationSettings(lock_after=1)
    b = await bench(phones={}, sections={"authentication": locked_soon})
    guess = request(b"{}").replace(b'PasswordDigest="', b'PasswordDigest="x')
    first = await exchange(b, guess)
    began = time.monotonic()

    refusals = [await exchange(b, raw) for raw in (guess, request(b"{}"), b"POST nonsense")]
    health = await exchange(b, b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
    silence = await exchange(b)

    assert status_of(first) == 400
    assert [status_of(refusal) for refusal in refusals] == [403, 403, 403]
    assert all(b'"1020176"' in refusal for refusal in refusals)
    assert health.startswith(b"HTTP/1.1 200 OK\r\n")
    assert silence == b""
    assert time.monotonic() - began < 20
