import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from testbed.push_receiver import CloseConnection, Drip, Hang, HugeBody, PushReceiver, Redirect, Reply


@pytest.fixture
async def receiver() -> AsyncIterator[PushReceiver]:
    async with PushReceiver.start() as running:
        yield running


@pytest.fixture
async def client() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as session:
        yield session


def status(session_id: str, event_type: str, **info: Any) -> dict[str, Any]:
    return {"eventType": event_type, "statusInfo": {"sessionId": session_id, **info}}


def fee(*session_ids: str) -> dict[str, Any]:
    return {
        "eventType": "fee",
        "feeLst": [{"sessionId": session_id, "spId": "sp"} for session_id in session_ids],
    }


async def test_given_no_plan_when_pushed_to_then_it_answers_200_and_keeps_everything(
    receiver: PushReceiver, client: aiohttp.ClientSession
) -> None:
    before = time.monotonic()
    url = receiver.url("/status?a=1")
    async with client.post(
        url, data=b'{"x": 1}', headers={"X-AKSK": "secret", "Content-Type": "a/b"}
    ) as answer:
        assert answer.status == 200
        assert await answer.json() == {"resultcode": "0", "resultdesc": "Success"}
    (push,) = receiver.pushes
    assert (push.method, push.path, push.body, push.json) == ("POST", "/status?a=1", b'{"x": 1}', {"x": 1})
    assert (push.header("x-aksk"), push.header("content-type"), push.header("no")) == ("secret", "a/b", None)
    assert before <= push.arrived <= time.monotonic()


async def test_given_a_body_that_is_no_json_when_pushed_then_it_is_kept_raw(
    receiver: PushReceiver, client: aiohttp.ClientSession
) -> None:
    await client.post(receiver.url(), data=b"\xff{")
    assert (receiver.pushes[0].body, receiver.pushes[0].json) == (b"\xff{", None)
    assert receiver.statuses() == []
    assert receiver.cdrs() == []


async def test_given_pushes_of_two_calls_when_asked_for_one_then_only_its_own_come_in_order(
    receiver: PushReceiver, client: aiohttp.ClientSession
) -> None:
    for body in (
        status("a", "callout"),
        status("b", "callout"),
        status("a", "answer"),
        fee("a", "b"),
        fee("a"),
    ):
        await client.post(receiver.url(), json=body)
    assert [item.event_type for item in receiver.statuses("a")] == ["callout", "answer"]
    assert receiver.statuses("b")[0].info == {"sessionId": "b"}
    assert len(receiver.statuses()) == 3
    assert [len(receiver.cdrs(session_id)) for session_id in ("a", "b", None)] == [2, 1, 3]


async def test_given_waiters_when_pushes_arrive_then_each_is_woken_by_its_own(
    receiver: PushReceiver, client: aiohttp.ClientSession
) -> None:
    disconnecting = asyncio.create_task(receiver.wait_status("a", "disconnect"))
    charging = asyncio.create_task(receiver.wait_cdr("a"))
    counting = asyncio.create_task(receiver.wait_count(3))
    second = asyncio.create_task(receiver.wait_for(lambda push: push.path == "/fee", since=1))
    await client.post(receiver.url("/fee"), json=fee("b"))
    await client.post(receiver.url("/status"), json=status("a", "disconnect", stateCode=0))
    await client.post(receiver.url("/fee"), json=fee("a"))
    assert (await disconnecting).info["stateCode"] == 0
    assert await charging == {"sessionId": "a", "spId": "sp"}
    assert len(await counting) == 3
    assert await second is receiver.pushes[2]


async def test_given_nothing_comes_when_waited_for_then_the_time_limit_tells_what_did(
    receiver: PushReceiver, client: aiohttp.ClientSession
) -> None:
    await client.post(receiver.url("/status"), json=status("a", "callout"))
    with pytest.raises(TimeoutError, match=r"disconnect of a.*POST /status callout"):
        await receiver.wait_status("a", "disconnect", timeout=0.05)


async def test_given_a_sequence_when_pushed_to_then_its_last_part_stays(
    receiver: PushReceiver, client: aiohttp.ClientSession
) -> None:
    receiver.plan(Reply(500), Reply(404, b"gone", {}), Reply(200))
    receiver.plan(Reply(503), path="/fee")
    assert [(await client.post(receiver.url())).status for _ in range(4)] == [500, 404, 200, 200]
    assert [(await client.post(receiver.url("/fee?x"))).status for _ in range(2)] == [503, 503]


async def test_given_a_late_reply_when_pushed_to_then_the_record_is_there_before_it(
    receiver: PushReceiver, client: aiohttp.ClientSession
) -> None:
    receiver.plan(Reply(201, after=0.2))
    began = time.monotonic()
    answering = asyncio.create_task(client.post(receiver.url()))
    await receiver.wait_count(1)
    assert not answering.done()
    assert (await answering).status == 201
    assert time.monotonic() - began > 0.15


async def test_given_a_closed_connection_when_pushed_to_then_there_is_no_answer(
    receiver: PushReceiver, client: aiohttp.ClientSession
) -> None:
    receiver.plan(CloseConnection(), Reply())
    with pytest.raises(aiohttp.ClientError):
        await client.post(receiver.url())
    assert (await client.post(receiver.url())).status == 200
    assert [push.method for push in receiver.pushes] == ["POST", "POST"]


async def test_given_a_hanging_receiver_when_it_ends_then_it_does_so_at_once(
    client: aiohttp.ClientSession,
) -> None:
    async with PushReceiver.start(Hang()) as receiver:
        pushing = asyncio.create_task(client.post(receiver.url()))
        await receiver.wait_count(1)
        assert not pushing.done()
        began = time.monotonic()
    assert time.monotonic() - began < 1
    with pytest.raises(aiohttp.ClientError):
        await pushing


async def test_given_a_dripping_receiver_when_pushed_to_then_the_head_comes_before_the_body(
    receiver: PushReceiver, client: aiohttp.ClientSession
) -> None:
    receiver.plan(Drip(pause=0.05, status=202, body=b"slow"))
    async with client.post(receiver.url()) as answer:
        began = time.monotonic()
        assert answer.status == 202
        assert await answer.read() == b"slow"
    assert time.monotonic() - began > 0.15


async def test_given_a_redirect_when_pushed_to_then_a_client_that_follows_comes_again(
    receiver: PushReceiver, client: aiohttp.ClientSession
) -> None:
    receiver.plan(Redirect(receiver.url("/new"), 307), Reply())
    assert (await client.post(receiver.url("/old"), json=1)).status == 200
    assert [push.path for push in receiver.pushes] == ["/old", "/new"]


async def test_given_a_huge_body_when_pushed_to_then_all_of_it_is_sent_unless_the_client_leaves(
    receiver: PushReceiver, client: aiohttp.ClientSession
) -> None:
    receiver.plan(HugeBody(1_000_001))
    async with client.post(receiver.url()) as answer:
        assert len(await answer.read()) == 1_000_001
        assert answer.content_length is None
    receiver.plan(HugeBody(1 << 40))
    async with client.post(receiver.url()) as answer:
        assert len(await answer.content.readexactly(100)) == 100
        answer.close()
