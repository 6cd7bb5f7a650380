"""What is left out of the head of a request before it is read as HTTP."""

import pytest

from controller.api.listener import without_nameless

BODY = b"\r\n\r\none line\r\nanother line\r\n\r\n"


@pytest.mark.parametrize(
    ("lines", "left"),
    [
        ([b"Host: x", b"Content-Type text/plain", b"A:b"], [b"Host: x", b"A:b"]),
        ([b"application/json; charset=UTF-8", b"Host: x"], [b"Host: x"]),
        ([b"nonsense"], []),
        ([b"Host: x", b" folded"], [b"Host: x", b" folded"]),
        ([b"Host: x"], [b"Host: x"]),
        ([], []),
    ],
)
def test_given_lines_without_a_colon_when_tidied_then_they_alone_are_gone(
    lines: list[bytes], left: list[bytes]
) -> None:
    first = b"POST /a HTTP/1.1"

    assert without_nameless(b"\r\n".join([first, *lines]) + BODY) == b"\r\n".join([first, *left]) + BODY


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\r\n",
        b"POST",
        b"POST /a HTTP/1.1\r\nnonse",
        b"\r\nPOST /a HTTP/1.1\r\nnonsense\r\n\r\n",
        b"\r\n\r\n",
    ],
)
def test_given_no_whole_head_when_tidied_then_it_stays(data: bytes) -> None:
    assert without_nameless(data) == data
