"""Packages of an npm registry, without npm or Node.js: a package is a tar file at a known address."""

import os
import urllib.request
from typing import Final

_REGISTRY: Final = "https://registry.npmjs.org"
_TIMEOUT: Final = 60
"""Seconds without a byte."""


def archive_of(name: str, version: str) -> bytes:
    """The package as the registry has it; whoever takes it knows its digest. Raises OSError.

    The registry is the public one unless NPM_CONFIG_REGISTRY names another, as it does for npm.
    """
    registry = os.environ.get("NPM_CONFIG_REGISTRY", _REGISTRY).rstrip("/")
    address = f"{registry}/{name}/-/{name.rpartition('/')[2]}-{version}.tgz"
    # The operator names the registry.
    with urllib.request.urlopen(address, timeout=_TIMEOUT) as answer:  # noqa: S310
        return bytes(answer.read())
