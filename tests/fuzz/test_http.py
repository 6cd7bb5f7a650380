"""Bytes on the API's port: whatever comes, the answer is no fault of ours, and the next request is served."""

import asyncio
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fuzz.conftest import Served
from fuzz.effort import tries

pytestmark = pytest.mark.requirement("A4.1")

_LINE = st.builds(
    lambda method, path, version: b" ".join([method, path, version]),
    st.sampled_from([b"GET", b"POST", b"TRACE", b"CONNECT", b"PRI", b"get", b""]) | st.binary(max_size=6),
    st.sampled_from(
        [
            *(b"/", b"*", b"/console/login", b"/api/v1/accounts", b"/api/v1/%00", b"//x//", b"http://x/"),
            *(b"/console/static/../../settings.py", b"/console/static/%2e%2e%2fforms.py", b"/" + b"a" * 9000),
        ]
    )
    | st.binary(max_size=20),
    st.sampled_from([b"HTTP/1.1", b"HTTP/1.0", b"HTTP/2.0", b"HTTP/9.9", b""]) | st.binary(max_size=6),
)
_HEADER = st.builds(
    lambda name, value: name + b": " + value,
    st.sampled_from(
        [
            *(
                b"Host",
                b"Content-Length",
                b"Transfer-Encoding",
                b"Expect",
                b"Upgrade",
                b"Connection",
                b"Cookie",
            ),
            *(b"Authorization", b"Content-Type", b"X-Forwarded-For", b"X-HTTP-Method-Override", b"Accept"),
        ]
    )
    | st.binary(max_size=8),
    st.sampled_from([b"x", b"0", b"3", b"-1", b"chunked", b"100-continue", b"websocket", b"voicecall=\x00"])
    | st.binary(max_size=20),
)
REQUESTS = st.binary(max_size=200) | st.builds(
    lambda line, headers, body: b"\r\n".join([line, *headers, b"", body]),
    _LINE,
    st.lists(_HEADER, max_size=6),
    st.binary(max_size=60),
)


_QUIET = 0.1
"""Seconds of silence after which no answer is waited for: the server waits for the rest of the request."""


async def _ask(url: str, raw: bytes, patience: float = _QUIET) -> bytes:
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    answer = b""
    try:
        writer.write(raw)
        async with asyncio.timeout(patience):
            while part := await reader.read(65536):
                answer += part
    except (ConnectionError, TimeoutError):
        pass
    finally:
        writer.transport.abort()
    return answer


@given(raw=REQUESTS)
@tries(60)
def test_given_any_bytes_on_the_port_when_sent_then_it_is_no_fault_of_ours_and_the_next_is_served(
    served: Served, raw: bytes
) -> None:
    answer = served.do(_ask(served.url, raw))
    for head in answer.split(b"HTTP/1.")[1:]:
        assert not head[2:].startswith(b"5"), answer[:500]
    good = served.do(
        _ask(served.url, b"GET /console/login HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", 20)
    )
    assert good.startswith(b"HTTP/1.1 200 ")
