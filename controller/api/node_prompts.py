"""Prompts for Asterisk nodes that share no files with the controller: `GET /prompts/{digest}.alaw`.

Whoever asks must know the digest of what was said: nobody can look for prompts here.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from aiohttp import web

from controller.asterisk.media import PATH

_NAME: Final = re.compile(r"([0-9a-f]{2})[0-9a-f]{62}\.alaw")

_KEPT: Final = "public, max-age=31536000, immutable"
"""A year: what has this name never changes."""


def prompt_routes(folders: Sequence[Path]) -> list[web.RouteDef]:
    """For the application of the HTTP server; the prompts are in these folders, by digest."""

    async def fetch(request: web.Request) -> web.StreamResponse:
        known = _NAME.fullmatch(request.match_info["name"])
        if known is not None:
            for folder in folders:
                path = folder / known[1] / known[0]
                if path.is_file():
                    headers = {"Content-Type": "audio/x-alaw-basic", "Cache-Control": _KEPT}
                    return web.FileResponse(path, headers=headers)
        return web.Response(status=404, text="There is no such prompt")

    return [web.get(f"{PATH}/{{name}}", fetch)]
