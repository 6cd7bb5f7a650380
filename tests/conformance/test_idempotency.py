"""Requests that are sent again because no answer came."""

import secrets
from typing import Any

import pytest
from conformance.deployment import PATHS, Customer

from testbed.client import Answer, aksk_headers

STARTS = [operation for operation in PATHS if operation != "callStop"]


async def ask(customer: Customer, operation: str, key: str, body: dict[str, Any]) -> Answer:
    signed = aksk_headers(customer.at.key_of(operation), customer.at.secret)
    return await customer.send("POST", PATHS[operation], body, {**signed, "Idempotency-Key": key})


@pytest.mark.requirement("B5")
@pytest.mark.parametrize("operation", STARTS)
async def test_B5_given_an_idempotency_key_when_the_request_comes_again_then_it_is_the_same_call(
    customer: Customer, operation: str
) -> None:
    key, body = secrets.token_hex(8), customer.at.request(operation)

    first = await ask(customer, operation, key, body)
    again = await ask(customer, operation, key, body)
    other = await ask(customer, operation, key, {**body, "userData": "other"})
    next_call = await ask(customer, operation, secrets.token_hex(8), body)

    assert first.code == "0", first.text
    assert (again.status, again.text) == (200, first.text)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert (other.status, other.code) == (422, "1010002")
    assert next_call.session_id != first.session_id
    for answer in (first, next_call):
        stop = {"sessionid": answer.session_id, "signal": "call_stop"}
        await customer.ask("callStop", stop, key=customer.at.key_of(operation))
