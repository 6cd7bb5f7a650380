"""The named scripts: what the dialplan can ask, and the channel variables in which it is answered."""

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from controller.agi.errors import Refused
from controller.agi.protocol import AgiRequest
from controller.phone_number import PhoneNumber

log = logging.getLogger(__name__)

DIAL, SESSION, ERROR = "VOICECALL_DIAL", "VOICECALL_SESSION", "VOICECALL_ERROR"
ANNOUNCEMENT, CAUSE = "VOICECALL_ANNOUNCEMENT", "VOICECALL_CAUSE"

Variables = Mapping[str, str]


@dataclass(frozen=True)
class Announcement:
    """What a caller hears before the call is ended.

    `sound` is a file as Asterisk plays it, without its ending; None plays nothing. `cause` is of Q.850.
    """

    sound: str | None
    cause: int = 1


class OnInbound(Protocol):
    """Somebody calls a number that nobody expects calls at."""

    async def __call__(self, called: str, caller: str) -> Announcement: ...


class FindRoute(Protocol):
    """What the node that asks dials to reach a number; "": it is not said which. Raises Refused."""

    async def __call__(self, number: PhoneNumber, node: str) -> str: ...


class StartNotification(Protocol):
    """Call `number` and play `sound` in the name of an app; returns the session id. Raises Refused."""

    async def __call__(self, number: PhoneNumber, app_key: str, sound: str) -> str: ...


@dataclass(frozen=True)
class Abilities:
    """What the scripts do, by those who can."""

    inbound: OnInbound
    route: FindRoute
    notify: StartNotification


async def run(request: AgiRequest, abilities: Abilities) -> Variables:
    """Run a script; returns the variables to set, of which there are the same ones whatever happens."""
    script = _SCRIPTS.get(request.script)
    if script is None:
        return {ERROR: "there is no such script"}
    try:
        return await script.run(request, abilities)
    except Refused as refusal:
        return {**script.nothing, ERROR: str(refusal)}
    except Exception:
        log.exception("A script of the dialplan failed", extra={"script": request.script})
        return failed(request, "internal error")


def failed(request: AgiRequest, why: str) -> Variables:
    """The variables of a script that came to nothing."""
    script = _SCRIPTS.get(request.script)
    return {**(script.nothing if script else {}), ERROR: why}


async def _inbound(request: AgiRequest, abilities: Abilities) -> Variables:
    announcement = await abilities.inbound(request.called, request.caller)
    return {ANNOUNCEMENT: announcement.sound or "", CAUSE: str(announcement.cause), ERROR: ""}


async def _route(request: AgiRequest, abilities: Abilities) -> Variables:
    (number,) = _arguments(request, "number")
    return {DIAL: await abilities.route(_number(number), request.node), ERROR: ""}


async def _notify(request: AgiRequest, abilities: Abilities) -> Variables:
    app_key, sound, *number = _arguments(request, "app key", "sound", optional="number")
    callee = _number(number[0] if number else request.caller)
    return {SESSION: await abilities.notify(callee, app_key, sound), ERROR: ""}


def _arguments(request: AgiRequest, *names: str, optional: str | None = None) -> tuple[str, ...]:
    for name, value in zip(names, (*request.arguments, *[""] * len(names)), strict=False):
        if not value:
            raise Refused(f"{request.script} needs an argument: {name}")
    if len(request.arguments) > len(names) + (optional is not None):
        raise Refused(f"{request.script} has too many arguments")
    return request.arguments


def _number(text: str) -> PhoneNumber:
    try:
        return PhoneNumber(text)
    except ValueError:
        raise Refused("the number is not one such as +8613900001111") from None


@dataclass(frozen=True)
class _Script:
    run: Callable[[AgiRequest, Abilities], Awaitable[Variables]]
    nothing: Variables
    """What is set when it came to nothing, so that no variable keeps the answer to an earlier question."""


_SCRIPTS = {
    "inbound": _Script(_inbound, {ANNOUNCEMENT: "", CAUSE: "1"}),
    "route": _Script(_route, {DIAL: ""}),
    "notify": _Script(_notify, {SESSION: ""}),
}
