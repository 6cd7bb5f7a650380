"""Checks of the machine: its name, folders, ports and certificate."""

import os
import socket
import tempfile
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import aiohttp

from controller.agi import answers
from controller.api.certificate import expiry
from controller.api.listener import tls_context
from controller.doctor.finding import Finding, Level, fault, ok, opened_http
from controller.settings import HttpSettings, Settings

_RENEWAL = timedelta(days=21)
"""A certificate that lasts no longer is worth a warning."""


def host_name(name: str, resolve: Callable[[str], object]) -> Finding:
    """Asterisk stalls every call for seconds when it can't resolve its own host name."""
    try:
        resolve(name)
    except OSError:
        return fault(
            "host name",
            f"{name} does not resolve, which stalls every call for seconds",
            f"add a line to /etc/hosts: 127.0.1.1 {name}",
        )
    return ok("host name", f"{name} resolves")


def writable(name: str, directory: Path, remedy: str, *, make: bool = True) -> Finding:
    """A file can be written in the directory."""
    try:
        if make:
            directory.mkdir(parents=True, exist_ok=True)
        if not directory.is_dir():
            return fault(name, f"{directory} does not exist", remedy)
        with tempfile.TemporaryFile(dir=directory) as file:
            file.write(b"doctor")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        return fault(name, f"{directory} can't be written: {error.strerror}", remedy)
    return ok(name, f"{directory} can be written")


async def port(settings: Settings) -> Finding:
    """The HTTP port is free, or this very program has it."""
    return await _port("http", settings.http.address, settings.http.port, partial(_serves, settings))


async def _serves(settings: Settings) -> bool:
    """Whether a controller answers where these settings have it."""
    scheme = "https" if settings.http.tls_certificate else "http"
    return await _is_voicecall(f"{scheme}://{settings.http.address}:{settings.http.port}")


def tls(http: HttpSettings, now: datetime) -> Finding:
    """The certificate can be used, belongs to its key, and has not expired."""
    name = "certificate"
    if not http.tls_certificate:
        return ok(name, "none: the API speaks plain HTTP")
    try:
        tls_context(http)
        expires_at = expiry(Path(http.tls_certificate).read_bytes())
    except (OSError, ValueError) as error:
        return fault(name, str(error), "renew the files, or set http.tls_certificate and http.tls_key")
    left = expires_at - now
    if left <= timedelta(0):
        return fault(name, f"expired on {expires_at:%Y-%m-%d}", "renew it and send the controller SIGHUP")
    if left < _RENEWAL:
        return Finding(name, Level.WARNING, f"expires on {expires_at:%Y-%m-%d}", "renew it, then SIGHUP")
    return ok(name, f"belongs to its key; expires on {expires_at:%Y-%m-%d}")


async def agi_port(settings: Settings) -> Finding:
    """The port of the dialplan's door is free, or a controller has it."""
    address, number = settings.agi.address, settings.agi.port
    if not settings.agi.enabled:
        return ok("agi port", "the dialplan's door is switched off")
    return await _port("agi", address, number, partial(answers, f"agi://{address}:{number}"))


async def _port(section: str, address: str, number: int, is_ours: Callable[[], Awaitable[bool]]) -> Finding:
    name = f"{section} port"
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, number))
        except OSError as error:
            if await is_ours():
                return ok(name, f"a controller serves on {address}:{number}")
            return fault(
                name,
                f"{address}:{number} can't be had: {error.strerror}",
                f"end the program that has it or set {section}.port",
            )
    return ok(name, f"{address}:{number} is free")


async def _is_voicecall(url: str) -> bool:
    try:
        async with opened_http() as http, http.get(f"{url}/healthz", ssl=False) as answer:
            return answer.status == 200 and (await answer.json()).get("live") is True
    except (aiohttp.ClientError, TimeoutError, ValueError):
        return False
