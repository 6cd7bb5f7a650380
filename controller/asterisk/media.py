"""Prompts of nodes that share no files with the controller: fetched over HTTP, and kept by Asterisk.

A prompt is named by the digest of its sound, so what was fetched once is never asked for again, and nobody
can ask for a prompt whose sound they don't have.
"""

PATH = "/prompts"

_FILE = "sound:/"


def remote_media(media: str, url: str) -> str:
    """The same media, those that are files of the controller's as addresses below `url`."""
    return ",".join(_remote(medium, url.rstrip("/")) for medium in media.split(","))


def _remote(medium: str, url: str) -> str:
    if not medium.startswith(_FILE):
        return medium
    # Asterisk finds no file whose address is shorter than its path in the cache (its issue 444).
    return f"sound:{url}{PATH}/{medium.rpartition('/')[2]}.alaw"
