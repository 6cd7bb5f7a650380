"""The way from a node back to the controller: the dialplan's door, and prompts that it fetches.

The doctor is on the controller's machine: what answers there answers a node on another machine only if the
address is no loopback address, which is each machine's own.
"""

import ipaddress
from typing import Final
from urllib.parse import urlsplit

import aiohttp

from controller.agi import answers
from controller.api.node_prompts import NO_SUCH_PROMPT
from controller.asterisk.media import PATH
from controller.doctor.finding import PATIENCE, Finding, fault, http_client, ok
from controller.doctor.ports import controller_answers, is_here
from controller.door import AGI_VARIABLE
from controller.settings import AsteriskSettings, Settings

_SET_AGI: Final = "set agi.address to the address under which Asterisk reaches the controller"


async def dialplan_door(settings: Settings, credentials: str) -> Finding:
    """Asterisk knows where the controller answers its dialplan."""
    if settings.agi.enabled and _is_lost(settings.agi.address, settings.asterisk):
        text = f"{settings.asterisk.name} is on another machine, and agi.address is {settings.agi.address}"
        return fault("dialplan door", text, _SET_AGI)
    ari = f"{settings.asterisk.ari_url}/ari"
    async with http_client(credentials) as http:
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
        return fault("dialplan door", f"Asterisk is told {told}, where no controller answers", _SET_AGI)
    return ok("dialplan door", f"a controller answers at {told}")


async def prompts(settings: Settings) -> Finding:
    """A node that shares no files with the controller gets an answer where it fetches prompts."""
    node, url = settings.asterisk, settings.asterisk.prompt_url.rstrip("/")
    host = urlsplit(url).hostname or ""
    if _is_lost(host, node):
        text = f"{node.name} is on another machine, and its prompt_url is {url}: it gets no calls"
        return fault("prompts", text, "set asterisk.prompt_url to the address at which nodes reach this API")
    said = await _said_of_a_prompt(url)
    if said == NO_SUCH_PROMPT:
        return ok("prompts", f"a controller has them at {url}")
    # One that doesn't run answers nobody; that it listens where no node can come is seen all the same.
    is_shut = said is None and _is_loopback(settings.http.address) and not _is_loopback(host)
    if not is_shut and not await controller_answers(settings.http):
        return ok("prompts", f"no controller runs that would have them at {url}")
    found = "nobody answers" if said is None else "who answers has no prompts"
    return fault(
        "prompts",
        f"{found} at {url}, where {node.name} fetches them: it gets no calls",
        f"set http.address (now {settings.http.address}) and asterisk.prompt_url to an address that nodes "
        f"reach, or have the proxy there let {PATH}/ through, and restart the controller",
    )


async def _said_of_a_prompt(url: str) -> str | None:
    """What is said of a prompt that nobody has; None: nobody answers."""
    try:
        async with http_client() as http, http.get(f"{url}{PATH}/none.alaw", ssl=False) as answer:
            return await answer.text("utf-8", "replace")
    except (aiohttp.ClientError, TimeoutError, ValueError):
        return None


def _is_lost(address: str, node: AsteriskSettings) -> bool:
    """Whether a node that is told this address looks on its own machine, which isn't the controller's."""
    return _is_loopback(address) and not is_here(urlsplit(node.ari_url).hostname or "")


def _is_loopback(host: str) -> bool:
    """Whether it is an address that only its own machine reaches."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
