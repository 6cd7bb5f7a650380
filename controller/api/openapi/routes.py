"""Where the documentation is served: `/openapi.json` for programs, `/docs` for people."""

import asyncio
import json
from collections.abc import Callable
from functools import cache

from aiohttp import web

from controller.api.entrance import OPEN
from controller.api.openapi.page import page
from controller.api.openapi.schemas import Json

_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
}


def documentation_routes(document: Callable[[], Json], prefix: str = "") -> list[web.RouteDef]:
    """A document below `prefix`, for the application of the HTTP server; made when it is first asked for."""

    @cache
    def text() -> str:
        return as_json(document())

    @cache
    def html() -> str:
        return page(document())

    async def for_programs(request: web.Request) -> web.Response:
        request[OPEN] = True
        return web.Response(text=await asyncio.to_thread(text), content_type="application/json")

    async def for_people(request: web.Request) -> web.Response:
        request[OPEN] = True
        made = await asyncio.to_thread(html)
        return web.Response(text=made, content_type="text/html", headers=_HEADERS)

    return [web.get(f"{prefix}/openapi.json", for_programs), web.get(f"{prefix}/docs", for_people)]


def as_json(document: Json) -> str:
    """A document as it is served and as docs/reference has it."""
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"
