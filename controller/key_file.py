"""Keys in files: made when they are first needed, and for the owner of the file alone."""

import os
import secrets
from pathlib import Path
from typing import Final

KEY_BYTES: Final = 32


class KeyUnusable(OSError):
    """The file can't be made or read, or doesn't hold a key; the text says which file and why."""


def load_or_make_key(path: Path) -> bytes:
    """The key in this file; made, with mode 0600, if there is none. Raises KeyUnusable."""
    try:
        if not path.exists():
            _make_key(path)
        key = path.read_bytes()
    except OSError as error:
        raise KeyUnusable(f"{path}: {error.strerror}") from error
    if len(key) != KEY_BYTES:
        raise KeyUnusable(f"{path} must hold {KEY_BYTES} bytes; remove it to have a new one made")
    return key


def _make_key(path: Path) -> None:
    """Complete at once, or not at all; one made by another process meanwhile is left as it is."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with open(descriptor, "wb") as file:  # noqa: PTH123 - it is open already
            file.write(secrets.token_bytes(KEY_BYTES))
            file.flush()
            os.fsync(file.fileno())
        try:
            path.hardlink_to(draft)
        except FileExistsError:
            return
    finally:
        draft.unlink(missing_ok=True)
