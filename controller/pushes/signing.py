"""How a receiver can tell that a push is ours: the cloud's X-AKSK in both forms, and Standard Webhooks.

Sources: wire API document, section 5; https://github.com/standard-webhooks/standard-webhooks, version 1.0.0.
"""

import base64
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta, timezone
from enum import StrEnum

from controller.keyed_digest import hmac_sha256


class Signing(StrEnum):
    """Which form of X-AKSK pushes carry."""

    OFF = "off"
    CONCATENATED = "concatenated"
    """As documented until 2025: Created in UTC."""
    NEWLINE = "newline"
    """As documented since 2026: Created in UTC+8, with a Z all the same."""


_SEPARATORS = {Signing.CONCATENATED: "", Signing.NEWLINE: "\n"}
_ZONES = {Signing.CONCATENATED: UTC, Signing.NEWLINE: timezone(timedelta(hours=8))}


def _hmac(key: bytes, text: bytes) -> str:
    return base64.b64encode(hmac_sha256(key, text)).decode()


def push_digest(signing: Signing, secret: str, url: str, nonce: str, created: str) -> str:
    """The PasswordDigest of a push to `url`, as the customer set it."""
    return _hmac(secret.encode(), _SEPARATORS[signing].join((url, nonce, created)).encode())


def aksk_headers(
    signing: Signing, app_key: str, secret: str, url: str, nonce: str, now: datetime
) -> dict[str, str]:
    """The headers of a signed push; none when signing is off."""
    if signing is Signing.OFF:
        return {}
    created = f"{now.astimezone(_ZONES[signing]).isoformat()[:19]}Z"
    digest = push_digest(signing, secret, url, nonce, created)
    return {
        "Authorization": 'AKSK realm="SDP",profile="UsernameToken",type="Appkey"',
        "X-AKSK": (
            f'UsernameToken Username="{app_key}", PasswordDigest="{digest}", '
            f'Nonce="{nonce}", Created="{created}"'
        ),
    }


def webhook_headers(keys: Iterable[bytes], message_id: str, now: datetime, body: bytes) -> dict[str, str]:
    """The headers of Standard Webhooks: a signature for each key, so that keys can be changed at leisure."""
    timestamp = str(int(now.timestamp()))
    signed = f"{message_id}.{timestamp}.".encode() + body
    return {
        "webhook-id": message_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(f"v1,{_hmac(key, signed)}" for key in keys),
    }
