"""Signatures: the document's vectors, and Standard Webhooks as its own package verifies it."""

import base64
from datetime import UTC, datetime

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from controller.accounts.webhook_secret import webhook_key
from controller.pushes.signing import Signing, aksk_headers, push_digest, webhook_headers

URL = "https://sp.example.net:9443/vc/status"
SECRET, NONCE = "s3cret-APP-0001", "0f9e8d7c6b5a49382716f5e4d3c2b1a0"
CREATED = "2024-05-06T07:08:15Z"
BODY = '{"eventType":"answer","statusInfo":{"userData":"é"}}'.encode()


def secret(byte: int, length: int = 32) -> str:
    return "whsec_" + base64.b64encode(bytes([byte]) * length).decode()


@pytest.mark.requirement("B3")
@pytest.mark.parametrize(
    ("signing", "digest"),
    [
        (Signing.CONCATENATED, "XBjjE1LgioWTYXn3y5CTZbtLFb+EYYgHLqVstC0pR1Q="),
        (Signing.NEWLINE, "no1PYYvAukIO8K/ECnGC5/i0PqrQAUqz9TXmNqLGLTY="),
    ],
)
def test_B3_given_the_documents_vector_when_signed_then_the_digest_is_the_documents(
    signing: Signing, digest: str
) -> None:
    assert push_digest(signing, SECRET, URL, NONCE, CREATED) == digest


@pytest.mark.requirement("B3")
@pytest.mark.parametrize(
    ("signing", "created"),
    [(Signing.CONCATENATED, "2024-05-06T07:08:15Z"), (Signing.NEWLINE, "2024-05-06T15:08:15Z")],
)
def test_B3_given_a_form_when_signed_then_created_is_in_its_zone(signing: Signing, created: str) -> None:
    now = datetime(2024, 5, 6, 7, 8, 15, tzinfo=UTC)

    headers = aksk_headers(signing, "app", SECRET, URL, NONCE, now)

    digest = push_digest(signing, SECRET, URL, NONCE, created)
    assert headers == {
        "Authorization": 'AKSK realm="SDP",profile="UsernameToken",type="Appkey"',
        "X-AKSK": f'UsernameToken Username="app", PasswordDigest="{digest}", '
        f'Nonce="{NONCE}", Created="{created}"',
    }


@pytest.mark.requirement("B3")
def test_B3_given_signing_is_off_when_signed_then_no_header() -> None:
    assert aksk_headers(Signing.OFF, "app", SECRET, URL, NONCE, datetime.now(UTC)) == {}


def test_given_a_webhook_secret_when_signed_then_the_package_of_the_standard_verifies_it() -> None:
    headers = webhook_headers([webhook_key(secret(1))], "msg_1", datetime.now(UTC), BODY)

    Webhook(secret(1)).verify(BODY, headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(secret(1)).verify(BODY + b" ", headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(secret(2)).verify(BODY, headers)


def test_given_two_webhook_secrets_when_signed_then_either_verifies() -> None:
    headers = webhook_headers([webhook_key(secret(1)), webhook_key(secret(2))], "m", datetime.now(UTC), BODY)

    for byte in (1, 2):
        Webhook(secret(byte)).verify(BODY, headers)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("abc", "begin with whsec_"),
        ("whsec_%%%", "Base64"),
        (secret(1, 23), "24 to 64 bytes, not 23"),
        (secret(1, 65), "24 to 64 bytes, not 65"),
    ],
)
def test_given_a_bad_webhook_secret_when_read_then_the_fault_is_named_and_the_secret_is_not(
    text: str, complaint: str
) -> None:
    with pytest.raises(ValueError, match=complaint) as refused:
        webhook_key(text)

    assert text not in str(refused.value)


@pytest.mark.parametrize("length", [24, 64])
def test_given_a_secret_of_a_length_at_the_edge_when_read_then_it_is_taken(length: int) -> None:
    assert webhook_key(secret(7, length)) == bytes([7]) * length
