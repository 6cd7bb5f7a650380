"""Requests with an Idempotency-Key on the running platform, whose answer was lost on the way."""

import asyncio
from typing import Any

import pytest
from integration.support import APP_KEY, CALLBACK_KEY, SECRET, VERIFY_KEY, Bench, StartBench
from sqlalchemy import func, select

from controller.store.tables import Call
from testbed.client import CALLNOTIFY, CALLVERIFY, CLICK2CALL, Answer, aksk_headers

ANSWERS_AND_HANGS_UP, OTHER = "+99901600001", "+99901600002"


def notification(b: Bench, **more: Any) -> dict[str, Any]:
    return {**b.request(callee=ANSWERS_AND_HANGS_UP), "returnIdlePort": True, **more}


async def ask(b: Bench, key: str, body: object, path: str = CALLNOTIFY, app: str = APP_KEY) -> Answer:
    return await b.client.post(path, body, {**aksk_headers(app, SECRET), "Idempotency-Key": key})


async def calls(b: Bench) -> int:
    def count(session: Any) -> int:
        return int(session.execute(select(func.count()).select_from(Call)).scalar_one())

    return await b.controller.database.read(count)


@pytest.mark.requirement("B5")
async def test_B5_given_a_key_when_asked_again_then_the_answer_is_the_same_and_there_is_one_call(
    bench: StartBench,
) -> None:
    b = await bench(phones={})

    first = await ask(b, "order-1", notification(b))
    again = await ask(b, "order-1", notification(b))
    alias = await ask(b, "order-1", notification(b), f"/sandbox{CALLNOTIFY}")
    await b.over(first.session_id)
    afterwards = await ask(b, "order-1", notification(b))

    assert first.code == "0"
    assert first.body["idlePort"] == 9
    assert "Idempotent-Replayed" not in first.headers
    for answer in (again, alias, afterwards):
        assert (answer.status, answer.text) == (200, first.text)
        assert answer.headers["Idempotent-Replayed"] == "true"
    assert await calls(b) == 1


@pytest.mark.requirement("B5")
async def test_B5_given_a_key_when_it_comes_with_another_body_then_422_and_no_call(bench: StartBench) -> None:
    b = await bench(phones={})
    await ask(b, "order-1", notification(b))

    answer = await ask(b, "order-1", notification(b, userData="other"))

    assert (answer.status, answer.code) == (422, "1010002")
    assert "Idempotency-Key" in answer.description
    assert await calls(b) == 1


@pytest.mark.requirement("B5")
async def test_B5_given_one_key_when_asked_many_times_at_once_then_one_call_and_the_others_are_told(
    bench: StartBench,
) -> None:
    b = await bench(phones={})

    answers = await asyncio.gather(*(ask(b, "order-1", notification(b)) for _ in range(20)))

    started = [answer for answer in answers if answer.status == 200]
    under_way = [answer for answer in answers if answer.status == 409]
    assert len(started) + len(under_way) == 20
    assert under_way
    assert all(answer.code == "1010002" and answer.headers["Retry-After"] == "1" for answer in under_way)
    assert len({answer.session_id for answer in started}) == 1
    assert await calls(b) == 1


@pytest.mark.requirement("B5")
async def test_B5_given_a_controller_that_was_killed_when_asked_again_then_the_next_one_knows_the_call(
    bench: StartBench,
) -> None:
    b = await bench(phones={})
    await b.close_controller()
    async with b.killed():
        first = await ask(b, "order-1", notification(b))
    await b.start_controller()

    again = await ask(b, "order-1", notification(b))

    assert again.text == first.text
    assert await calls(b) == 1


@pytest.mark.requirement("B5")
async def test_B5_given_one_key_when_other_apps_and_services_use_it_then_each_has_a_call_of_its_own(
    bench: StartBench,
) -> None:
    b = await bench(phones={})
    common = {"displayNbr": b.request()["displayNbr"], "calleeNbr": ANSWERS_AND_HANGS_UP}
    callback = {**common, "callerNbr": OTHER, "displayCalleeNbr": common["displayNbr"]}
    verification = {**common, "languageType": 1, "preTone": "one.wav", "verifyCode": "1234"}

    answers = [
        await ask(b, "order-1", notification(b)),
        await ask(b, "order-1", callback, CLICK2CALL, CALLBACK_KEY),
        await ask(b, "order-1", verification, CALLVERIFY, VERIFY_KEY),
        await ask(b, "order-1", verification, CALLVERIFY, VERIFY_KEY),
    ]

    assert [answer.code for answer in answers] == ["0"] * 4
    assert len({answer.session_id for answer in answers}) == 3
    assert await calls(b) == 3


@pytest.mark.requirement("B5")
async def test_B5_given_a_refused_request_when_asked_again_with_its_key_then_it_may_be_right(
    bench: StartBench,
) -> None:
    b = await bench(phones={})

    malformed = await ask(b, "no spaces", notification(b))
    refused = await ask(b, "order-1", notification(b, calleeNbr="+85212345678"))
    right = await ask(b, "order-1", notification(b))

    assert (malformed.status, malformed.code) == (403, "1010002")
    assert "Idempotency-Key" in malformed.description
    assert refused.code == "1013112"
    assert right.code == "0"
    assert await calls(b) == 1
