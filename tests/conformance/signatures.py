"""Whether a push is signed as the documents say: X-AKSK in both its forms, and Standard Webhooks."""

import base64
import hashlib
import hmac
import re
from datetime import UTC, datetime, timedelta

from standardwebhooks import Webhook

from testbed.push_receiver import Push

SEPARATORS = {"newline": "\n", "concatenated": ""}
"""Between address, nonce and Created, by form."""

AHEAD_OF_UTC = {"newline": timedelta(hours=8), "concatenated": timedelta()}
"""What `Created` says, with a Z all the same, by form."""

_AUTHORIZATION = 'AKSK realm="SDP",profile="UsernameToken",type="Appkey"'
_AKSK = re.compile(
    r'UsernameToken Username="([^"]*)", PasswordDigest="([^"]*)", Nonce="([^"]+)", Created="([^"]*)"'
)
_TOLERANCE = timedelta(minutes=3)


def digest(form: str, secret: str, url: str, nonce: str, created: str) -> str:
    """The PasswordDigest of a push to `url`, as it was set."""
    text = SEPARATORS[form].join((url, nonce, created))
    return base64.b64encode(hmac.digest(secret.encode(), text.encode(), hashlib.sha256)).decode()


def check_aksk(push: Push, form: str, app_key: str, secret: str, url: str) -> str:
    """Hold a push's headers against a form, or `off`; returns its nonce. Raises AssertionError."""
    authorization, signature = push.header("Authorization"), push.header("X-AKSK")
    if form == "off":
        assert (authorization, signature) == (None, None)
        return ""
    assert authorization == _AUTHORIZATION
    fields = _AKSK.fullmatch(signature or "")
    assert fields is not None, f"no X-AKSK as documented: {signature}"
    username, password_digest, nonce, created = fields.groups()
    assert username == app_key
    assert password_digest == digest(form, secret, url, nonce, created), f"not the digest of the form {form}"
    at = datetime.strptime(created, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC) - AHEAD_OF_UTC[form]
    assert abs(datetime.now(UTC) - at) < _TOLERANCE, f"not in the zone of the form {form}: {created}"
    return nonce


def check_webhook(push: Push, secrets: list[str]) -> None:
    """Hold a push against each secret, or against none. Raises WebhookVerificationError, AssertionError."""
    if not secrets:
        names = ("webhook-id", "webhook-timestamp", "webhook-signature")
        assert [push.header(name) for name in names] == [None] * 3
    for secret in secrets:
        Webhook(secret).verify(push.body, dict(push.headers))
