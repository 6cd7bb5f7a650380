"""Finding calls: every filter, live and ended, in the index and not yet in it, page by page."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from service.details.support import NOW, Desk, desk, ids

from controller.details import index as index_module
from controller.store import call_index
from controller.store.call_filter import CallFilter, FilterError, position_of
from controller.store.tables import Service

pytestmark = pytest.mark.requirement("B4")

SECOND = timedelta(seconds=1)


async def two_calls(calls: Desk) -> tuple[str, str]:
    """A notification and a callback of one account, that differ in all that is looked for."""
    first = await calls.ended(NOW, id="1200_11_700700_20261124080000")
    second = await calls.ended(
        NOW + SECOND,
        id="1202_12_800800_20261124080001",
        service="callback",
        app_key="acme-2",
        callee="+8613755552222",
        addressee="+8613866663333",
        state_code=8102,
    )
    return first, second


FILTERS: list[tuple[dict[str, Any], str]] = [
    ({}, "second first"),
    ({"app_key": "acme-1"}, "first"),
    ({"app_key": "acme-2"}, "second"),
    ({"app_key": "acme"}, ""),
    ({"service": Service.CALLBACK}, "second"),
    ({"service": Service.VERIFICATION}, ""),
    ({"results": frozenset({8102})}, "second"),
    ({"results": frozenset({0, 8102})}, "second first"),
    ({"results": frozenset({8101})}, ""),
    ({"session_id": "700700"}, "first"),
    ({"session_id": "_800800_2026"}, "second"),
    ({"session_id": "20261124"}, "second first"),
    ({"session_id": "1200_11_700700_20261124080000@host.example"}, "first"),
    ({"session_id": "080001@host"}, "second"),
    ({"session_id": "080001@other"}, ""),
    ({"session_id": "0_0_0"}, ""),
    ({"caller": "+8657126880001"}, "first"),
    ({"caller": "5555"}, "second"),
    ({"caller": "6666"}, ""),
    ({"callee": "390000"}, "first"),
    ({"callee": "+86 138-6666 3333"}, "second"),
    ({"callee": "+861"}, "second first"),
    ({"callee": "3913"}, ""),
    ({"text": "00001111"}, "first"),
    ({"text": "37555"}, "second"),
    ({"text": "800800"}, "second"),
    ({"text": "880001"}, "first"),
    ({"text": "999"}, ""),
    ({"since": NOW + SECOND}, "second"),
    ({"until": NOW + SECOND}, "first"),
    ({"since": NOW, "until": NOW + SECOND}, "first"),
    ({"app_key": "acme-1", "callee": "6666"}, ""),
    ({"app_key": "acme-2", "callee": "6666", "results": frozenset({8102}), "since": NOW}, "second"),
]


@pytest.mark.parametrize("where", ["database", "index", "sealed"])
@pytest.mark.parametrize(("conditions", "expected"), FILTERS)
async def test_B4_given_two_calls_when_filtered_then_those_that_meet_it_are_found(
    calls: Desk, monkeypatch: pytest.MonkeyPatch, where: str, conditions: dict[str, Any], expected: str
) -> None:
    monkeypatch.setattr(call_index, "BLOCK", 2 if where == "sealed" else 1000)
    names = dict(zip(("first", "second"), await two_calls(calls), strict=True))
    if where != "database":
        assert await calls.index.catch_up() == 2

    found = await calls.find(**conditions)

    assert found == [names[name] for name in expected.split()]


async def test_B4_given_a_live_call_when_searched_then_it_is_found_and_not_by_a_result(calls: Desk) -> None:
    live = await calls.begin()

    assert await calls.find(callee="1111") == [live]
    assert await calls.find(results=frozenset({0})) == []


async def test_B4_given_calls_in_every_state_when_paged_then_each_comes_once_newest_first(
    calls: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(call_index, "BLOCK", 3)
    made = [await calls.ended(NOW + number * SECOND) for number in range(12)]
    await calls.index.catch_up()
    made += [await calls.ended(NOW + number * SECOND) for number in range(12, 17)]
    made.insert(3, await calls.begin(NOW + 2.5 * SECOND))

    seen: list[str] = []
    cursor = None
    while True:
        wanted = CallFilter(account_id="acme", callee="0000")
        page = await calls.search.find(wanted, of_account=None, cursor=cursor, limit=4)
        seen += ids(page)
        await calls.index.catch_up()  # What is indexed between two pages changes nothing.
        if (cursor := page.next) is None:
            break

    assert seen == made[::-1]


async def test_B4_given_calls_accepted_at_the_same_time_when_paged_one_by_one_then_none_is_lost(
    calls: Desk,
) -> None:
    made = [await calls.ended(NOW) for _ in range(5)]
    await calls.index.catch_up()
    made += [await calls.ended(NOW)]
    await calls.index.catch_up()

    seen: list[str] = []
    cursor = None
    while True:
        page = await calls.search.find(CallFilter(), of_account=None, cursor=cursor, limit=1)
        seen += ids(page)
        if (cursor := page.next) is None:
            break

    assert sorted(seen) == sorted(made)


async def test_B4_given_another_account_when_it_searches_then_it_sees_nothing(calls: Desk) -> None:
    ended = await calls.ended()
    await calls.index.catch_up()
    live = await calls.begin(NOW + SECOND)

    assert await calls.find("other") == []
    assert await calls.find("other", session_id=ended) == []
    assert await calls.find("other", account_id="acme") == []
    assert await calls.find("acme") == [live, ended]


async def test_B4_given_a_call_that_ends_between_reads_when_searched_then_it_is_found_once(
    calls: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    live = await calls.begin()
    find: Callable[..., Any] = calls.index.find

    async def ends_first(*arguments: Any) -> Any:
        await calls.end(live)
        await calls.index.catch_up()
        return await find(*arguments)

    monkeypatch.setattr(calls.index, "find", ends_first)

    assert await calls.find() == [live]


async def test_B4_given_an_answered_call_when_listed_then_its_times_are_those_of_whom_it_is_for(
    calls: Desk,
) -> None:
    await calls.ended(service="callback", app_key="acme-2", callee="+8613755552222", addressee="+861380000")

    [call] = (await calls.search.find(CallFilter(), of_account="acme")).calls

    assert (call.caller, call.callee) == ("+8613755552222", "+861380000")
    assert call.answered_at == NOW + 10 * SECOND
    assert call.talk_seconds == 20
    assert call.session_id == f"{call.call_id}@host.example"


@pytest.mark.parametrize(
    ("field", "conditions"),
    [
        ("caller", {"caller": "Alice"}),
        ("callee", {"callee": "13"}),
        ("callee", {"callee": "13+9"}),
        ("session_id", {"session_id": "12"}),
        ("session_id", {"session_id": "@host"}),
        ("session_id", {"session_id": 'x" OR "y'}),
        ("text", {"text": "drop table"}),
        ("text", {"text": "  1 "}),
        ("until", {"since": NOW, "until": NOW}),
    ],
)
def test_B4_given_a_filter_that_can_not_be_when_made_then_the_error_names_the_field(
    field: str, conditions: dict[str, Any]
) -> None:
    with pytest.raises(FilterError) as refused:
        CallFilter(**conditions)

    assert refused.value.field == field


@pytest.mark.parametrize("cursor", ["", "x", "%%%", "MTIz", "äö", "LTE6eA", "9" * 4000])
async def test_B4_given_a_cursor_of_nobody_when_searched_then_it_is_refused(calls: Desk, cursor: str) -> None:
    with pytest.raises(FilterError) as refused:
        await calls.search.find(CallFilter(), of_account=None, cursor=cursor)

    assert refused.value.field == "cursor"


@pytest.mark.parametrize("limit", [0, 501])
async def test_B4_given_a_limit_out_of_bounds_when_searched_then_it_is_refused(
    calls: Desk, limit: int
) -> None:
    with pytest.raises(FilterError):
        await calls.search.find(CallFilter(), of_account=None, limit=limit)


digits = st.text("0123", min_size=3, max_size=9)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    numbers=st.lists(st.tuples(digits, digits), min_size=1, max_size=12, unique=True),
    part=st.text("0123", min_size=3, max_size=8),
    where=st.sampled_from(["caller", "callee", "session_id", "text"]),
    block=st.sampled_from([1, 5, 1000]),
    piece=st.sampled_from([1, 2, 500]),
)
def test_B4_given_any_numbers_when_searched_by_any_part_then_index_and_database_agree_with_the_text(
    tmp_path_factory: pytest.TempPathFactory,
    numbers: list[tuple[str, str]],
    part: str,
    where: str,
    block: int,
    piece: int,
) -> None:
    async def run() -> None:
        async with desk(tmp_path_factory.mktemp("desk")) as calls:
            expected = []
            for step, (caller, callee) in enumerate(numbers):
                call_id = await calls.ended(
                    NOW + step * SECOND, id=f"{step}_{callee}_{caller}", display_number=caller, callee=callee
                )
                fields = {"caller": caller, "callee": callee, "session_id": call_id}
                looked_at = fields.values() if where == "text" else [fields[where]]
                if any(part in value for value in looked_at):
                    expected.insert(0, call_id)
            before = await calls.find(**{where: part})
            await calls.index.catch_up()
            after = await calls.find(**{where: part})
            assert before == after == expected

    with (
        patch.object(call_index, "BLOCK", block),
        patch.object(call_index, "PIECE", piece),
        patch.object(index_module, "BATCH", block),
    ):
        asyncio.run(run())


def test_given_a_time_when_made_a_position_then_every_microsecond_counts() -> None:
    assert position_of(NOW + timedelta(microseconds=1)) - position_of(NOW) == 1
