"""Where the documentation is served: `/openapi.json` for programs, `/docs` for people."""

import json

from aiohttp import web

from controller.api.openapi.page import page
from controller.api.openapi.schemas import Json

_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
}


def documentation_routes(document: Json, prefix: str = "") -> list[web.RouteDef]:
    """A document below `prefix`, for the application of the HTTP server."""

    async def for_programs(_request: web.Request) -> web.Response:
        return web.Response(text=as_json(document), content_type="application/json")

    async def for_people(_request: web.Request) -> web.Response:
        return web.Response(text=page(document), content_type="text/html", headers=_HEADERS)

    return [web.get(f"{prefix}/openapi.json", for_programs), web.get(f"{prefix}/docs", for_people)]


def as_json(document: Json) -> str:
    """A document as it is served and as docs/reference has it."""
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"
