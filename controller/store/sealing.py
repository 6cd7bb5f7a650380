"""Secrets in the database: sealed with a key that isn't in it, so that whoever has a copy has none of them.

Columns of these types seal what is written and open what is read. The key rides on the engine; an engine
without one writes as it is, and reads nothing that is sealed.
"""

import base64
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import JSON, Engine, String, type_coerce
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator
from sqlmodel import Session, select

from controller.key_file import KEY_BYTES, KeyUnusable, load_or_make_key
from controller.store.errors import DatabaseUnusable

_MARK: Final = "sealed:1:"
"""What a sealed text begins with; no secret that was ever made does."""
_NONCE: Final = 12
_ATTRIBUTE: Final = "voicecall_seal"


class Seal:
    """AES-256-GCM."""

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(key)

    def closed(self, text: str) -> str:
        """The text as it is kept."""
        nonce = secrets.token_bytes(_NONCE)
        sealed = nonce + self._cipher.encrypt(nonce, text.encode(), None)
        return _MARK + base64.urlsafe_b64encode(sealed).decode()

    def opened(self, kept: str) -> str:
        """The text that was sealed. Raises DatabaseUnusable."""
        sealed = base64.urlsafe_b64decode(kept.removeprefix(_MARK))
        try:
            return self._cipher.decrypt(sealed[:_NONCE], sealed[_NONCE:], None).decode()
        except InvalidTag:
            raise DatabaseUnusable(
                "the database's secrets were sealed with another key: set database.secret_key, or bring back "
                "the file secrets.key, as they were"
            ) from None


def seal_of(key: str, file: Path) -> Seal:
    """The seal of this key (Base64 of 32 bytes), or, if it is empty, of the one in the file.

    Raises DatabaseUnusable.
    """
    if not key:
        try:
            return Seal(load_or_make_key(file))
        except KeyUnusable as error:
            raise DatabaseUnusable(f"the key of the database's secrets can't be had: {error}") from None
    try:
        raw = base64.b64decode(key, validate=True)
    except ValueError:
        raw = b""
    if len(raw) != KEY_BYTES:
        raise DatabaseUnusable(f"database.secret_key must be the Base64 of {KEY_BYTES} bytes")
    return Seal(raw)


def put_seal(engine: Engine, seal: Seal | None) -> None:
    """Have an engine seal and open with this."""
    setattr(engine.dialect, _ATTRIBUTE, seal)


class SealedText(TypeDecorator[str]):
    """A secret."""

    impl = String
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        return None if value is None else _closed(value, dialect)

    def process_result_value(self, value: str | None, dialect: Dialect) -> str | None:
        return None if value is None else _opened(value, dialect)


class SealedTexts(TypeDecorator[list[str]]):
    """A list of secrets."""

    impl = JSON
    cache_ok = True

    def process_bind_param(self, value: Sequence[str] | None, dialect: Dialect) -> list[str] | None:
        return None if value is None else [_closed(one, dialect) for one in value]

    def process_result_value(self, value: Any, dialect: Dialect) -> list[str] | None:
        return None if value is None else [_opened(one, dialect) for one in value]


def _closed(text: str, dialect: Dialect) -> str:
    seal: Seal | None = getattr(dialect, _ATTRIBUTE, None)
    return text if seal is None else seal.closed(text)


def _opened(kept: str, dialect: Dialect) -> str:
    if not kept.startswith(_MARK):
        # From before secrets were sealed.
        return kept
    seal: Seal | None = getattr(dialect, _ATTRIBUTE, None)
    if seal is None:
        raise DatabaseUnusable("the database's secrets are sealed, and there is no key to open them")
    return seal.opened(kept)


def seal_what_is_open(session: Session, tables: Sequence[type[Any]]) -> int:
    """Seal secrets of these tables that were written before there was a seal; returns of how many rows."""
    changed = 0
    for table in tables:
        columns = table.__table__.columns
        sealed = [column for column in columns if isinstance(column.type, (SealedText, SealedTexts))]
        raw = [type_coerce(column, column.type.impl_instance) for column in sealed]
        keys = list(table.__table__.primary_key.columns)
        for row in session.execute(select(*keys, *raw)).all():
            key, values = row[: len(keys)], row[len(keys) :]
            opened = {
                column.name: value
                for column, value in zip(sealed, values, strict=True)
                if value and not all(one.startswith(_MARK) for one in _texts(value))
            }
            if opened:
                matches = [column == part for column, part in zip(keys, key, strict=True)]
                session.execute(table.__table__.update().where(*matches).values(opened))
                changed += 1
    return changed


def _texts(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value)
