"""The tables of the management API: who may use it, what they did, what they were answered.

Passwords, sessions and tokens are kept as digests alone.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Column, Index, LargeBinary
from sqlmodel import Field, SQLModel

from controller.store.sealing import SealedText
from controller.store.tables import UtcDateTime


def _time(*, index: bool = False) -> Any:
    return Field(default=None, sa_column=Column(UtcDateTime, nullable=False, index=index))


def _perhaps() -> Any:
    return Field(default=None, sa_column=Column(UtcDateTime, nullable=True))


class User(SQLModel, table=True):
    """Somebody who may log in; without an account it is one of the operator's own people."""

    __tablename__ = "platform_user"

    id: str = Field(primary_key=True, max_length=32)
    login: str = Field(unique=True, max_length=64)
    name: str = ""
    role: str
    account_id: str | None = Field(default=None, foreign_key="account.id", index=True)
    password_hash: str
    active: bool = True
    created_at: datetime = _time()
    second_factor: str | None = Field(default=None, sa_type=SealedText)
    """What an authenticator app makes codes of."""
    second_factor_since: datetime | None = _perhaps()
    """None: there is none, or no code of it was shown yet."""
    second_factor_step: int = 0
    """The last step of time whose code was used: none is good twice."""

    @property
    def has_second_factor(self) -> bool:
        return self.second_factor_since is not None


class LoginSession(SQLModel, table=True):
    """A login that has not ended: the digest of what the cookie holds."""

    __tablename__ = "login_session"

    digest: str = Field(primary_key=True, max_length=64)
    user_id: str = Field(foreign_key="platform_user.id", index=True)
    address: str
    expires_at: datetime = _time(index=True)
    began_at: datetime | None = _perhaps()
    used_at: datetime | None = _perhaps()
    """The last request, to a minute. None, of both: it began before this was kept."""


class ApiToken(SQLModel, table=True):
    """What a program shows instead of logging in."""

    __tablename__ = "api_token"

    id: str = Field(primary_key=True, max_length=32)
    user_id: str = Field(foreign_key="platform_user.id", index=True)
    name: str
    role: str
    digest: str = Field(unique=True, max_length=64)
    created_at: datetime = _time()
    expires_at: datetime = _time()


class IdempotentAnswer(SQLModel, table=True):
    """The answer to a creation with an Idempotency-Key, sealed with that key: here it can't be read."""

    __tablename__ = "idempotent_answer"

    id: str = Field(primary_key=True, max_length=64)
    body_digest: str = Field(max_length=64)
    sealed: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    expires_at: datetime = _time(index=True)


class AuditEntry(SQLModel, table=True):
    """Who did what to what; each entry has the hash of the one before. Triggers refuse changes to it."""

    __tablename__ = "audit_entry"
    __table_args__ = (Index("ix_audit_entry_account", "account_id", "sequence"),)

    sequence: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    at: datetime = _time(index=True)
    request_id: str
    actor: str | None = None
    """The user's id; None: nobody who is known, or the platform itself."""
    login: str
    """The user's name at the time."""
    address: str
    action: str
    kind: str
    """Of the thing that it was done to."""
    target: str = Field(index=True)
    account_id: str | None = None
    """Whose thing it is; None: the operator's."""
    outcome: str
    before: dict[str, Any] | None = Field(default=None, sa_column=Column(JSON(none_as_null=True)))
    after: dict[str, Any] | None = Field(default=None, sa_column=Column(JSON(none_as_null=True)))
    previous: str = Field(max_length=64)
    hash: str = Field(max_length=64)
