"""Asterisk's side of a conversation, to find out whether a controller is behind an address."""

import asyncio
from urllib.parse import urlsplit

_OPENING = b"agi_network: yes\nagi_network_script: doctor\n\n"


async def answers(url: str, timeout: float = 5) -> bool:
    """Whether a controller's door is at `url`, as in `agi://127.0.0.1:4573`; `timeout` in seconds."""
    address = urlsplit(url)
    try:
        async with asyncio.timeout(timeout):
            reader, writer = await asyncio.open_connection(address.hostname, address.port)
            try:
                return await _converse(reader, writer)
            finally:
                writer.close()
    except (OSError, ValueError, TimeoutError):
        return False


async def _converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
    writer.write(_OPENING)
    check = (await reader.readline()).split()
    if check[:3] != [b"GET", b"FULL", b"VARIABLE"]:
        return False
    writer.write(b"200 result=1 (%s)\n" % check[-1])
    answer = await reader.readline()
    writer.write(b"200 result=1\n")
    await writer.drain()
    return answer.startswith(b"SET VARIABLE VOICECALL_ERROR ")
