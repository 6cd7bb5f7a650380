"""Asterisk: reachable, recent, told where the controller is, with trunks that answer."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime

import aiohttp

from controller.asterisk.ami import AmiError, ami_session
from controller.asterisk.routing import TrunkConfiguration
from controller.doctor.clock import agreement
from controller.doctor.declared import namesakes, what_is_declared
from controller.doctor.finding import PATIENCE, Finding, Level, fault, http_client, ok
from controller.doctor.way_back import dialplan_door, prompts
from controller.settings import AsteriskSettings, Settings

_MINIMUM_VERSION, _GOOD_VERSION = (22, 10), (22, 10, 1)


async def is_running(node: AsteriskSettings) -> bool:
    """Whether an Asterisk is where the settings say, whatever else is wrong with it."""
    try:
        async with http_client() as http, http.get(f"{node.ari_url}/ari/asterisk/ping") as answer:
            if answer.status in (200, 401, 403):
                return True
    except (aiohttp.ClientError, TimeoutError, ValueError):
        pass
    try:
        async with asyncio.timeout(PATIENCE):
            reader, writer = await asyncio.open_connection(node.ami_address, node.ami_port)
            try:
                return (await reader.readline()).startswith(b"Asterisk Call Manager")
            finally:
                writer.close()
    except (OSError, TimeoutError, ValueError):
        return False


async def asterisk(settings: Settings) -> list[Finding]:
    """What needs Asterisk, of every node; among several each finding names its node."""
    found: list[Finding] = []
    for node in settings.nodes:
        its = await _node(settings.model_copy(update={"asterisk": node}))
        if len(settings.nodes) > 1:
            its = [replace(finding, name=f"{node.name} {finding.name}") for finding in its]
        found += its
    return found


async def _node(settings: Settings) -> list[Finding]:
    """Reachable, recent, same clock, AMI, its ways back to the controller, trunks."""
    node = settings.asterisk
    credentials = aiohttp.encode_basic_auth(node.ari_user, node.ari_password.get_secret_value())
    try:
        async with http_client(credentials) as http, http.get(f"{node.ari_url}/ari/asterisk/info") as answer:
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
                version(str(info["system"]["version"])),
                agreement(answer.headers.get("Date"), datetime.now(UTC), "Asterisk"),
            ]
            entity_id = str(info["system"].get("entity_id", ""))
    except (aiohttp.ContentTypeError, ValueError, TypeError, KeyError):
        text = f"{node.ari_url} answers, and is not ARI"
        return [fault("asterisk", text, "end the program that has the port, or set asterisk.ari_url")]
    except (aiohttp.ClientError, TimeoutError, OSError):
        return [
            fault("asterisk", f"{node.ari_url} can't be reached", "start Asterisk, or set asterisk.ari_url")
        ]
    findings += await namesakes(settings, node.name, entity_id)
    findings += await _ami(settings)
    findings.append(await dialplan_door(settings, credentials))
    if node.prompt_url:
        findings.append(await prompts(settings))
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


async def _ami(settings: Settings) -> list[Finding]:
    try:
        async with ami_session(settings.asterisk) as ami:
            return [ok("ami", "answers"), sip_transports(await ami.command("pjsip show transports"))]
    except AmiError as error:
        return [fault("ami", str(error), "compare asterisk.ami_* with manager.conf")]


def sip_transports(shown: list[str]) -> Finding:
    """Asterisk speaks SIP: it starts all the same when another program has the port, and calls nobody."""
    rows = [line.split() for line in shown if line.startswith("Transport:") and "<" not in line]
    addresses = [f"{row[5]} ({row[2]})" for row in rows if len(row) > 5 and row[2] in ("udp", "tcp", "tls")]
    if not addresses:
        return fault(
            "sip port",
            "Asterisk has no SIP transport: no call can be made",
            "end the program that has the port of pjsip.conf, or set another one, and restart Asterisk; "
            "its log says which",
        )
    return ok("sip port", f"Asterisk speaks SIP at {', '.join(addresses)}")


async def trunks(settings: Settings, credentials: str) -> list[Finding]:
    """Every declared trunk is known to Asterisk and answers SIP, unless it is never asked."""
    declared = await what_is_declared(settings)
    async with http_client(credentials) as http:
        return [await _trunk(settings, http, trunk) for trunk in declared.trunks]


async def _trunk(settings: Settings, http: aiohttp.ClientSession, trunk: TrunkConfiguration) -> Finding:
    name = f"trunk {trunk.name}"
    async with http.get(f"{settings.asterisk.ari_url}/ari/endpoints/PJSIP/{trunk.name}") as answer:
        if answer.status == 404:
            return fault(name, "Asterisk does not know it", "is the controller running? it writes the trunks")
        state = (await answer.json()).get("state")
    return trunk_state(trunk, str(state))


def trunk_state(trunk: TrunkConfiguration, state: str) -> Finding:
    """A trunk answers SIP, if it is asked: to Asterisk one that never is, is online too."""
    name, where = f"trunk {trunk.name}", f"{trunk.host}:{trunk.port}"
    if not trunk.qualify_seconds:
        return ok(name, f"{where} is known, and not asked whether it is there (qualify_seconds is 0)")
    if state == "online":
        return ok(name, f"{where} answers")
    return fault(
        name,
        f"{where} does not answer SIP (state {state})",
        "check address, firewall and the far end's rules",
    )
