"""How a customer's program knows that a push is the platform's: the configured form, or any other."""

import json

import pytest
from conformance.deployment import Customer
from conformance.signatures import check_aksk, check_webhook, digest
from standardwebhooks import Webhook, WebhookVerificationError

from testbed.client import encoded_url
from testbed.push_receiver import Push

QUICKLY_OVER = "017 00 000"


async def pushed(customer: Customer, **members: str) -> list[Push]:
    """What a notification that is busy at once is told."""
    session = await customer.call("callnotify", calleeNbr=customer.at.callee(QUICKLY_OVER), **members)
    await customer.over(session)
    return customer.receiver.pushes


def check(customer: Customer, push: Push, form: str) -> str:
    at = customer.at
    return check_aksk(push, form, at.notification_key, at.secret, customer.receiver.url(push.path))


@pytest.mark.requirement("B3")
@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ("concatenated", "XBjjE1LgioWTYXn3y5CTZbtLFb+EYYgHLqVstC0pR1Q="),
        ("newline", "no1PYYvAukIO8K/ECnGC5/i0PqrQAUqz9TXmNqLGLTY="),
    ],
)
def test_B3_given_the_documents_vectors_when_signed_as_this_suite_does_then_the_same(
    form: str, expected: str
) -> None:
    found = digest(
        form,
        "s3cret-APP-0001",
        "https://sp.example.net:9443/vc/status",
        "0f9e8d7c6b5a49382716f5e4d3c2b1a0",
        "2024-05-06T07:08:15Z",
    )

    assert found == expected


@pytest.mark.requirement("B1", "B2", "B3")
async def test_B3_given_a_call_when_told_then_status_and_cdr_pushes_are_signed_with_a_nonce_of_their_own(
    customer: Customer,
) -> None:
    pushes = await pushed(customer)

    nonces = [check(customer, push, customer.at.signing) for push in pushes]
    assert {push.json["eventType"] for push in pushes} == {"callout", "disconnect", "fee"}
    assert customer.at.signing == "off" or len(set(nonces)) == len(pushes)


@pytest.mark.requirement("B3")
async def test_B3_given_an_address_with_query_and_escapes_when_told_then_it_is_signed_as_it_was_set(
    customer: Customer,
) -> None:
    path = "/s%2Fx/%E4%B8%AD?b=%2B&a=1&a="
    pushes = await pushed(customer, statusUrl=encoded_url(customer.receiver.url(path)))

    told = [push for push in pushes if push.json["eventType"] != "fee"]
    assert [push.path for push in told] == [path] * 2
    for push in told:
        check(customer, push, customer.at.signing)


@pytest.mark.requirement("B3")
async def test_B3_given_an_app_with_webhook_secrets_when_told_then_each_verifies_and_nothing_else_does(
    customer: Customer,
) -> None:
    secrets = customer.at.webhook_secrets.split()
    if not secrets:
        pytest.skip("CONFORMANCE_WEBHOOK_SECRETS is empty: this deployment has no Standard Webhooks")
    pushes = await pushed(customer)

    for push in pushes:
        check_webhook(push, secrets)
        altered = json.dumps({**push.json, "more": 1}).encode()
        with pytest.raises(WebhookVerificationError):
            Webhook(secrets[0]).verify(altered, dict(push.headers))
    assert len({push.header("webhook-id") for push in pushes}) == len(pushes)


@pytest.mark.requirement("B3")
async def test_B3_given_an_app_without_webhook_secrets_when_told_then_no_headers_of_theirs(
    customer: Customer,
) -> None:
    session = await customer.call("click2Call", callerNbr=customer.at.callee(QUICKLY_OVER))
    await customer.over(session)

    for push in customer.receiver.pushes:
        check_webhook(push, [])


@pytest.mark.requirement("B3")
async def test_B3_given_another_form_is_configured_when_told_then_pushes_are_in_that_one_and_no_other(
    other_signing: Customer,
) -> None:
    form = other_signing.at.signing
    pushes = await pushed(other_signing)

    for push in pushes:
        check(other_signing, push, form)
        for wrong in {"newline", "concatenated", "off"} - {form}:
            with pytest.raises(AssertionError):
                check(other_signing, push, wrong)
    assert len(pushes) == 3
