"""Every field of every request: absent, null, of another type, at and beyond its limits."""

from typing import Any

import pytest
from conformance.confidence import inferred
from conformance.deployment import Customer, Deployment, document
from conformance.fields import REFUSED, fields

OPERATIONS = ("callnotify", "click2Call", "callVerify", "callStop")
NOWHERE = Deployment("http://nowhere")


def every_field(*, that: str = "") -> pytest.MarkDecorator:
    """Each field of each request; those `that` have values of a kind."""
    names = [
        (operation, name)
        for operation in OPERATIONS
        for name, field in fields(NOWHERE, operation).items()
        if not that or getattr(field, that)
    ]
    return pytest.mark.parametrize(
        ("operation", "name"), names, ids=[f"{operation}-{name}" for operation, name in names]
    )


ABSENT = object()


def request(at: Deployment, operation: str, name: str, value: Any) -> dict[str, Any]:
    """A good request but for one field."""
    body = at.request(operation)
    place: dict[str, Any] = body["playInfoList"][0] if name.startswith("item.") else body
    place |= fields(at, operation)[name].beside
    if value is ABSENT:
        place.pop(name.removeprefix("item."), None)
    else:
        place[name.removeprefix("item.")] = value
    return body


async def differs_when_refused(customer: Customer, operation: str, name: str, values: Any) -> dict[str, str]:
    """Values that are not refused with the field's code and name, and what was answered."""
    field = fields(customer.at, operation)[name]
    differs = {}
    for value in values:
        answer = await customer.ask(operation, request(customer.at, operation, name, value))
        named = field.code != REFUSED or name.removeprefix("item.") in answer.description or is_sound(value)
        if (answer.code, answer.status, named) != (field.code, 403, True) or "sessionId" in answer.body:
            differs[repr(value)[:40]] = answer.text
    return differs


def is_sound(value: Any) -> bool:
    """Whether the text names the sound file, the item or the body as a whole instead of its field."""
    return value in ("nothing.wav", "\0", "\ud800", "")


async def differs_when_taken(customer: Customer, operation: str, name: str, values: Any) -> dict[str, str]:
    """Values with which no call is made, and what was answered."""
    differs = {}
    for value in values:
        answer = await customer.ask(operation, request(customer.at, operation, name, value))
        if (answer.code, answer.status, answer.description) != ("0", 200, "Success"):
            differs[repr(value)[:40]] = answer.text
    return differs


@pytest.mark.requirement("A4.5")
@every_field(that="refused")
async def test_A4_5_given_a_field_with_a_wrong_value_when_asked_then_refused_with_code_and_name(
    customer: Customer, operation: str, name: str
) -> None:
    values = fields(customer.at, operation)[name].refused

    assert await differs_when_refused(customer, operation, name, values) == {}


@pytest.mark.requirement("A4.5")
@inferred("4", "values of which nothing says that they are refused")
@every_field(that="maybe_refused")
async def test_A4_5_given_a_field_with_a_doubtful_value_when_asked_then_refused_with_code_and_name(
    customer: Customer, operation: str, name: str
) -> None:
    values = fields(customer.at, operation)[name].maybe_refused

    assert await differs_when_refused(customer, operation, name, values) == {}


@pytest.mark.requirement("A4.5")
@every_field(that="taken")
async def test_A4_5_given_a_field_at_its_limits_or_as_clients_write_it_when_asked_then_a_call_is_made(
    customer: Customer, operation: str, name: str
) -> None:
    values = fields(customer.at, operation)[name].taken

    assert await differs_when_taken(customer, operation, name, values) == {}


@pytest.mark.requirement("A4.5")
@inferred("1 and 4", "values of which nothing says that they are taken")
@every_field(that="maybe_taken")
async def test_A4_5_given_a_field_with_a_doubtful_value_when_asked_then_a_call_is_made(
    customer: Customer, operation: str, name: str
) -> None:
    values = fields(customer.at, operation)[name].maybe_taken

    assert await differs_when_taken(customer, operation, name, values) == {}


@pytest.mark.requirement("A4.5")
@pytest.mark.parametrize("operation", OPERATIONS)
def test_A4_5_given_the_documented_request_when_compared_then_each_of_its_fields_is_tried(
    operation: str,
) -> None:
    schemas = document()["components"]["schemas"]
    [path] = [path for path in document()["paths"] if f"/{operation}/" in path]
    body = document()["paths"][path]["post"]["requestBody"]["content"]["application/json"]["schema"]
    documented = set(schemas[body["$ref"].rpartition("/")[2]]["properties"])
    if operation == "callnotify":
        documented |= {f"item.{name}" for name in schemas["PlayContentInfo"]["properties"]}

    assert documented == set(fields(NOWHERE, operation)) - {"bindNbr", "item.unknown"}


@pytest.mark.requirement("A4.5")
@every_field()
@pytest.mark.parametrize("how", [ABSENT, None], ids=["absent", "null"])
async def test_A4_5_given_a_field_that_is_not_there_when_asked_then_only_a_mandatory_one_is_missed(
    customer: Customer, operation: str, name: str, how: object
) -> None:
    field = fields(customer.at, operation)[name]
    sources = ("item.notifyVoice", "item.templateId", "item.ttsContent")
    body = request(customer.at, operation, name, how)
    if name == "item.templateParas":
        body["playInfoList"][0]["templateId"] = customer.at.template
    answer = await customer.ask(operation, body)

    if name == "item.templateParas":
        assert answer.code == "1012004"
    elif name in sources:
        assert answer.description == (
            "Invalid request.playInfoList[0] must have exactly one of notifyVoice and templateId"
        )
    elif field.required:
        assert (answer.status, answer.code) == (403, REFUSED)
        assert answer.description == f"Invalid request.{name} is missing"
    else:
        assert answer.code == "0", answer.text


@pytest.mark.requirement("A4.5")
@pytest.mark.parametrize("operation", OPERATIONS[:3])
async def test_A4_5_given_idle_ports_asked_for_when_accepted_then_a_number_is_in_the_answer_else_not(
    customer: Customer, operation: str
) -> None:
    body = customer.at.request(operation)

    without = await customer.ask(operation, body)
    with_it = await customer.ask(operation, {**body, "returnIdlePort": "true"})

    assert set(without.body) == {"resultcode", "resultdesc", "sessionId"}
    assert set(with_it.body) == {"resultcode", "resultdesc", "sessionId", "idlePort"}
    assert 0 <= with_it.body["idlePort"] <= 65535


@pytest.mark.requirement("A4.5")
@pytest.mark.parametrize("operation", OPERATIONS)
async def test_A4_5_given_field_names_in_another_case_when_asked_then_they_are_other_names(
    customer: Customer, operation: str
) -> None:
    body = {name.swapcase(): value for name, value in customer.at.request(operation).items()}

    answer = await customer.ask(operation, body)

    assert answer.code == REFUSED
    assert answer.description.endswith("is missing")
