"""Requests made from the management API's document, right and wrong ones, by everybody who may log in.

Whatever is sent: no 5xx, no status that the document does not have, no body outside its schema.
"""

from collections.abc import Iterator
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from service.management.specimens import SPECIMENS
from service.management.world import ALPHA, BETA, OPERATOR, named, token

from controller.management.catalogue import OPERATIONS
from controller.management.document import document, problems_of
from controller.management.operations import PREFIX, Operation
from controller.management.problems import Unavailable
from controller.management.roles import Role
from fuzz.conftest import Served

pytestmark = pytest.mark.requirement("C9")

SCHEMA = schemathesis.openapi.from_dict(document(OPERATIONS))
EXAMPLES = 20
"""Requests for each operation."""

LONGEST_URL = 8000
CHECKS = [
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
LOGINS = [(role, account) for account in (OPERATOR, ALPHA, BETA) for role in Role]


@pytest.fixture(scope="module")
def http() -> Iterator[requests.Session]:
    with requests.Session() as session:
        yield session


def cases(operation: Operation) -> st.SearchStrategy[Any]:
    """Requests that the document allows, and such that it does not."""
    described = SCHEMA[operation.path][operation.method]
    return st.one_of(
        described.as_strategy(generation_mode=GenerationMode.POSITIVE),
        described.as_strategy(generation_mode=GenerationMode.NEGATIVE),
    )


@pytest.mark.parametrize("operation", OPERATIONS, ids=named)
def test_C9_given_what_a_fuzzer_sends_when_answered_then_it_is_as_the_document_says(
    served: Served, http: requests.Session, operation: Operation
) -> None:
    """Every second request is about things that there are."""
    told = problems_of(operation)
    seen: set[int] = set()

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
    )
    @given(case=cases(operation), login=st.sampled_from(LOGINS), about_specimen=st.booleans())
    def send(case: Any, login: tuple[Role, str | None], about_specimen: bool) -> None:
        if about_specimen and operation.kinds:
            case.path_parameters = {
                kind.parameter: served.write(SPECIMENS[kind.parameter]) for kind in operation.kinds
            }
        headers = {"Authorization": f"Bearer {token(*login)}"}
        if about_specimen and operation.locked:
            headers["If-Match"] = "*"
        response = case.call(base_url=served.url + PREFIX, session=http, headers=headers)
        # Beyond that it is the HTTP parser that refuses: tests/integration/test_hostile_http.py.
        assume(len(response.request.url or "") < LONGEST_URL)
        seen.add(response.status_code)
        # 503 is what some say whose other rooms are not there: here nobody speaks.
        assert response.status_code < 500 or (response.status_code == 503 and Unavailable in told), (
            response.text
        )
        case.validate_response(response, checks=CHECKS, headers=headers)

    send()
    assert seen - {401, 403}, "nothing came as far as the handler"
