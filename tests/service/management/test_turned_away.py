"""Requests that the entrance does not let in."""

import asyncio
from collections.abc import Mapping

import aiohttp
import pytest
from service.management.world import World

from controller.api import pacing


@pytest.fixture(autouse=True)
def few_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Some twenty refusals fill a bucket, and what leaks away doesn't depend on how fast the machine is."""
    monkeypatch.setattr(pacing, "BURST", 0.01)
    monkeypatch.setattr(pacing, "SOURCE_SHARE", 0.001)
    monkeypatch.setattr(pacing, "TOTAL_SHARE", 0.001)


@pytest.mark.requirement("C9")
async def test_C9_given_an_address_that_floods_when_it_is_turned_away_then_by_a_problem_document(
    here: World,
) -> None:
    async def ask() -> tuple[int, Mapping[str, str], dict[str, object]]:
        async with aiohttp.ClientSession() as http, http.get(f"{here.url}/api/v1/accounts") as answer:
            return answer.status, answer.headers, await answer.json(content_type="application/problem+json")

    for many in (50, 200):
        answers = await asyncio.gather(*(ask() for _ in range(many)))

    away = [(headers, body) for status, headers, body in answers if status == 429]
    assert away
    assert {status for status, _headers, _body in answers} <= {401, 429}
    for headers, body in away:
        assert headers["Retry-After"] == "1"
        assert body["type"] == "/api/v1/docs#too-many-requests"
        assert body["request_id"] == headers["X-Request-Id"]
