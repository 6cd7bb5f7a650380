"""AMI, by panoramisk: for what ARI can't do. Nothing is ever originated here."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from panoramisk import Manager

from controller.asterisk.errors import FleetError
from controller.settings import AsteriskSettings

_RELOAD_PAUSE = 0.05
"""Seconds until a reload is asked for again while another one is under way."""

_EDITS_AT_ONCE = 20
"""Changes to a configuration file in one action: it may have 128 headers."""


_Section = tuple[str, list[tuple[str, str]]]
"""Of a configuration file: its name, and variables with their values."""


class AmiError(FleetError):
    """AMI can't be reached, refused the password or failed at an action."""


class ReloadInProgress(AmiError):
    """Asterisk is reading configuration already, perhaps from before what is to be read was written."""


class _OneConnection(Manager):  # type: ignore[misc]
    """Panoramisk without its reconnecting, which would send unanswered actions a second time."""

    def connection_made(self, connecting: "asyncio.Future[Any]") -> None:
        if connecting.cancelled() or connecting.exception() is not None:
            return
        super().connection_made(connecting)
        self.pinger.cancel()

    def connection_lost(self, _error: Exception | None) -> None:
        self._connected = False


@asynccontextmanager
async def ami_session(settings: AsteriskSettings, timeout: float = 5) -> AsyncIterator["AmiSession"]:
    """A session for a few actions; `timeout` in seconds for each. Raises AmiError."""
    manager = _OneConnection(host=settings.ami_address, port=settings.ami_port, events="off")
    session = AmiSession(manager, timeout)
    try:
        try:
            async with asyncio.timeout(timeout):
                await manager.connect()
        except (OSError, TimeoutError):
            raise AmiError(f"AMI at {settings.ami_address}:{settings.ami_port} can't be reached") from None
        await session.action(
            {
                "Action": "Login",
                "Username": settings.ami_user,
                "Secret": settings.ami_password.get_secret_value(),
                "Events": "off",
            }
        )
        yield session
    finally:
        manager.close()


class AmiSession:
    """What is asked of AMI."""

    def __init__(self, manager: Any, timeout: float) -> None:
        self._manager = manager
        self._timeout = timeout

    async def reload(self, module: str) -> None:
        """Have a module read its configuration again, after a reload that is under way. Raises AmiError."""
        loop = asyncio.get_running_loop()
        until = loop.time() + self._timeout
        while True:
            try:
                await self.action({"Action": "Reload", "Module": module})
            except ReloadInProgress:
                if loop.time() >= until:
                    raise
                await asyncio.sleep(_RELOAD_PAUSE)
            else:
                return

    async def replace_file(self, name: str, text: str, may_go_on: Callable[[], Awaitable[None]]) -> None:
        """Have a configuration file of Asterisk's say this and nothing else; one that does is left alone.

        Asterisk writes it in many steps, line by line: nobody else may do that, or have it read, meanwhile.

        :param text: sections whose names differ; comments are left out.
        :param may_go_on: awaited before each step, and raises if there may be no more.
        """
        wanted = _parsed(text)
        if (found := await self._sections(name)) == wanted:
            return
        # A section that stands twice is deleted once, and then perhaps still there.
        while found:
            sections = sorted({section for section, _lines in found})
            await self._edit(name, [{"Action": "DelCat", "Cat": section} for section in sections], may_go_on)
            found = await self._sections(name)
        edits = []
        for section, lines in wanted:
            edits.append({"Action": "NewCat", "Cat": section})
            for variable, value in lines:
                edits.append({"Action": "Append", "Cat": section, "Var": variable, "Value": value})
        await self._edit(name, edits, may_go_on)

    async def _edit(
        self, name: str, edits: list[dict[str, str]], may_go_on: Callable[[], Awaitable[None]]
    ) -> None:
        for start in range(0, len(edits), _EDITS_AT_ONCE):
            await may_go_on()
            action = {"Action": "UpdateConfig", "SrcFilename": name, "DstFilename": name}
            for number, edit in enumerate(edits[start : start + _EDITS_AT_ONCE]):
                action |= {f"{key}-{number:06}": value for key, value in edit.items()}
            await self.action(action)

    async def _sections(self, name: str) -> list[_Section]:
        """The sections that a configuration file has, which is made if it isn't there."""
        try:
            await self.action({"Action": "CreateConfig", "Filename": name})
        except AmiError as error:
            if "exists" not in str(error):
                raise
        else:
            return []
        answer = await self.action({"Action": "GetConfig", "Filename": name})
        sections: list[_Section] = []
        for header, value in answer.items():
            match header.lower().partition("-")[0]:
                case "category":
                    sections.append((value, []))
                case "line":
                    variable, _, said = value.partition("=")
                    sections[-1][1].append((variable, said))
        return sections

    async def command(self, line: str) -> list[str]:
        """The output of a command of the Asterisk console."""
        answer = await self.action({"Action": "Command", "Command": line})
        # Each line is a header of its own; of one line alone there is no list.
        output = answer.Output
        return output if isinstance(output, list) else [output]

    async def listed(self, action: str) -> list[dict[str, str]]:
        """What a list action tells: a dictionary for each thing, its headers' names in lower case.

        Empty when there is nothing to list.
        """
        try:
            answer = await self.action({"Action": action})
        except AmiError as error:
            # Asterisk says so of an empty list.
            if "found" in str(error):
                return []
            raise
        return [{name.lower(): value for name, value in message.items()} for message in answer[1:-1]]

    async def action(self, action: dict[str, str]) -> Any:
        """Do one action and return its answer. Raises AmiError."""
        try:
            async with asyncio.timeout(self._timeout):
                answer = await self._manager.send_action(action)
        except TimeoutError:
            raise AmiError(f"AMI did not answer {action['Action']}") from None
        first = answer[0] if isinstance(answer, list) else answer
        if not first.success:
            if first.message == "A reload is in progress":
                raise ReloadInProgress("another reload is under way, and doesn't end")
            raise AmiError(f"AMI refused {action['Action']}: {first.message}")
        return answer


def _parsed(text: str) -> list[_Section]:
    """The sections of a configuration file's text."""
    sections: list[_Section] = []
    for line in text.splitlines():
        line = line.strip()
        if line.startswith("["):
            sections.append((line[1:-1], []))
        elif line and not line.startswith(";"):
            variable, _, value = line.partition("=")
            sections[-1][1].append((variable.strip(), value.strip()))
    return sections
