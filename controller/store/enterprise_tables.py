"""The tables of enterprises: who an account's calls are made for, as regulators want to know it."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, Column, LargeBinary
from sqlmodel import Field, SQLModel

from controller.store.tables import UtcDateTime


class EnterpriseState(StrEnum):
    """How far a qualification has come."""

    DRAFT = "draft"
    SUBMITTED = "submitted"
    APPROVED = "approved"
    REJECTED = "rejected"


class DocumentKind(StrEnum):
    """What a document of a qualification is."""

    LICENCE = "licence"
    COMMITMENT_LETTER = "commitment_letter"
    APPLICATION_LETTER = "application_letter"
    IDENTITY_FRONT = "identity_front"
    IDENTITY_BACK = "identity_back"


class Enterprise(SQLModel, table=True):
    """A qualification record. Source: product text C2."""

    id: str = Field(primary_key=True, max_length=32)
    account_id: str = Field(foreign_key="account.id", index=True)
    state: str = Field(default=EnterpriseState.DRAFT, index=True)
    reason: str | None = None
    """Why it was rejected last."""
    full_name: str
    code: str = ""
    phone: str = ""
    legal_representative: str = ""
    scenario: str = ""
    script: str = ""
    calls_per_day: int | None = None
    peak_calls: int | None = None
    handler_name: str = ""
    handler_phone: str = ""
    handler_address: str = ""
    documents: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))
    """What is told of each document that is there."""
    submitted_at: datetime | None = Field(default=None, sa_column=Column(UtcDateTime, nullable=True))
    decided_at: datetime | None = Field(default=None, sa_column=Column(UtcDateTime, nullable=True))


class EnterpriseDocument(SQLModel, table=True):
    """A document of a qualification."""

    __tablename__ = "enterprise_document"

    enterprise_id: str = Field(foreign_key="enterprise.id", primary_key=True, max_length=32)
    kind: str = Field(primary_key=True, max_length=32)
    content: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
