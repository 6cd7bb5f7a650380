"""Prompts for Asterisk nodes that share no files with the controller: `GET /prompts/{digest}.alaw`.

Whoever asks must know its name, a digest that nobody can guess: nobody can look for prompts here.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from aiohttp import web

from controller.asterisk.media import PATH, fetched_file

NO_SUCH_PROMPT: Final = "There is no such prompt"
"""What an answer says by which `voicecall doctor` knows that prompts are fetched here."""
_KEPT: Final = "public, max-age=31536000, immutable"
"""A year: what has this name never changes."""


def prompt_routes(folders: Sequence[Path]) -> list[web.RouteDef]:
    """For the application of the HTTP server; the prompts are in these folders, by digest."""

    async def fetch(request: web.Request) -> web.StreamResponse:
        path = fetched_file(request.match_info["name"], folders)
        if path is None:
            return web.Response(status=404, text=NO_SUCH_PROMPT)
        return web.FileResponse(path, headers={"Content-Type": "audio/x-alaw-basic", "Cache-Control": _KEPT})

    return [web.get(f"{PATH}/{{name}}", fetch)]
