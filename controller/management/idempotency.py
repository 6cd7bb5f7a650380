"""Answers kept for a day under the Idempotency-Key of their request: a repeated one does nothing twice.

They may hold secrets that are shown once. So they are sealed with the key itself, of which only a digest is
kept: whoever reads the database reads no answer.
"""

import asyncio
import hashlib
import json
import re
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from weakref import WeakValueDictionary

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlmodel import Session

from controller.management.problems import KeyReused, wrong_field
from controller.management.roles import Actor
from controller.store.management_tables import IdempotentAnswer

HEADER: Final = "Idempotency-Key"
KEPT: Final = timedelta(hours=24)
PATTERN: Final = r"^[A-Za-z0-9_.:-]{1,255}$"
_NONCE = 12

_under_way: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
"""Of the attempts that are made now."""


class Repeated(Exception):
    """The request was answered before; `answer` is what is kept of that."""

    def __init__(self, answer: dict[str, Any]) -> None:
        super().__init__()
        self.answer = answer


@dataclass(frozen=True)
class Attempt:
    """A request with a key."""

    id: str
    body_digest: str
    seal: bytes

    @classmethod
    def of(cls, actor: Actor, method: str, path: str, key: str, raw: bytes) -> "Attempt":
        """Raises Invalid when the key has a wrong form."""
        if not re.fullmatch(PATTERN, key, re.ASCII):
            raise wrong_field(HEADER, "must be 1 to 255 letters, digits and _ . : -", "header")
        name = f"{actor.user_id}\n{method}\n{path}\n{key}"
        return cls(
            _hex(name), hashlib.sha256(raw).hexdigest(), hashlib.sha256(b"seal\n" + name.encode()).digest()
        )

    def alone(self) -> asyncio.Lock:
        """Keeps the same request from being made twice at a time: not every handler does so itself."""
        return _under_way.setdefault(self.id, asyncio.Lock())

    def check(self, session: Session, now: datetime) -> None:
        """Raises Repeated if such a request was answered before, KeyReused if another one has the key."""
        found = session.get(IdempotentAnswer, self.id)
        if found is None or found.expires_at <= now:
            return
        if found.body_digest != self.body_digest:
            raise KeyReused
        nonce, sealed = found.sealed[:_NONCE], found.sealed[_NONCE:]
        raise Repeated(json.loads(AESGCM(self.seal).decrypt(nonce, sealed, self.id.encode())))

    def keep(self, session: Session, now: datetime, answer: dict[str, Any]) -> None:
        """Keep what it is answered, in the transaction of what it does."""
        nonce = secrets.token_bytes(_NONCE)
        sealed = AESGCM(self.seal).encrypt(nonce, json.dumps(answer).encode(), self.id.encode())
        session.merge(
            IdempotentAnswer(
                id=self.id, body_digest=self.body_digest, sealed=nonce + sealed, expires_at=now + KEPT
            )
        )
        session.flush()


def _hex(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
