"""`voicecall doctor`: finds the usual misconfigurations and says what to do about each.

Every check looks at the real thing; one that can't look says so.
"""

import asyncio
import os
import socket
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TypeVar

import aiohttp

from controller.accounts.declaration import reserved_clashes
from controller.accounts.dialling import DiallingPolicy
from controller.accounts.directory import Directory, directory_of
from controller.agi import answers
from controller.api.certificate import expiry
from controller.api.listener import tls_context
from controller.asterisk.ami import AmiError, ami_session
from controller.asterisk.routing import TrunkConfiguration
from controller.door import AGI_VARIABLE
from controller.prompts.errors import ModelError
from controller.prompts.speech import models
from controller.settings import HttpSettings, Settings
from controller.speech import choose
from controller.store.database import Database, Work
from controller.store.directory import read_directory
from controller.store.errors import DatabaseUnusable
from controller.store.pushes import troubled_endpoints
from controller.store.schema import revisions

T = TypeVar("T")

_MINIMUM_VERSION, _GOOD_VERSION = (22, 10), (22, 10, 1)
_CLOCK_TOLERANCE = 5.0
"""Seconds between the controller's clock and Asterisk's."""

_RENEWAL = timedelta(days=21)
"""A certificate that lasts no longer is worth a warning."""

_PATIENCE = 5.0
"""Seconds for one look."""


class Level(StrEnum):
    """How bad a finding is."""

    OK = "ok"
    WARNING = "warning"
    FAULT = "fault"


@dataclass(frozen=True)
class Finding:
    """What one check found and what to do about it."""

    name: str
    level: Level
    text: str
    remedy: str = ""


def _ok(name: str, text: str) -> Finding:
    return Finding(name, Level.OK, text)


def _fault(name: str, text: str, remedy: str) -> Finding:
    return Finding(name, Level.FAULT, text, remedy)


async def examine(settings: Settings) -> list[Finding]:
    """Everything that was found."""
    findings = [
        host_name(socket.gethostname(), lambda name: socket.getaddrinfo(name, None)),
        writable("data directory", settings.data_dir.absolute(), "set data_dir to a folder you may write to"),
        await port(settings),
        tls(settings.http, datetime.now(UTC)),
        await agi_port(settings),
        await database(settings),
        await simulated_numbers(settings),
        await dialling(settings),
        writable(
            "recording directory",
            settings.asterisk.recording_dir,
            "`voicecall up` makes it when it starts; for an Asterisk of your own make it, and give it to "
            "Asterisk's user: without it every recording fails",
            make=False,
        ),
        writable(
            "trunk configuration",
            settings.asterisk.etc_dir,
            "`voicecall up` makes it when it starts; for an Asterisk of your own set asterisk.etc_dir and "
            "its permissions: the controller writes pjsip_trunks.conf there",
            make=False,
        ),
    ]
    findings.append(await speech(settings))
    findings += await endpoints(settings)
    findings += await asterisk(settings)
    return findings


def host_name(name: str, resolve: Callable[[str], object]) -> Finding:
    """Asterisk stalls every call for seconds when it can't resolve its own host name."""
    try:
        resolve(name)
    except OSError:
        return _fault(
            "host name",
            f"{name} does not resolve, which stalls every call for seconds",
            f"add a line to /etc/hosts: 127.0.1.1 {name}",
        )
    return _ok("host name", f"{name} resolves")


def writable(name: str, directory: Path, remedy: str, *, make: bool = True) -> Finding:
    """A file can be written in the directory."""
    try:
        if make:
            directory.mkdir(parents=True, exist_ok=True)
        if not directory.is_dir():
            return _fault(name, f"{directory} does not exist", remedy)
        with tempfile.TemporaryFile(dir=directory) as file:
            file.write(b"doctor")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        return _fault(name, f"{directory} can't be written: {error.strerror}", remedy)
    return _ok(name, f"{directory} can be written")


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
        return _ok(name, "none: the API speaks plain HTTP")
    try:
        tls_context(http)
        expires_at = expiry(Path(http.tls_certificate).read_bytes())
    except (OSError, ValueError) as error:
        return _fault(name, str(error), "renew the files, or set http.tls_certificate and http.tls_key")
    left = expires_at - now
    if left <= timedelta(0):
        return _fault(name, f"expired on {expires_at:%Y-%m-%d}", "renew it and send the controller SIGHUP")
    if left < _RENEWAL:
        return Finding(name, Level.WARNING, f"expires on {expires_at:%Y-%m-%d}", "renew it, then SIGHUP")
    return _ok(name, f"belongs to its key; expires on {expires_at:%Y-%m-%d}")


async def agi_port(settings: Settings) -> Finding:
    """The port of the dialplan's door is free, or a controller has it."""
    address, number = settings.agi.address, settings.agi.port
    if not settings.agi.enabled:
        return _ok("agi port", "the dialplan's door is switched off")
    return await _port("agi", address, number, partial(answers, f"agi://{address}:{number}"))


async def _port(section: str, address: str, number: int, is_ours: Callable[[], Awaitable[bool]]) -> Finding:
    name = f"{section} port"
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, number))
        except OSError as error:
            if await is_ours():
                return _ok(name, f"a controller serves on {address}:{number}")
            return _fault(
                name,
                f"{address}:{number} can't be had: {error.strerror}",
                f"end the program that has it or set {section}.port",
            )
    return _ok(name, f"{address}:{number} is free")


async def _is_voicecall(url: str) -> bool:
    try:
        async with _http() as http, http.get(f"{url}/healthz", ssl=False) as answer:
            return answer.status == 200 and (await answer.json()).get("live") is True
    except (aiohttp.ClientError, TimeoutError, ValueError):
        return False


async def database(settings: Settings) -> Finding:
    """The database can be reached; nothing in it is touched."""
    try:
        present, newest = await asyncio.to_thread(revisions, settings.database_url)
    except DatabaseUnusable as error:
        return _fault("database", str(error), "check database.url and the rights on the file or server")
    if present == newest:
        return _ok("database", f"can be reached, schema {present}")
    return _ok("database", f"can be reached; the next start brings its schema from {present} to {newest}")


async def endpoints(settings: Settings) -> list[Finding]:
    """No endpoint of a customer's is disabled, and receivers are who they say they are."""
    findings: list[Finding] = []
    if not settings.pushes.verify_tls:
        text = "certificates of receivers are not verified: anybody can take pushes in their name"
        findings.append(Finding("pushes", Level.WARNING, text, "set pushes.verify_tls, pushes.ca_file"))
    found = [row for row in await _read(settings, troubled_endpoints) or [] if row.disabled_at]
    if found:
        names = ", ".join(f"{row.url} of {row.app_key}" for row in found)
        text = f"{len(found)} disabled after days of failures, nothing is sent there: {names}"
        remedy = "when they work again: `voicecall cdr push`, or `voicecall pushes enable`"
        findings.append(Finding("pushes", Level.WARNING, text, remedy))
    return findings or [_ok("pushes", "no endpoint is disabled")]


async def speech(settings: Settings) -> Finding:
    """Templates and texts can be spoken, by which engine, and well."""
    name, choice = "speech", choose(settings)
    match choice.engine:
        case None if settings.speech.engine == "off":
            return _ok(name, "is off: requests with templates or texts are refused")
        case None:
            text = f"not available, requests with templates or texts are refused ({choice.reason})"
            remedy = "run `voicecall speech fetch`, or set speech.engine"
            level = Level.WARNING if settings.speech.engine == "auto" else Level.FAULT
            return Finding(name, level, text, remedy)
        case "kokoro":
            return await asyncio.to_thread(_embedded_voice, settings.speech_model_dir)
        case "http":
            return await _speech_server(settings.speech.http_url)
        case _:
            return Finding(
                name,
                Level.WARNING,
                "comes from espeak-ng: Chinese is hardly intelligible",
                "run `voicecall speech fetch` for the embedded voice",
            )


def _embedded_voice(folder: Path) -> Finding:
    try:
        for file in models.KOKORO_FILES:
            models.checked(folder, file)
    except ModelError as error:
        return _fault("speech", str(error), "remove the file and run `voicecall speech fetch`")
    return _ok("speech", f"the embedded voice, model in {folder}")


async def _speech_server(url: str) -> Finding:
    try:
        # Any answer will do: asking for speech could cost money.
        async with _http() as http, http.get(url, allow_redirects=False):
            return _ok("speech", f"{url} answers")
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        reason = str(error) or "no answer in time"
        return _fault(
            "speech", f"{url} can't be reached: {reason}", "start the server or set speech.http_url"
        )


async def asterisk(settings: Settings) -> list[Finding]:
    """What needs Asterisk: reachable, recent, same clock, AMI, trunks."""
    node = settings.asterisk
    credentials = aiohttp.encode_basic_auth(node.ari_user, node.ari_password.get_secret_value())
    try:
        async with _http(credentials) as http, http.get(f"{node.ari_url}/ari/asterisk/info") as answer:
            if answer.status in (401, 403):
                return [
                    _fault("asterisk", "ARI refuses the password", "compare asterisk.ari_* with ari.conf")
                ]
            if answer.status != 200:
                return [
                    _fault(
                        "asterisk",
                        f"{node.ari_url} answers {answer.status}: it is not ARI, or ARI is off",
                        "load res_ari.so and enable http.conf and ari.conf (see asterisk_conf/)",
                    )
                ]
            info = await answer.json()
            findings = [
                version(info["system"]["version"]),
                clock(answer.headers.get("Date"), datetime.now(UTC)),
            ]
    except (aiohttp.ClientError, TimeoutError, OSError):
        return [
            _fault("asterisk", f"{node.ari_url} can't be reached", "start Asterisk, or set asterisk.ari_url")
        ]
    findings.append(await _ami(settings))
    findings.append(await dialplan_door(settings, credentials))
    findings += await trunks(settings, credentials)
    return findings


@asynccontextmanager
async def _http(credentials: str | None = None) -> AsyncIterator[aiohttp.ClientSession]:
    headers = {"Authorization": credentials} if credentials else None
    timeout = aiohttp.ClientTimeout(total=_PATIENCE)
    async with aiohttp.ClientSession(headers=headers, timeout=timeout) as http:
        yield http


def version(text: str) -> Finding:
    """Asterisk is recent enough."""
    numbers = tuple(int(part) for part in text.split("+")[0].split("-")[0].split(".") if part.isdigit())
    if numbers < _MINIMUM_VERSION:
        return _fault("asterisk", f"Asterisk {text} is too old", "22.10.1 or later is needed")
    if numbers < _GOOD_VERSION:
        return Finding(
            "asterisk", Level.WARNING, f"Asterisk {text} has known faults under load", "use 22.10.1"
        )
    return _ok("asterisk", f"Asterisk {text} answers")


def clock(date_header: str | None, now: datetime) -> Finding:
    """The controller's clock and Asterisk's agree."""
    try:
        theirs = parsedate_to_datetime(date_header or "")
    except ValueError:
        return Finding(
            "clock", Level.WARNING, "Asterisk does not tell the time", "compare the clocks by hand"
        )
    if theirs.tzinfo is None:
        theirs = theirs.replace(tzinfo=UTC)
    difference = abs((now - theirs).total_seconds())
    if difference > _CLOCK_TOLERANCE:
        return _fault("clock", f"this clock and Asterisk's are {difference:.0f} s apart", "use NTP on both")
    return _ok("clock", "agrees with Asterisk's")


async def _ami(settings: Settings) -> Finding:
    try:
        async with ami_session(settings.asterisk) as ami:
            await ami.command("core show uptime")
    except AmiError as error:
        return _fault("ami", str(error), "compare asterisk.ami_* with manager.conf")
    return _ok("ami", "answers")


async def dialplan_door(settings: Settings, credentials: str) -> Finding:
    """Asterisk knows where the controller answers its dialplan."""
    ari = f"{settings.asterisk.ari_url}/ari"
    async with _http(credentials) as http:
        async with http.get(f"{ari}/applications/{settings.asterisk.application}") as answer:
            connected = answer.status == 200
        if not settings.agi.enabled or not connected:
            return _ok("dialplan door", "shut: callers of platform numbers hear nothing and get 404")
        async with http.get(f"{ari}/asterisk/variable", params={"variable": AGI_VARIABLE}) as answer:
            told = str((await answer.json()).get("value", ""))
    if not told:
        return _fault(
            "dialplan door",
            f"{AGI_VARIABLE} is not set on {settings.asterisk.name}",
            "set clearglobalvars = no in extensions.conf and restart the controller",
        )
    if not await answers(told, _PATIENCE):
        return _fault(
            "dialplan door",
            f"Asterisk is told {told}, where no controller answers",
            "set agi.address to the address under which Asterisk reaches the controller",
        )
    return _ok("dialplan door", f"a controller answers at {told}")


async def simulated_numbers(settings: Settings) -> Finding:
    """Nothing that was declared lies in the prefixes of simulated callees and of phones in browsers."""
    reserved, declared = settings.reserved_prefixes, await _declared(settings)
    clashes = reserved_clashes(reserved, declared.numbers, [route.prefix for route in declared.routes])
    if clashes:
        remedy = f"set {' or '.join(reserved)} to another one"
        return _fault("simulated numbers", "\n".join(clashes), remedy)
    prefix = settings.calls.simulated_prefix
    return _ok("simulated numbers", f"begin with {prefix}" if prefix else "are switched off")


async def dialling(settings: Settings) -> Finding:
    """The policy lets numbers be called, and no route waits for numbers that it doesn't."""
    name, prefix = "dialling", settings.calls.simulated_prefix
    policy = DiallingPolicy(settings.dialling.allowed, settings.dialling.forbidden)
    if not settings.dialling.allowed:
        return Finding(name, Level.WARNING, "no number may be called", "fill dialling.allowed")
    routes = [route.prefix for route in (await _declared(settings)).routes]
    dead = [route for route in routes if not policy.speaks_of(route[1:])]
    if dead:
        return Finding(
            name,
            Level.WARNING,
            f"routes {', '.join(dead)} lead to numbers that may not be called",
            "let dialling.allowed speak of them",
        )
    simulated = f", and simulated callees {prefix}" if prefix else ""
    return _ok(name, f"{len(settings.dialling.allowed)} patterns say what may be called{simulated}")


async def _declared(settings: Settings) -> Directory:
    """What was declared; nothing if the database can't tell (yet)."""
    rows = await _read(settings, read_directory)
    return Directory() if rows is None else directory_of(rows)


async def _read(settings: Settings, work: Work[T]) -> T | None:
    """What the database tells; None if it can't (yet), of which `database` speaks."""
    try:
        present, newest = await asyncio.to_thread(revisions, settings.database_url)
        if present != newest:
            return None
        async with Database.of(settings) as base:
            return await base.read(work)
    except DatabaseUnusable:
        return None


async def trunks(settings: Settings, credentials: str) -> list[Finding]:
    """Every declared trunk is known to Asterisk and answers SIP."""
    declared = await _declared(settings)
    async with _http(credentials) as http:
        return [await _trunk(settings, http, trunk) for trunk in declared.trunks]


async def _trunk(settings: Settings, http: aiohttp.ClientSession, trunk: TrunkConfiguration) -> Finding:
    name, where = f"trunk {trunk.name}", f"{trunk.host}:{trunk.port}"
    async with http.get(f"{settings.asterisk.ari_url}/ari/endpoints/PJSIP/{trunk.name}") as answer:
        if answer.status == 404:
            return _fault(
                name, "Asterisk does not know it", "is the controller running? it writes the trunks"
            )
        state = (await answer.json()).get("state")
    if state == "online":
        return _ok(name, f"{where} answers")
    return _fault(
        name,
        f"{where} does not answer SIP (state {state})",
        "check address, firewall and the far end's rules",
    )
