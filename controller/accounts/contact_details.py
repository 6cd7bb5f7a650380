"""What is known of a contact of an account, and what can't be."""

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, ValidationInfo, field_validator

from controller.accounts.webhook_secret import webhook_key
from controller.faults import EMAIL
from controller.store.tables import Contact

MOST = 20
"""Contacts of an account."""


def _url(text: str) -> str:
    try:
        parts = urlsplit(text)
        parts.port  # noqa: B018 - read, as only that checks it
    except ValueError:
        raise ValueError("not an http or https address") from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("not an http or https address")
    return text


def _secret(secret: SecretStr) -> SecretStr:
    webhook_key(secret.get_secret_value())
    return secret


# Plain addresses alone: what else mail allows (quotes, comments, other scripts) is where injections begin.
Email = Annotated[str, Field(pattern=EMAIL)]
WebhookUrl = Annotated[str, Field(max_length=2048), AfterValidator(_url)]


class ContactDetails(BaseModel):
    """What is known of a contact: at least one way of reaching it."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    name: str = Field("", max_length=100)
    """Who it is."""
    email: Email | None = None
    """Where mail goes."""
    webhook_url: WebhookUrl | None = Field(None, validate_default=True)
    """Where webhooks go; where pushes may go."""
    webhook_secret: Annotated[SecretStr, AfterValidator(_secret)] | None = None
    """What signs webhooks (Standard Webhooks): whsec_ and 24 to 64 bytes in Base64."""

    @field_validator("webhook_url")
    @classmethod
    def _reachable(cls, url: str | None, those: ValidationInfo) -> str | None:
        # An email that is no address is not among those before it, and is told.
        if url is None and those.data.get("email", "wrong") is None:
            raise ValueError("is missing: a contact needs email or webhook_url")
        return url

    @field_validator("webhook_secret")
    @classmethod
    def _of_webhooks(cls, secret: SecretStr | None, those: ValidationInfo) -> SecretStr | None:
        if secret is not None and those.data.get("webhook_url", "wrong") is None:
            raise ValueError("signs webhooks, and needs webhook_url")
        return secret


def describe(row: Contact, details: ContactDetails) -> None:
    """Have a row say what is known."""
    row.name, row.email, row.webhook_url = details.name, details.email, details.webhook_url
    secret = details.webhook_secret
    row.webhook_secret = None if secret is None else secret.get_secret_value()
