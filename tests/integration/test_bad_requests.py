"""Wrong requests on the running platform: refused with code and text, no call, and the next call works."""

import base64
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from integration.support import APP_KEY, SECRET, Bench, StartBench
from sqlalchemy import func, select

from controller.settings import CaptureSettings
from controller.store.tables import Call
from testbed.client import CALLNOTIFY, aksk_headers
from testbed.softphone_plan import Answer

SIMULATED = "+99901600000"
"""Answers at once and stays: more of them at a time than phones take."""


def created(offset: timedelta) -> str:
    return (datetime.now(UTC) + offset).strftime("%Y-%m-%dT%H:%M:%SZ")


def without(body: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in body.items() if key != name}


Case = tuple[Callable[[Bench], Any], dict[str, str | None], int, str, str]

CASES: dict[str, Case] = {
    "malformed JSON": (lambda b: b"{", {}, 403, "1010002", "The body is not valid JSON."),
    "not an object": (lambda b: [], {}, 403, "1010002", "The body is not a JSON object."),
    "invalid UTF-8": (lambda b: b'{"displayNbr":"\xff"}', {}, 403, "1010002", "The body is not valid JSON."),
    "missing callee": (
        lambda b: without(b.request(), "calleeNbr"),
        {},
        403,
        "1010002",
        "calleeNbr is missing",
    ),
    "callee of a wrong type": (
        lambda b: b.request(callee=13900001111),
        {},
        403,
        "1010002",
        "calleeNbr must be a string",
    ),
    "callee without plus": (
        lambda b: b.request(callee="8613900001111"),
        {},
        403,
        "1010002",
        "The number format is incorrect.calleeNbr",
    ),
    "items not a list": (
        lambda b: {**b.request(), "playInfoList": "one.wav"},
        {},
        403,
        "1010002",
        "playInfoList",
    ),
    "no items": (lambda b: {**b.request(), "playInfoList": []}, {}, 403, "1010002", "playInfoList"),
    "six items": (lambda b: b.request(*[{"notifyVoice": "one.wav"}] * 6), {}, 403, "1010002", "playInfoList"),
    "two sources": (
        lambda b: b.request({"notifyVoice": "one.wav", "templateId": "1"}),
        {},
        403,
        "1010002",
        "playInfoList[0] must have exactly one",
    ),
    "unknown sound": (
        lambda b: b.request({"notifyVoice": "nothing.wav"}),
        {},
        403,
        "1010002",
        "nothing.wav does not exist",
    ),
    "a trigger that is no keys": (
        lambda b: b.request(
            {"notifyVoice": "one.wav", "collectInd": 1, "collectContentTriggerReplaying": "a"}
        ),
        {},
        403,
        "1010002",
        "playInfoList[0].collectContentTriggerReplaying",
    ),
    "too many digits": (
        lambda b: b.request({"notifyVoice": "one.wav", "collectInd": 33}),
        {},
        403,
        "1010002",
        "playInfoList[0].collectInd",
    ),
    "statusUrl not Base64": (
        lambda b: {**b.request(), "statusUrl": "http://x"},
        {},
        403,
        "1010002",
        "statusUrl",
    ),
    "statusUrl of another scheme": (
        lambda b: {**b.request(), "statusUrl": base64.b64encode(b"file:///etc/passwd").decode()},
        {},
        403,
        "1010002",
        "statusUrl",
    ),
    "no route": (
        lambda b: b.request(callee="+8613900003333"),
        {},
        403,
        "1010002",
        "calleeNbr can't be reached",
    ),
    "callee abroad": (
        lambda b: b.request(callee="+85212345678"),
        {},
        403,
        "1013112",
        "International callout is forbidden.",
    ),
    "callee of a kind that is not called": (
        lambda b: b.request(callee="+864008208820"),
        {},
        403,
        "1010002",
        "Invalid request.calleeNbr is not allowed to be called here",
    ),
    "foreign display number": (
        lambda b: {**b.request(), "displayNbr": "+8657126880009"},
        {},
        403,
        "1010023",
        "Display number",
    ),
    "wrong digest": (
        lambda b: b.request(),
        aksk_headers(APP_KEY, "wrong secret"),
        400,
        "1023006",
        "PasswordDigest",
    ),
    "unknown app": (lambda b: b.request(), aksk_headers("nobody", SECRET), 403, "1010003", "app_key"),
    "no authorization": (lambda b: b.request(), {"Authorization": None}, 400, "1023006", "Authorization"),
    "no X-AKSK": (lambda b: b.request(), {"X-AKSK": None}, 400, "1023033", "X-AKSK"),
    "body over the limit": (lambda b: b" " * 70_000, {}, 413, "1010002", "The body is too large."),
}


async def calls_made(b: Bench) -> int:
    return await b.controller.database.read(
        lambda session: session.execute(select(func.count()).select_from(Call)).scalar_one()
    )


@pytest.mark.requirement("A4.5", "A4.2", "A4.3")
async def test_A4_5_given_wrong_requests_when_each_is_sent_then_it_is_refused_and_the_next_call_works(
    bench: StartBench,
) -> None:
    b = await bench(Answer(), app={"max_calls": len(CASES) + 1})
    sessions: list[str] = []

    for name, (body, headers, status, code, text) in CASES.items():
        answer = await b.client.post(CALLNOTIFY, body(b), headers)
        assert (answer.status, answer.code) == (status, code), f"{name}: {answer.text}"
        assert text in answer.description, name
        assert await calls_made(b) == len(sessions), name
        sessions.append(await b.notify(callee=SIMULATED))

    sessions.append(await b.notify())
    for session in sessions:
        statuses, _cdr = await b.over(session)
        assert statuses[-1].info["stateCode"] == 0
    assert await calls_made(b) == len(sessions)
    assert await b.controller.node.ari.channels.list() == []


@pytest.mark.requirement("A4.5")
async def test_A4_5_given_a_request_whose_time_is_stale_then_1010013_and_zones_of_the_cloud_are_taken(
    bench: StartBench,
) -> None:
    b = await bench(Answer())

    stale = await b.client.notify(
        b.request(), **aksk_headers(APP_KEY, SECRET, created=created(timedelta(minutes=-10)))
    )
    beijing = await b.client.notify(
        b.request(), **aksk_headers(APP_KEY, SECRET, created=created(timedelta(hours=8)))
    )

    assert (stale.status, stale.code) == (401, "1010013")
    assert beijing.code == "0"
    statuses, _cdr = await b.over(beijing.session_id)
    assert statuses[-1].info["stateCode"] == 0
    assert await calls_made(b) == 1


@pytest.mark.requirement("A4.5")
async def test_A4_5_given_a_replayed_nonce_when_even_the_controller_was_restarted_then_no_second_call(
    bench: StartBench,
) -> None:
    b = await bench(Answer(), sections={"capture": CaptureSettings(port=0)})
    headers = aksk_headers(APP_KEY, SECRET)

    first = await b.client.notify(b.request(), **headers)
    second = await b.client.notify(b.request(), **headers)
    await b.over(first.session_id)
    # It runs beside the first one, so it has a name of its own.
    b.home.settings = b.home.settings.model_copy(update={"name": "second"})
    async with b.home.serving(APP_KEY, SECRET) as (_other_controller, b.client):
        third = await b.client.notify(b.request(), **headers)
        made = await calls_made(b)
        statuses, _cdr = await b.over(await b.notify())

    assert first.code == "0"
    assert (second.status, second.code) == (400, "1023006")
    assert (third.status, third.code) == (400, "1023006")
    assert made == 1
    assert statuses[-1].info["stateCode"] == 0


@pytest.mark.requirement("A4.4")
async def test_A4_4_given_a_full_app_when_another_call_is_asked_for_then_1020165_until_one_ends(
    bench: StartBench,
) -> None:
    b = await bench(Answer(hang_up_after=1.0), app={"max_calls": 1})

    first = await b.client.notify({**b.request({"notifyVoice": "long.wav"}), "returnIdlePort": "true"})
    refused = await b.client.notify(b.request())
    await b.over(first.session_id)
    again = await b.client.notify(b.request())

    assert first.body["idlePort"] == 0
    assert refused.code == "1020165"
    assert again.code == "0"
    await b.over(again.session_id)
