"""Prompts of nodes that share no files with the controller: fetched over HTTP, and kept by Asterisk.

A prompt has one name for good, so what was fetched once is never asked for again. It is the digest of its
sound, or of what it says with a secret: nobody can ask for a prompt whose sound they don't have.
"""

import re
from collections.abc import Iterable
from pathlib import Path

PATH = "/prompts"

_FILE = "sound:/"
_NAME = re.compile(r"([0-9a-f]{2})[0-9a-f]{62}\.alaw")


def fetched_file(name: str, folders: Iterable[Path]) -> Path | None:
    """The file that nodes fetch by this name, in one of the folders; None: there is none."""
    known = _NAME.fullmatch(name)
    if known is None:
        return None
    paths = (folder / known[1] / known[0] for folder in folders)
    return next((path for path in paths if path.is_file()), None)


def remote_media(media: str, url: str) -> str:
    """The same media, those that are files of the controller's as addresses below `url`."""
    return ",".join(_remote(medium, url.rstrip("/")) for medium in media.split(","))


def _remote(medium: str, url: str) -> str:
    if not medium.startswith(_FILE):
        return medium
    # Asterisk finds no file whose address is shorter than its path in the cache (its issue 444).
    return f"sound:{url}{PATH}/{medium.rpartition('/')[2]}.alaw"
