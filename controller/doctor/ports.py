"""The ports that controller and Asterisk listen on: each is free, or its own program has it."""

import re
import socket
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp

from controller.agi import answers
from controller.capture.holder import is_held
from controller.doctor.finding import Finding, fault, http_client, ok
from controller.settings import HttpSettings, Settings

_SIP_BIND = re.compile(r"^bind\s*=\s*([^\s;]+):(\d+)", re.MULTILINE)


async def ports(settings: Settings, *, asterisk_runs: bool) -> list[Finding]:
    """Those of the controller, and those of an Asterisk on this machine that is not running yet."""
    findings = [await _http_port(settings), await _agi_port(settings), await _capture_port(settings)]
    if not asterisk_runs:
        findings += await _asterisk_ports(settings)
    return findings


async def _http_port(settings: Settings) -> Finding:
    address, number = settings.http.address, settings.http.port
    return await _port("http", address, number, partial(controller_answers, settings.http))


async def _agi_port(settings: Settings) -> Finding:
    address, number = settings.agi.address, settings.agi.port
    if not settings.agi.enabled:
        return ok("agi port", "the dialplan's door is switched off")
    return await _port("agi", address, number, partial(answers, f"agi://{address}:{number}"))


async def _capture_port(settings: Settings) -> Finding:
    address, number = settings.capture.address, settings.capture.port
    if not settings.capture.enabled:
        return ok("capture port", "SIP and RTCP of calls are not kept")

    async def is_ours() -> bool:
        return is_held(settings.capture_file, number)

    return await _port("capture", address, number, is_ours, kind=socket.SOCK_DGRAM)


async def _asterisk_ports(settings: Settings) -> list[Finding]:
    """`voicecall up` needs them; on another machine they are Asterisk's own affair."""
    ari, node = urlsplit(settings.asterisk.ari_url), settings.asterisk
    wanted = [
        ("ari port", ari.hostname or "", ari.port or 80, socket.SOCK_STREAM, "asterisk.ari_url"),
        ("ami port", node.ami_address, node.ami_port, socket.SOCK_STREAM, "asterisk.ami_port"),
    ]
    if (sip := _sip_address(node.etc_dir)) is not None:
        wanted.append(("sip port", *sip, socket.SOCK_DGRAM, "--sip-port of `voicecall up`"))
    return [
        _taken(name, address, number, error, setting) if error else ok(name, f"{address}:{number} is free")
        for name, address, number, kind, setting in wanted
        if is_here(address)
        for error in [_bind_error(address, number, kind)]
    ]


def _sip_address(etc_dir: Path) -> tuple[str, int] | None:
    """Where Asterisk is told to speak SIP; None: it has not been told yet, or not in a file of ours."""
    try:
        found = _SIP_BIND.search((etc_dir / "pjsip.conf").read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return (found[1], int(found[2])) if found else None


def is_here(address: str) -> bool:
    """Whether an address is one of this machine: a port of any number can be had there."""
    return _bind_error(address, 0, socket.SOCK_DGRAM) is None


async def _port(
    section: str,
    address: str,
    number: int,
    is_ours: Callable[[], Awaitable[bool]],
    kind: int = socket.SOCK_STREAM,
) -> Finding:
    name = f"{section} port"
    error = _bind_error(address, number, kind)
    if error is None:
        return ok(name, f"{address}:{number} is free")
    if await is_ours():
        return ok(name, f"a controller has {address}:{number}")
    return _taken(name, address, number, error, f"{section}.port")


def _taken(name: str, address: str, number: int, error: str, setting: str) -> Finding:
    text = f"{address}:{number} can't be had: {error}"
    return fault(name, text, f"end the program that has it or set {setting}")


def _bind_error(address: str, number: int, kind: int) -> str | None:
    """Why an address can't be listened on; None: it can."""
    try:
        family, _kind, _protocol, _name, resolved = socket.getaddrinfo(address, number, type=kind)[0]
        with socket.socket(family, kind) as probe:
            if kind == socket.SOCK_STREAM:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(resolved)
    except OSError as error:
        return error.strerror or str(error)
    return None


async def controller_answers(settings: HttpSettings) -> bool:
    """Whether a controller's API is where these settings have it."""
    scheme = "https" if settings.tls_certificate else "http"
    url = f"{scheme}://{settings.address}:{settings.port}/healthz"
    try:
        async with http_client() as http, http.get(url, ssl=False) as answer:
            return answer.status == 200 and (await answer.json()).get("live") is True
    except (aiohttp.ClientError, TimeoutError, ValueError):
        return False
