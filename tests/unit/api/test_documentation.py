"""The API's own documentation: valid, complete, and true to the models that check requests."""

import json
import re
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from controller.api.openapi.document import document
from controller.api.openapi.operations import OPERATIONS, Operation
from controller.api.openapi.page import page
from controller.api.wire.body import parse_body
from controller.api.wire.result_reference import result_page
from controller.api.wire.result_reference import test_of as provoking_test
from controller.api.wire.results import RESULTS

pytestmark = pytest.mark.requirement("B5")

WITH_BODY = [operation for operation in OPERATIONS if operation.body is not None]


def schema(name: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{name}", "components": document()["components"]}


def test_B5_given_the_document_when_validated_then_it_is_openapi_3_1() -> None:
    assert [error.message for error in OpenAPIV31SpecValidator(document()).iter_errors()] == []


@pytest.mark.parametrize("operation", WITH_BODY, ids=lambda operation: operation.name)
def test_B5_given_an_example_when_held_against_schema_and_model_then_both_take_it(
    operation: Operation,
) -> None:
    assert operation.body is not None
    Draft202012Validator(schema(operation.body.__name__)).validate(operation.example)
    parse_body(json.dumps(operation.example).encode(), operation.body)


@pytest.mark.parametrize("operation", WITH_BODY, ids=lambda operation: operation.name)
def test_B5_given_a_request_when_described_then_every_field_is_there_with_its_meaning(
    operation: Operation,
) -> None:
    assert operation.body is not None
    described = document()["components"]["schemas"][operation.body.__name__]["properties"]

    assert set(described) == set(operation.body.model_fields)
    assert all(field.get("description") for field in described.values())


def test_B5_given_all_result_codes_when_operations_are_described_then_each_code_is_somewhere() -> None:
    told = {code for operation in OPERATIONS for code in operation.codes()}

    assert told == set(RESULTS) - {"0"}


@pytest.mark.requirement("A4.5")
@pytest.mark.parametrize("code", RESULTS)
def test_A4_5_given_the_test_that_provokes_a_code_when_looked_for_then_it_is_there(code: str) -> None:
    file, name = provoking_test(code)
    function, _, parameter = name.partition("[")
    text = (Path(__file__).parents[3] / file).read_text()
    provoked = text.partition("\nPROVOKED: ")[2].partition("\n}\n")[0]

    assert f"def {function}(" in text
    assert code in text
    assert f'\n    "{code}": ' in provoked if parameter else parameter == ""


def test_B5_given_all_result_codes_when_their_page_is_made_then_each_is_explained_once() -> None:
    explained = result_page().partition("## Which test")[0]
    rows = [line.split("|") for line in explained.splitlines() if re.match(r"\| \d", line)]
    codes = [row[1].strip() for row in rows]

    assert len(set(codes)) == len(codes)
    assert set(RESULTS) <= set(codes)
    assert all(cell.strip() not in ("", "-") for row in rows for cell in row[1:-1])


def test_B5_given_the_page_when_read_then_it_names_every_field_and_needs_nothing_from_elsewhere() -> None:
    html = page(document())
    text = unescape(re.sub(r"<[^>]+>", " ", html))
    described = document()["components"]["schemas"]
    fields = {field for name in described for field in described[name].get("properties", {})}

    assert [field for field in fields if field not in text] == []
    assert "<script" not in html
    assert not re.search(r'(?:src|href)="(?:https?:)?//', html)
