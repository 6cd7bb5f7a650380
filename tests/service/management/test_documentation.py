"""The management API's own documentation: valid, complete, and true to the models that check requests."""

from typing import Any

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator
from pydantic import BaseModel
from service.management.world import named

from controller.api.openapi.page import page
from controller.management.catalogue import OPERATIONS
from controller.management.document import document, problems_of
from controller.management.models import Input, Page, PageQuery, View
from controller.management.operations import Kind, Operation, Operations, Owner
from controller.management.problems import Problem
from controller.management.roles import Role, Scope

pytestmark = pytest.mark.requirement("C9")

MADE = document(OPERATIONS)
WITH_BODY = [it for it in OPERATIONS if it.body is not None and issubclass(it.body, BaseModel)]


def test_C9_given_the_document_when_validated_then_it_is_openapi_3_1() -> None:
    assert [error.message for error in OpenAPIV31SpecValidator(MADE).iter_errors()] == []


def test_C9_given_every_operation_when_described_then_it_is_there_once() -> None:
    told = [it["operationId"] for methods in MADE["paths"].values() for it in methods.values()]

    assert sorted(told) == sorted(operation.name for operation in OPERATIONS)
    assert len(set(told)) == len(told)


@pytest.mark.parametrize("operation", WITH_BODY, ids=named)
def test_C9_given_an_example_when_held_against_schema_and_model_then_both_take_it(
    operation: Operation,
) -> None:
    assert operation.body is not None
    content = MADE["paths"][operation.path][operation.method.lower()]["requestBody"]["content"]
    schema = {**content["application/json"]["schema"], "components": MADE["components"]}

    Draft202012Validator(schema).validate(operation.example)


def test_C9_given_every_schema_when_described_then_each_field_says_what_it_means() -> None:
    without = [
        f"{name}.{field}"
        for name, schema in MADE["components"]["schemas"].items()
        for field, described in schema.get("properties", {}).items()
        if not described.get("description") and "$ref" not in described
    ]

    assert without == []


def test_C9_given_the_page_when_made_then_it_has_every_operation_and_runs_nothing() -> None:
    text = page(MADE)

    assert all(f'id="{operation.name}"' in text for operation in OPERATIONS)
    assert "<script" not in text


def test_C9_given_every_problem_when_described_then_its_kind_is_told_somewhere() -> None:
    told = {problem for operation in OPERATIONS for problem in problems_of(operation)}
    beyond = {"internal", "method-not-allowed", "unavailable"}

    assert {it.slug for it in Problem.__subclasses__()} - {it.slug for it in told} <= beyond


# Declarations with a hole


class _View(View):
    id: str


class _Body(Input):
    name: str


NEVER_CALLED = "its declaration is refused"
THING = Kind("thing", "thing_id", "A thing.", lambda _session, _id: Owner(None))


async def _list(ctx: Any, query: PageQuery) -> Page[_View]:
    """List things."""
    raise AssertionError(NEVER_CALLED)


async def _create(ctx: Any, body: _Body) -> _View:
    """Create a thing."""
    raise AssertionError(NEVER_CALLED)


async def _silent(ctx: Any) -> _View:
    raise AssertionError(NEVER_CALLED)


@pytest.mark.parametrize(
    ("handler", "method", "path", "more", "said"),
    [
        (_list, "GET", "/things", {}, "which account"),
        (_create, "POST", "/things", {"example": {"name": "x"}}, "which account"),
        (_create, "POST", "/things", {"scope": Scope.OWN}, "needs an example"),
        (_list, "GET", "/things/{thing_id}", {}, "kinds must be"),
        (_list, "GET", "/things/{id}", {"kinds": [THING]}, "kinds must be"),
        (_silent, "GET", "/things", {"scope": Scope.OWN}, "a docstring"),
    ],
)
def test_C1_given_a_declaration_that_tenancy_would_leak_through_when_made_then_it_is_refused(
    handler: Any, method: Any, path: str, more: dict[str, Any], said: str
) -> None:
    with pytest.raises(TypeError, match=said):
        Operations("thing").operation(method, path, needs=Role.VIEWER, **more)(handler)
