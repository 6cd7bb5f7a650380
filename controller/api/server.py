"""The HTTP server: routes, and the one place where every error becomes an answer."""

import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from aiohttp import web

from controller.api.entrance import CONTENT_TYPE, OPEN, PROVEN, STARTED, Gate
from controller.api.listener import arrived, turn_of
from controller.api.wire.handlers import DOMAIN_ERRORS, wire_error
from controller.api.wire.results import WireError, invalid_request, written
from controller.settings import HttpSettings

log = logging.getLogger(__name__)

Observe = Callable[[str, str, int, float, str | None], None]


@dataclass(frozen=True)
class Readiness:
    """Whether calls can be taken, part by part."""

    parts: Mapping[str, bool]

    @property
    def is_ready(self) -> bool:
        return all(self.parts.values())


async def always_ready() -> Readiness:
    """For tests that have none of the parts."""
    return Readiness({})


Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


_HEADERS: Final = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}
"""Of answers that say nothing else: no browser shall make more of them than they are."""


def make_app(
    routes: Iterable[web.RouteDef],
    ready: Callable[[], Awaitable[Readiness]],
    settings: HttpSettings,
    gate: Gate,
    observe: Observe | None = None,
) -> web.Application:
    """The application that `serve` serves.

    :param observe: is told of every answer: route, method, status, seconds, and the session of the call
        that it started.
    """

    @web.middleware
    async def answer(request: web.Request, handler: Handler) -> web.StreamResponse:
        began = time.perf_counter()
        answer = await _answer(request, handler)
        if not answer.prepared:
            for name, value in _HEADERS.items():
                answer.headers.setdefault(name, value)
        took = time.perf_counter() - began
        gate.answered(request, turn_of(request), answer.status, request.get(PROVEN), took)
        if observe is not None:
            observe(_route(request), request.method, answer.status, took, request.get(STARTED))
        return answer

    app = web.Application(middlewares=[answer], client_max_size=settings.max_body)
    app.add_routes(_patient(route) for route in routes)

    def health(request: web.Request, status: HTTPStatus, told: Mapping[str, object]) -> web.Response:
        request[OPEN] = True
        gate.remember_health(request.path, status, told)
        return web.json_response(told, status=status, dumps=written)

    async def live(request: web.Request) -> web.Response:
        return health(request, HTTPStatus.OK, {"live": True})

    async def readiness(request: web.Request) -> web.Response:
        state = await ready()
        told: dict[str, object] = {"ready": state.is_ready}
        if "verbose" in request.query:
            told["parts"] = dict(state.parts)
        return health(request, HTTPStatus.OK if state.is_ready else HTTPStatus.SERVICE_UNAVAILABLE, told)

    app.add_routes([web.get("/healthz", live), web.get("/readyz", readiness)])
    return app


def _route(request: web.Request) -> str:
    """The route's own pattern: what stands in paths is nobody's label."""
    resource = request.match_info.route.resource
    return "none" if resource is None else resource.canonical


def _patient(route: web.RouteDef) -> web.RouteDef:
    """The route, whatever its client expects before it sends a body."""
    return web.RouteDef(
        route.method, route.path, route.handler, {**route.kwargs, "expect_handler": _meet_expectation}
    )


async def _meet_expectation(request: web.Request) -> None:
    if request.headers.get("Expect", "").lower() == "100-continue" and request.version >= (1, 1):
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0


async def _answer(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Every refusal is a JSON body with resultcode and resultdesc; the server ends each connection."""
    if not request.can_read_body:
        arrived(request)
    try:
        answer = await handler(request)
    except WireError as error:
        answer = _refusal(error)
    except DOMAIN_ERRORS as error:
        answer = _refusal(wire_error(error))
    except web.HTTPRequestEntityTooLarge as error:
        answer = _refusal(invalid_request("The body is too large."), error.status)
    except web.HTTPMethodNotAllowed as error:
        answer = _refusal(WireError("1010006"), error.status)
        answer.headers["Allow"] = ",".join(sorted(error.allowed_methods))
    except web.HTTPException as error:
        answer = _refusal(WireError("1010006"), error.status)
    except ConnectionError:
        # Nobody is there to hear it.
        answer = _refusal(invalid_request("The connection was lost."))
    except Exception:
        log.exception("A request failed", extra={"path": request.path})
        answer = _refusal(WireError("1010001"))
    if answer.content_type == "application/json":
        answer.headers["Content-Type"] = CONTENT_TYPE
    # The cloud's servers do so, and its clients are told to leave it to them.
    answer.force_close()
    return answer


def _refusal(error: WireError, status: int | None = None) -> web.Response:
    return web.json_response(error.body, status=status or error.status, headers=error.headers, dumps=written)
