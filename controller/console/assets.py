"""The files that pages refer to: styles and scripts of ours, and the installed libraries'."""

import gzip
import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

from aiohttp import web

from controller.api.entrance import OPEN
from controller.console.libraries import bundled

_OURS: Final = Path(__file__).parent / "static"
_TYPES: Final = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_FOREVER: Final = "public, max-age=31536000, immutable"


@dataclass(frozen=True)
class Asset:
    """A file as it is served."""

    content: bytes
    compressed: bytes
    media_type: str
    digest: str


class Assets:
    """All files, in memory from the first page on. Browsers keep them for ever: addresses carry a digest.

    Raises FileNotFoundError if the libraries aren't installed.
    """

    def __init__(self) -> None:
        self._paths = [*sorted(_OURS.iterdir()), *bundled()]

    @cached_property
    def _assets(self) -> dict[str, Asset]:
        return {path.name: _asset(path) for path in self._paths if path.suffix in _TYPES}

    def address(self, name: str) -> str:
        """Where a page finds the file. Raises KeyError."""
        return f"/console/assets/{self._assets[name].digest}/{name}"

    async def serve(self, request: web.Request) -> web.Response:
        """The file that a path names."""
        request[OPEN] = True
        found = self._assets.get(request.match_info["name"])
        if found is None or found.digest != request.match_info["digest"]:
            return web.Response(status=404, text="There is no such file")
        headers = {"Cache-Control": _FOREVER, "Content-Type": found.media_type, "Vary": "Accept-Encoding"}
        headers["X-Content-Type-Options"] = "nosniff"
        if "gzip" in request.headers.get("Accept-Encoding", ""):
            headers["Content-Encoding"] = "gzip"
            return web.Response(body=found.compressed, headers=headers)
        return web.Response(body=found.content, headers=headers)


def _asset(path: Path) -> Asset:
    content = path.read_bytes()
    digest = hashlib.sha256(content).hexdigest()[:16]
    media_type = f"{_TYPES[path.suffix]}; charset=utf-8"
    return Asset(content, gzip.compress(content, 9, mtime=0), media_type, digest)
