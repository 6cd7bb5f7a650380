"""AGI over TCP: the request that Asterisk opens with, and the commands that it is given.

Panoramisk's own server is not used: at a connection that ends early it turns in an endless loop that stops
the whole program, its buffer has no bound and its waiting no end, and of a header that comes twice the last
one wins, which lets a caller's SIP header name the script. Its `Request` sends the commands.
"""

import asyncio
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from panoramisk.fast_agi import Request as Commands

from controller.agi.errors import AgiError

_ARGUMENT = "agi_arg_"
"""What the dialplan's own arguments are called; they come after all that the caller has a say in."""
_MOST_ARGUMENTS = 8
_ANONYMOUS = {"", "unknown"}


@dataclass(frozen=True)
class AgiRequest:
    """What a script is asked: its name, its arguments, and the call that asks."""

    script: str
    arguments: tuple[str, ...] = ()
    caller: str = ""
    """The caller's number as the trunk gave it; "" if it gave none."""
    called: str = ""
    """The extension."""
    call: str = ""
    """Asterisk's own id of the channel."""
    node: str = ""
    """The node that asks, as the address of its door says; "": the address names none."""

    @classmethod
    def parse(cls, opening: bytes) -> Self:
        """The request in the lines that Asterisk opens with. Raises AgiError."""
        values = _values(opening)
        if "agi_network_script" not in values:
            raise AgiError("the request names no script")
        arguments: list[str] = []
        while (argument := values.get(f"{_ARGUMENT}{len(arguments) + 1}")) is not None:
            arguments.append(argument)
        if len(arguments) > _MOST_ARGUMENTS:
            raise AgiError(f"the request has more than {_MOST_ARGUMENTS} arguments")
        caller = values.get("agi_callerid", "")
        node, _, script = values["agi_network_script"].strip("/").rpartition("/")
        return cls(
            script,
            tuple(arguments),
            "" if caller in _ANONYMOUS else caller,
            values.get("agi_extension", ""),
            values.get("agi_uniqueid", ""),
            node,
        )


def _values(opening: bytes) -> Mapping[str, str]:
    try:
        lines = opening.decode().removesuffix("\n\n").split("\n")
    except UnicodeDecodeError:
        raise AgiError("the request is not UTF-8") from None
    values: dict[str, str] = {}
    is_argument = False
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or not name.startswith("agi_"):
            raise AgiError("the request has a line that is not AGI")
        # A number or name with a line break in it, which a caller can send, would be lines of its own.
        if name in values:
            raise AgiError(f"the request has {name} twice")
        if is_argument and not name.startswith(_ARGUMENT):
            raise AgiError("the request has an argument that is not at its end")
        is_argument = name.startswith(_ARGUMENT)
        values[name] = value.strip()
    return values


class Dialogue:
    """The commands that a script gives. All raise AgiError."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._commands = Commands(None, {}, reader, writer)

    async def check(self) -> None:
        """Make sure that the request ended where Asterisk ended it.

        An empty line that a caller has smuggled into the request would end it early; then the rest of it
        comes where the answer to this command is expected.
        """
        nonce = secrets.token_hex(8)
        answer = await self._command(f"GET FULL VARIABLE {nonce}")
        if answer.get("result") != ("1", nonce):
            raise AgiError("the request doesn't end where it should")

    async def set_variable(self, name: str, value: str) -> None:
        """Set a variable of the channel; line breaks become spaces."""
        text = " ".join(value.split()).replace("\\", "\\\\").replace('"', '\\"')
        await self._command(f'SET VARIABLE {name} "{text}"')

    async def _command(self, command: str) -> Mapping[str, Any]:
        try:
            answer: Mapping[str, Any] = await self._commands.send_command(command)
        except OSError:
            raise AgiError("the connection was lost") from None
        except ValueError:
            # Of an answer that is none, that is too long, not UTF-8 or missing at the end of the connection.
            raise AgiError("the answer to a command is not AGI, or the connection has ended") from None
        if "error" in answer:
            raise AgiError(f"Asterisk refused a command: {answer['error']}")
        return answer
