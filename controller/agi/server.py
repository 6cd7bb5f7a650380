"""The FastAGI server: one connection, one question, one answer."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from controller.agi.errors import AgiError
from controller.agi.protocol import AgiRequest, Dialogue
from controller.agi.scripts import Abilities, Variables, failed, run

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Limits:
    """What a client can take up. Times are in seconds."""

    connections: int = 200
    """At once; more are closed unheard."""
    request_size: int = 16384
    """Bytes."""
    request_time: float = 3.0
    """Until the whole request has come."""
    script_time: float = 5.0
    """Of an ability."""
    command_time: float = 3.0
    """Of all commands together that hand over the answer."""


@asynccontextmanager
async def agi_server(
    abilities: Abilities, address: str = "127.0.0.1", port: int = 0, limits: Limits | None = None
) -> AsyncIterator[str]:
    """Serve the dialplan until the end of the block; yields the address as in `agi://127.0.0.1:4573`.

    Whoever reaches the address can start calls: it must be loopback, or a network that only Asterisk is in.
    Raises OSError.
    """
    door = _Door(abilities, limits or Limits())
    server = await asyncio.start_server(door.opened, address, port, limit=door.limits.request_size)
    try:
        host = f"[{address}]" if ":" in address else address
        yield f"agi://{host}:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        await door.close()
        await server.wait_closed()


class _Door:
    """Those who are at the door now."""

    def __init__(self, abilities: Abilities, limits: Limits) -> None:
        self.limits = limits
        self._abilities = abilities
        self._visitors: set[asyncio.Task[None]] = set()

    def opened(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Take a new connection."""
        if len(self._visitors) >= self.limits.connections:
            log.warning("Too many scripts of the dialplan at once")
            writer.transport.abort()
            return
        visitor = asyncio.create_task(self._serve(reader, writer))
        self._visitors.add(visitor)
        visitor.add_done_callback(self._visitors.discard)

    async def close(self) -> None:
        """End all connections."""
        visitors = list(self._visitors)
        for visitor in visitors:
            visitor.cancel()
        await asyncio.gather(*visitors, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._converse(reader, writer)
        except (AgiError, TimeoutError) as error:
            log.warning(
                "A script of the dialplan was broken off", extra={"error": str(error) or "it took too long"}
            )
        except Exception:
            log.exception("A connection of the dialplan failed")
        finally:
            with contextlib.suppress(OSError):
                # What is unsent is for a client that doesn't read: closing must not wait for it.
                if writer.transport.get_write_buffer_size():
                    writer.transport.abort()
                writer.close()
                await writer.wait_closed()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        dialogue = Dialogue(reader, writer)
        async with asyncio.timeout(self.limits.request_time):
            request = AgiRequest.parse(await _opening(reader))
            await dialogue.check()
        variables = await self._answer(request)
        async with asyncio.timeout(self.limits.command_time):
            for name, value in variables.items():
                await dialogue.set_variable(name, value)
        log.info("The dialplan was answered", extra={"script": request.script, "channel": request.call})

    async def _answer(self, request: AgiRequest) -> Variables:
        try:
            async with asyncio.timeout(self.limits.script_time):
                return await run(request, self._abilities)
        except TimeoutError:
            log.warning("A script of the dialplan took too long", extra={"script": request.script})
            return failed(request, "it took too long")


async def _opening(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.readuntil(b"\n\n")
    except asyncio.IncompleteReadError:
        raise AgiError("the connection ended within the request") from None
    except asyncio.LimitOverrunError:
        raise AgiError("the request is too long") from None
    except OSError:
        raise AgiError("the connection was lost") from None
