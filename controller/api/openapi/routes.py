"""Where the documentation is served: `/openapi.json` for programs, `/docs` for people."""

import json

from aiohttp import web

from controller.api.openapi.document import document
from controller.api.openapi.page import page

_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
}


def documentation_routes() -> list[web.RouteDef]:
    """For the application of the HTTP server."""
    return [web.get("/openapi.json", _json), web.get("/docs", _page)]


def as_json() -> str:
    """The document as it is served and as docs/reference/openapi.json has it."""
    return json.dumps(document(), indent=1, ensure_ascii=False) + "\n"


async def _json(_request: web.Request) -> web.Response:
    return web.Response(text=as_json(), content_type="application/json")


async def _page(_request: web.Request) -> web.Response:
    return web.Response(text=page(document()), content_type="text/html", headers=_HEADERS)
