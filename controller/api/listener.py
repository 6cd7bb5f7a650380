"""The listening socket: HTTP or HTTPS, requests that must come in time, and an answer to what is no HTTP."""

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from aiohttp import web

from controller.api.entrance import Entrance, Gate
from controller.api.pacing import Turn
from controller.api.wire.results import WireError, written
from controller.settings import HttpSettings

log = logging.getLogger(__name__)

_LINGER = 2.0
"""Seconds for which the rest of a refused body is read, so that its sender gets to see the answer."""


class _Silent(logging.Logger):
    """Drops everything."""

    def isEnabledFor(self, level: int) -> bool:  # noqa: N802 - the library's name
        del level
        return False


_SILENT = _Silent("controller.api.http")
"""What is wrong with a request stands in its answer; any stranger could fill the log."""


class Protocol(web.RequestHandler):
    """One connection that was let in."""

    __slots__ = ("_begun", "_left", "_patience", "_refused", "turn")

    def __init__(
        self,
        manager: web.Server,
        loop: asyncio.AbstractEventLoop,
        settings: HttpSettings,
        refused: Callable[[web.BaseRequest], None],
        turn: Turn | None,
        left: Callable[[], None],
    ) -> None:
        """`left` is called when the connection is gone."""
        super().__init__(
            manager,
            loop=loop,
            access_log=None,  # type: ignore[arg-type]  # aiohttp's own way to have none
            logger=_SILENT,
            lingering_time=_LINGER,
            auto_decompress=False,
        )
        self.turn = turn
        self._begun = False
        self._refused = refused
        self._left = left
        self._patience = loop.call_later(settings.read_timeout, self.give_up)

    def data_received(self, data: bytes) -> None:
        super().data_received(data if self._begun else without_nameless(data))
        self._begun = True

    def arrived(self) -> None:
        """The request is here, with its body."""
        self._patience.cancel()

    def give_up(self) -> None:
        """End the connection at once."""
        if self.transport is not None:
            self.transport.abort()

    def connection_lost(self, exc: BaseException | None) -> None:
        self._patience.cancel()
        self._left()
        super().connection_lost(exc)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer what could not be read as HTTP; clients expect JSON whatever happens."""
        del message
        if status >= 500:
            log.error("A request failed", exc_info=exc)
            error = WireError("1010001")
        else:
            self._refused(request)
            error = WireError("1010002", "The request is not valid HTTP.")
        answer = web.json_response(error.body, status=status, dumps=written)
        answer.force_close()
        return answer


def without_nameless(data: bytes) -> bytes:
    """The beginning of a request without header lines that have no colon.

    Programs of old send their Content-Type so. A head that comes in pieces is left as it is.
    """
    start, end = data.find(b"\r\n") + 2, data.find(b"\r\n\r\n")
    if not 2 < start < end:
        return data
    lines = data[start:end].split(b"\r\n")
    named = [line for line in lines if b":" in line or line[:1] in (b" ", b"\t")]
    return data if len(named) == len(lines) else b"\r\n".join((data[: start - 2], *named)) + data[end:]


def arrived(request: web.BaseRequest) -> None:
    """A request is here, with its body: from now on its client waits for us."""
    if isinstance(request.protocol, Protocol):
        request.protocol.arrived()


def turn_of(request: web.BaseRequest) -> Turn | None:
    """How a request was let in; None: without a look at it."""
    return request.protocol.turn if isinstance(request.protocol, Protocol) else None


@dataclass(frozen=True)
class Listener:
    """A server that takes requests."""

    url: str
    reload: Callable[[], None]
    """Read certificate and key again. Raises OSError (ssl.SSLError among them), and the old ones stay."""


@asynccontextmanager
async def listening(
    app: web.Application, settings: HttpSettings, gate: Gate, *, patience: float = 2
) -> AsyncIterator[Listener]:
    """Serve until the end of the block. Raises OSError when address, certificate or key can't be had.

    `patience` is how many seconds requests under way get at the end.
    """
    context = tls_context(settings)
    runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=patience)
    await runner.setup()
    try:
        manager, loop = runner.server, asyncio.get_running_loop()
        assert manager is not None

        def let_in(turn: Turn | None, left: Callable[[], None]) -> Protocol:
            return Protocol(manager, loop, settings, gate.unreadable, turn, left)

        server = await loop.create_server(
            lambda: Entrance(gate, let_in),
            settings.address,
            settings.port,
            ssl=context,
            backlog=1024,
        )
        try:
            port = server.sockets[0].getsockname()[1]
            host = f"[{settings.address}]" if ":" in settings.address else settings.address
            scheme = "https" if context else "http"
            yield Listener(f"{scheme}://{host}:{port}", lambda: _reload(context, settings))
        finally:
            server.close()
            for connection in list(gate.held):
                connection.close()
    finally:
        await runner.cleanup()


def tls_context(settings: HttpSettings) -> ssl.SSLContext | None:
    """For HTTPS, if there is a certificate. Raises OSError, which names the files.

    TLS 1.2 must be there: clients of the cloud service know nothing newer.
    """
    if not settings.tls_certificate:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    _load(context, settings)
    return context


def _load(context: ssl.SSLContext, settings: HttpSettings) -> None:
    try:
        context.load_cert_chain(settings.tls_certificate, settings.tls_key)
    except OSError as error:
        files = f"{settings.tls_certificate} and {settings.tls_key}"
        raise OSError(f"certificate and key ({files}) can't be used: {error}") from None


def _reload(context: ssl.SSLContext | None, settings: HttpSettings) -> None:
    if context is not None:
        # A context that takes half of a pair serves nobody, so another one tries it first.
        tls_context(settings)
        _load(context, settings)
