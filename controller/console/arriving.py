"""Forms with a file: what was typed is read first, the file comes in pieces and is never whole in memory."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Final

from aiohttp import BodyPartReader, web
from aiohttp.http_exceptions import BadHttpMessage

from controller.api.listener import arrived
from controller.management.bodies import paced
from controller.management.problems import Malformed, TooLarge

_MOST_FIELDS: Final = 32
_LONGEST_FIELD: Final = 65536
"""Bytes."""
_PIECE: Final = 65536


@dataclass
class Arriving:
    """A form of which the file is still to come. In the form, the file stands after all else."""

    typed: dict[str, str] = field(default_factory=dict)
    file_name: str = ""
    """As it is called where it comes from, without folders; empty: no file was chosen."""
    media_type: str = ""
    """What the browser takes it for."""
    pieces: AsyncIterator[bytes] = field(default_factory=lambda: _nothing())

    async def beginning(self, most: int) -> bytes:
        """The whole file, of one that is small; of others as much as shows that they aren't."""
        content = bytearray()
        async for piece in self.pieces:
            content += piece
            if len(content) > most:
                break
        return bytes(content)


async def arriving(request: web.Request, patience: float) -> Arriving:
    """What was typed, up to the file. Raises Malformed, TooLarge.

    :param patience: seconds that a piece of the file may take.
    """
    if request.content_type != "multipart/form-data":
        raise Malformed("The form must be sent as multipart/form-data")
    form = Arriving()
    try:
        reader = await request.multipart()
        while (part := await reader.next()) is not None:
            if not isinstance(part, BodyPartReader) or len(form.typed) >= _MOST_FIELDS:
                raise Malformed("The form has parts that are not expected")
            if part.filename is not None:
                form.file_name = _base_name(part.filename)
                form.media_type = part.headers.get("Content-Type", "").partition(";")[0].strip().lower()
                form.pieces = paced(lambda: part.read_chunk(_PIECE), patience)
                break
            form.typed[part.name or ""] = await _text(part)
    except (ValueError, AssertionError, BadHttpMessage, web.RequestPayloadError):
        raise Malformed("The form is not valid multipart/form-data") from None
    arrived(request)
    return form


async def _text(part: BodyPartReader) -> str:
    content = bytearray()
    while piece := await part.read_chunk(_PIECE):
        content += piece
        if len(content) > _LONGEST_FIELD:
            raise TooLarge(f"A field may have {_LONGEST_FIELD} bytes at most")
    return content.decode("utf-8", "replace")


def _base_name(name: str) -> str:
    return PurePosixPath(name.replace("\\", "/")).name


async def _nothing() -> AsyncIterator[bytes]:
    return
    yield b""
