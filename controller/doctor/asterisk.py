"""Checks that need Asterisk: reachable, recent, same clock, AMI, the dialplan's door, trunks."""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import aiohttp

from controller.agi import answers
from controller.asterisk.ami import AmiError, ami_session
from controller.asterisk.routing import TrunkConfiguration
from controller.doctor.finding import PATIENCE, Finding, Level, fault, ok, opened_http, read_declared
from controller.door import AGI_VARIABLE
from controller.settings import Settings

_MINIMUM_VERSION, _GOOD_VERSION = (22, 10), (22, 10, 1)
_CLOCK_TOLERANCE = 5.0
"""Seconds between the controller's clock and Asterisk's."""


async def asterisk(settings: Settings) -> list[Finding]:
    """What needs Asterisk: reachable, recent, same clock, AMI, trunks."""
    node = settings.asterisk
    credentials = aiohttp.encode_basic_auth(node.ari_user, node.ari_password.get_secret_value())
    try:
        async with opened_http(credentials) as http, http.get(f"{node.ari_url}/ari/asterisk/info") as answer:
            if answer.status in (401, 403):
                return [fault("asterisk", "ARI refuses the password", "compare asterisk.ari_* with ari.conf")]
            if answer.status != 200:
                return [
                    fault(
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
            fault("asterisk", f"{node.ari_url} can't be reached", "start Asterisk, or set asterisk.ari_url")
        ]
    findings.append(await _ami(settings))
    findings.append(await dialplan_door(settings, credentials))
    findings += await trunks(settings, credentials)
    return findings


def version(text: str) -> Finding:
    """Asterisk is recent enough."""
    numbers = tuple(int(part) for part in text.split("+")[0].split("-")[0].split(".") if part.isdigit())
    if numbers < _MINIMUM_VERSION:
        return fault("asterisk", f"Asterisk {text} is too old", "22.10.1 or later is needed")
    if numbers < _GOOD_VERSION:
        return Finding(
            "asterisk", Level.WARNING, f"Asterisk {text} has known faults under load", "use 22.10.1"
        )
    return ok("asterisk", f"Asterisk {text} answers")


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
        return fault("clock", f"this clock and Asterisk's are {difference:.0f} s apart", "use NTP on both")
    return ok("clock", "agrees with Asterisk's")


async def _ami(settings: Settings) -> Finding:
    try:
        async with ami_session(settings.asterisk) as ami:
            await ami.command("core show uptime")
    except AmiError as error:
        return fault("ami", str(error), "compare asterisk.ami_* with manager.conf")
    return ok("ami", "answers")


async def dialplan_door(settings: Settings, credentials: str) -> Finding:
    """Asterisk knows where the controller answers its dialplan."""
    ari = f"{settings.asterisk.ari_url}/ari"
    async with opened_http(credentials) as http:
        async with http.get(f"{ari}/applications/{settings.asterisk.application}") as answer:
            connected = answer.status == 200
        if not settings.agi.enabled or not connected:
            return ok("dialplan door", "shut: callers of platform numbers hear nothing and get 404")
        async with http.get(f"{ari}/asterisk/variable", params={"variable": AGI_VARIABLE}) as answer:
            told = str((await answer.json()).get("value", ""))
    if not told:
        return fault(
            "dialplan door",
            f"{AGI_VARIABLE} is not set on {settings.asterisk.name}",
            "set clearglobalvars = no in extensions.conf and restart the controller",
        )
    if not await answers(told, PATIENCE):
        return fault(
            "dialplan door",
            f"Asterisk is told {told}, where no controller answers",
            "set agi.address to the address under which Asterisk reaches the controller",
        )
    return ok("dialplan door", f"a controller answers at {told}")


async def trunks(settings: Settings, credentials: str) -> list[Finding]:
    """Every declared trunk is known to Asterisk and answers SIP."""
    declared = await read_declared(settings)
    async with opened_http(credentials) as http:
        return [await _trunk(settings, http, trunk) for trunk in declared.trunks]


async def _trunk(settings: Settings, http: aiohttp.ClientSession, trunk: TrunkConfiguration) -> Finding:
    name, where = f"trunk {trunk.name}", f"{trunk.host}:{trunk.port}"
    async with http.get(f"{settings.asterisk.ari_url}/ari/endpoints/PJSIP/{trunk.name}") as answer:
        if answer.status == 404:
            return fault(name, "Asterisk does not know it", "is the controller running? it writes the trunks")
        state = (await answer.json()).get("state")
    if state == "online":
        return ok(name, f"{where} answers")
    return fault(
        name,
        f"{where} does not answer SIP (state {state})",
        "check address, firewall and the far end's rules",
    )
