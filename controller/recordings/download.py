"""Recordings for customers: where one can be had, and the having of it.

What a request says is only ever looked up: the path of a file comes from its row.
"""

import asyncio
import re
from pathlib import Path
from typing import Final
from urllib.parse import quote

from aiohttp import web

from controller.recordings.errors import RecordingNotReady, RecordingUnknown
from controller.recordings.files import recording_path
from controller.recordings.links import LinkSigner
from controller.store import recordings
from controller.store.database import Database
from controller.store.recordings import KEPT, KnownRecording, RecordingState

PREFIX: Final = "/recordings/"

_NAME: Final = re.compile(r"[A-Za-z0-9._@-]{1,128}")


async def recording_location(database: Database, signer: LinkSigner, account_id: str, file_name: str) -> str:
    """Path and query under which a recording of this account can be had, for a while.

    :raises RecordingUnknown: there is none of this name that the account may have.
    :raises RecordingNotReady: it is still on its way.
    """
    found = await _find(database, file_name, account_id)
    if found.state is RecordingState.PENDING:
        raise RecordingNotReady("The recording is still on its way")
    if found.state not in KEPT:
        raise RecordingUnknown("There is no such recording")
    return recording_path_and_query(signer, found.name)


def recording_path_and_query(signer: LinkSigner, name: str) -> str:
    """What opens the recording of this name for a while."""
    return f"{PREFIX}{quote(name, safe='')}?{signer.sign(name)}"


class RecordingDownloads:
    """`GET /recordings/{name}?expires=...&signature=...`: the WAV file, or a part of it (`Range`)."""

    def __init__(self, database: Database, signer: LinkSigner, directory: Path) -> None:
        self._database = database
        self._signer = signer
        self._directory = directory

    def routes(self) -> list[web.RouteDef]:
        """For the application of the HTTP server; `HEAD` is answered too."""
        return [web.get(f"{PREFIX}{{name}}", self.download)]

    async def download(self, request: web.Request) -> web.StreamResponse:
        """403 for a link that is not ours or has expired, 404 for what is not kept (any more)."""
        name = request.match_info["name"]
        if not self._signer.check(name, request.query):
            return _refusal(403, "1010002", "Invalid request.The link is wrong or has expired")
        try:
            path = await self._path(name)
        except RecordingUnknown:
            return _refusal(404, "1016002", "The record does not exist.")
        return web.FileResponse(
            path,
            headers={
                "Content-Type": "audio/wav",
                "Content-Disposition": f'attachment; filename="{name}"',
                "Cache-Control": "private, no-store",
                "X-Content-Type-Options": "nosniff",
            },
        )

    async def _path(self, name: str) -> Path:
        found = await _find(self._database, name)
        path = recording_path(self._directory, found.call_id, found.started_at)
        if found.state not in KEPT or not await asyncio.to_thread(path.is_file):
            raise RecordingUnknown("There is no such recording")
        return path


async def _find(database: Database, name: str, account_id: str | None = None) -> KnownRecording:
    # Some databases refuse characters such as NUL with an error of their own.
    found = None
    if _NAME.fullmatch(name):
        found = await database.read(lambda session: recordings.find(session, name, account_id))
    if found is None:
        raise RecordingUnknown("There is no such recording")
    return found


def _refusal(status: int, code: str, description: str) -> web.Response:
    return web.json_response({"resultcode": code, "resultdesc": description}, status=status)
