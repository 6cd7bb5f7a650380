"""The way of a phone in a browser to Asterisk: a WebSocket on each side, and what may pass between them.

Asterisk's HTTP port is reached by the controller alone. A browser's phone only takes calls, so of requests it
may send the few that a phone that is called has, and registers as nobody but itself.
"""

import asyncio
import contextlib
import logging
import re
from collections.abc import Awaitable, Callable
from typing import Final

import aiohttp
from aiohttp import WSCloseCode, WSMsgType, web

from controller.asterisk.phones import Phone

log = logging.getLogger(__name__)

SUBPROTOCOL: Final = "sip"
LARGEST_MESSAGE: Final = 32768
"""Bytes; an offer of a browser has 3 kB."""
SWITCHED_OFF: Final = 4000
"""Close code: the phone was switched off, or its session or time is over."""

_HEARTBEAT: Final = 15.0
_LOOK: Final = 2.0
"""Seconds between two looks whether the session goes on."""
_CONNECTING: Final = aiohttp.ClientTimeout(total=None, sock_connect=5)
_ALLOWED: Final = frozenset({"REGISTER", "ACK", "BYE", "CANCEL", "INFO", "PRACK", "UPDATE"})
_FROM_USER: Final = re.compile(r"^(?:from|f)\s*:[^\r\n]*?sips?:([^@>;\r\n]+)@", re.IGNORECASE | re.MULTILINE)
_REGISTERED: Final = re.compile(
    r"^SIP/2\.0 200 .*?^CSeq:\s*\d+\s+REGISTER", re.IGNORECASE | re.MULTILINE | re.DOTALL
)


def refusal(message: str, user: str) -> str | None:
    """Why a message of a browser isn't carried; None: it is."""
    if not message.strip():
        return None
    method = message.split(" ", 1)[0]
    if method == "SIP/2.0":
        return None
    if method not in _ALLOWED:
        return f"a phone in a browser sends no {method[:16]}"
    if method == "REGISTER":
        named = _FROM_USER.search(message)
        if named is None or named[1] != user:
            return "a phone registers as itself alone"
    return None


def is_registration(message: str) -> bool:
    """Whether Asterisk says that the phone is registered."""
    return _REGISTERED.match(message) is not None


async def carry(
    request: web.Request, phone: Phone, ari_url: str, goes_on: Callable[[], Awaitable[bool]]
) -> web.StreamResponse:
    """Carry SIP between a browser and Asterisk until one of them leaves or the phone is switched off.

    :param goes_on: whether the session that the phone belongs to is still there.
    """
    browser = web.WebSocketResponse(
        protocols=(SUBPROTOCOL,), heartbeat=_HEARTBEAT, max_msg_size=LARGEST_MESSAGE, compress=False
    )
    async with aiohttp.ClientSession(timeout=_CONNECTING) as http:
        try:
            asterisk = await http.ws_connect(
                f"{ari_url.rstrip('/')}/ws",
                protocols=(SUBPROTOCOL,),
                max_msg_size=LARGEST_MESSAGE,
                compress=0,
            )
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            log.warning("A phone can't reach Asterisk", extra={"error": str(error)})
            return web.Response(status=503, text="Asterisk can't be reached now")
        async with asterisk:
            await browser.prepare(request)
            code, reason = await _first_end(
                _to_asterisk(browser, asterisk, phone),
                _to_browser(asterisk, browser, phone),
                _switched_off(phone, goes_on),
            )
            phone.registered = False
            with contextlib.suppress(ConnectionError):
                await browser.close(code=code, message=reason.encode())
    return browser


_End = tuple[int, str]


async def _first_end(*works: Awaitable[_End]) -> _End:
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        return done.pop().result()
    except ConnectionError:
        return WSCloseCode.GOING_AWAY, "the connection was lost"
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _to_asterisk(
    browser: web.WebSocketResponse, asterisk: aiohttp.ClientWebSocketResponse, phone: Phone
) -> _End:
    async for message in browser:
        if message.type is not WSMsgType.TEXT:
            return WSCloseCode.UNSUPPORTED_DATA, "SIP is text"
        why = refusal(message.data, phone.name)
        if why is not None:
            return WSCloseCode.POLICY_VIOLATION, why
        await asterisk.send_str(message.data)
    return WSCloseCode.OK, ""


async def _to_browser(
    asterisk: aiohttp.ClientWebSocketResponse, browser: web.WebSocketResponse, phone: Phone
) -> _End:
    async for message in asterisk:
        if message.type not in (WSMsgType.TEXT, WSMsgType.BINARY):
            break
        text = message.data if message.type is WSMsgType.TEXT else message.data.decode("utf-8", "replace")
        if is_registration(text) and not phone.ended.is_set():
            phone.registered = True
        await browser.send_str(text)
    return WSCloseCode.GOING_AWAY, "Asterisk has ended the connection"


async def _switched_off(phone: Phone, goes_on: Callable[[], Awaitable[bool]]) -> _End:
    while await goes_on():
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LOOK):
                await phone.ended.wait()
                return SWITCHED_OFF, "switched off"
    return SWITCHED_OFF, "the session is over"
