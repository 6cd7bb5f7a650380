"""What an enterprise's qualification says and has, and when it is complete. Source: product text C2."""

import hashlib
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from controller.faults import PHONE
from controller.store.enterprise_tables import DocumentKind, Enterprise

LARGEST_DOCUMENT = 5 * 1024 * 1024
"""Bytes."""

_BEGINNINGS = {"application/pdf": b"%PDF-", "image/jpeg": b"\xff\xd8\xff", "image/png": b"\x89PNG\r\n\x1a\n"}
MEDIA_TYPES = tuple(_BEGINNINGS)
"""Of documents."""

FullName = Annotated[str, Field(min_length=1, max_length=200)]


class Qualification(BaseModel):
    """What it says beside the enterprise's name."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    code: str = Field("", max_length=64)
    """Number of the licence, or organisation code."""
    phone: str = Field("", pattern=PHONE)
    """Of the company."""
    legal_representative: str = Field("", max_length=100)
    """Who stands for the company."""
    scenario: str = Field("", max_length=2000)
    """What calls are made for."""
    script: str = Field("", max_length=10_000)
    """What calls say."""
    calls_per_day: int | None = Field(None, ge=1, le=1_000_000_000)
    """Expected calls in a day."""
    peak_calls: int | None = Field(None, ge=1, le=1_000_000)
    """Expected calls at a time."""
    handler_name: str = Field("", max_length=100)
    """The person who handles it."""
    handler_phone: str = Field("", pattern=PHONE)
    """Their phone."""
    handler_address: str = Field("", max_length=500)
    """Their address."""


def media_type_of(content: bytes) -> str | None:
    """What kind of file a document is; None: none that is taken."""
    return next((kind for kind, beginning in _BEGINNINGS.items() if content.startswith(beginning)), None)


def told_of(content: bytes) -> dict[str, Any]:
    """What a qualification tells of a document that it has."""
    return {
        "media_type": media_type_of(content),
        "bytes": len(content),
        "digest": hashlib.sha256(content).hexdigest(),
    }


def missing_of(row: Enterprise) -> list[str]:
    """What a qualification lacks to be submitted."""
    missing = [name for name in Qualification.model_fields if getattr(row, name) in ("", None)]
    return missing + [f"documents.{kind}" for kind in DocumentKind if kind not in row.documents]
