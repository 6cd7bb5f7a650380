"""Trouble: each leaves the database consistent and the next call working."""

import asyncio
import json
import signal
from contextlib import AsyncExitStack

import aiohttp
import pytest
from integration.support import APP_KEY, QUICK, SECRET, Bench, StartBench
from sqlalchemy import func, select

from controller.settings import PushSettings
from controller.store.database import Database
from controller.store.tables import Call, Cdr
from testbed.asterisk import start_asterisk
from testbed.client import ApiClient, encoded_url
from testbed.controller_process import controller_process
from testbed.ports import reserved_ports
from testbed.push_receiver import CloseConnection, Hang, Reply
from testbed.softphone_plan import Answer


async def rows(database: Database) -> tuple[int, int, int]:
    """(calls, live calls, CDRs)."""

    def count(session):
        live = select(func.count()).select_from(Call).where(Call.ended_at.is_(None))
        return (
            session.execute(select(func.count()).select_from(Call)).scalar_one(),
            session.execute(live).scalar_one(),
            session.execute(select(func.count()).select_from(Cdr)).scalar_one(),
        )

    return await database.read(count)


async def assert_next_call_works(b: Bench, calls: int = 1) -> None:
    """The database is consistent after `calls` calls, and the next one is made."""
    assert await rows(b.controller.database) == (calls, 0, calls)
    statuses, _cdr = await b.over(await b.notify())
    assert statuses[-1].info["stateCode"] == 0


@pytest.mark.requirement("E4", "A4.5")
async def test_E4_given_asterisk_is_down_when_a_call_is_asked_for_then_a_clear_error_and_no_half_call(
    bench: StartBench,
) -> None:
    b = await bench(Answer())
    await b.home.asterisk.kill()
    await b.controller.node.ari.wait_lost()

    answer = await b.client.notify(b.request())

    assert (answer.status, answer.code) == (503, "1010001")
    assert "No voice node takes calls now." in answer.description

    async with AsyncExitStack() as stack:
        again = await start_asterisk(b.home.asterisk.configuration, b.home.asterisk.program)
        stack.push_async_callback(again.stop)
        await b.controller.node.ari.wait_ready()
        await assert_next_call_works(b, calls=0)


@pytest.mark.requirement("E4", "B1", "B2")
async def test_E4_given_a_call_when_asterisk_is_killed_then_one_disconnect_one_cdr_and_the_next_call_works(
    bench: StartBench,
) -> None:
    b = await bench([Answer(), Answer()])
    session = await b.notify({"notifyVoice": "long.wav"})
    await b.receiver.wait_status(session, "answer")

    await b.home.asterisk.kill()
    async with AsyncExitStack() as stack:
        again = await start_asterisk(b.home.asterisk.configuration, b.home.asterisk.program)
        stack.push_async_callback(again.stop)
        statuses, cdr = await b.over(session)
        await b.controller.node.ari.wait_ready()
        assert statuses[-1].info["stateCode"] == 8000
        assert "callOutAnswerTime" in cdr
        await assert_next_call_works(b)


@pytest.mark.requirement("E4")
async def test_E4_given_a_call_when_asterisk_is_killed_and_stays_away_then_the_call_is_closed_all_the_same(
    bench: StartBench,
) -> None:
    b = await bench([Answer(), Answer()])
    session = await b.notify({"notifyVoice": "long.wav"})
    await b.receiver.wait_status(session, "answer")

    await b.home.asterisk.kill()
    statuses, _cdr = await b.over(session, timeout=20)

    assert statuses[-1].info["stateCode"] == 8000
    async with AsyncExitStack() as stack:
        again = await start_asterisk(b.home.asterisk.configuration, b.home.asterisk.program)
        stack.push_async_callback(again.stop)
        await b.controller.node.ari.wait_ready()
        await assert_next_call_works(b)


@pytest.mark.requirement("B1")
@pytest.mark.parametrize("trouble", [Hang(), CloseConnection(), Reply(500)], ids=repr)
async def test_B1_given_a_status_receiver_in_trouble_when_a_call_is_made_then_the_call_goes_on(
    bench: StartBench, trouble
) -> None:
    b = await bench([Answer(), Answer()], sections={"pushes": PushSettings(timeout=1)})
    b.receiver.plan(trouble, path="/status")
    first = await b.client.notify(b.request())
    call = await b.phone.next_call()
    await call.ended()
    cdr = await b.receiver.wait_cdr(first.session_id)

    assert cdr["ulFailReason"] == 0
    b.receiver.plan(Reply(), path="/status")
    await assert_next_call_works(b)


@pytest.mark.requirement("B1", "B2")
async def test_B1_given_receivers_that_refuse_connections_when_calls_are_made_then_they_go_on(
    bench: StartBench,
) -> None:
    b = await bench([Answer(), Answer()], sections={"pushes": PushSettings(cdr_attempts=1, cdr_interval=0.1)})
    with reserved_ports(1) as (nobody,):
        url = encoded_url(f"http://127.0.0.1:{nobody}/")
        first = await b.client.notify({**b.request(), "statusUrl": url, "feeUrl": url})
        call = await b.phone.next_call()
        await call.ended()
        async with asyncio.timeout(15):
            while await rows(b.controller.database) != (1, 0, 1):  # noqa: ASYNC110 - no push tells
                await asyncio.sleep(0.05)

    assert first.code == "0"
    await assert_next_call_works(b)


@pytest.mark.requirement("B2")
@pytest.mark.parametrize("trouble", [Reply(500), CloseConnection(), Hang(), Reply(204), Reply(302)], ids=repr)
async def test_B2_given_a_cdr_receiver_in_trouble_when_it_recovers_then_the_cdr_arrives(
    bench: StartBench, trouble
) -> None:
    b = await bench(
        [Answer(), Answer()],
        sections={"pushes": PushSettings(timeout=0.5, cdr_attempts=3, cdr_interval=0.2)},
    )
    b.receiver.plan(trouble, Reply(200), path="/fee")

    session = await b.notify()
    await b.receiver.wait_for(lambda push: push.path == "/fee")
    cdr = await b.receiver.wait_for(lambda push: push.path == "/fee", since=_after(b, "/fee"))

    assert cdr.json["feeLst"][0]["sessionId"] == session
    await assert_next_call_works(b)


def _after(b: Bench, path: str) -> int:
    """Index behind the first push to `path`."""
    return next(index for index, push in enumerate(b.receiver.pushes) if push.path == path) + 1


@pytest.mark.requirement("B2")
async def test_B2_given_a_cdr_receiver_that_never_answers_200_when_attempts_are_over_then_it_is_filed(
    bench: StartBench,
) -> None:
    b = await bench([Answer(), Answer()], sections={"pushes": PushSettings(cdr_attempts=3, cdr_interval=0.1)})
    b.receiver.plan(Reply(500), path="/fee")

    session = await b.notify()
    await b.receiver.wait_count(4 + 3)
    b.receiver.plan(Reply(200), path="/fee")
    await assert_next_call_works(b)
    await b.stack.aclose()

    lines = [
        json.loads(line)
        for path in b.home.settings.cdr_file_dir.glob("*.jsonl")
        for line in path.read_text("utf-8").splitlines()
    ]
    assert [line["sessionId"] for line in lines] == [session]


@pytest.mark.requirement("B2", "E4")
async def test_B2_given_a_cdr_not_delivered_when_the_controller_is_started_again_then_it_is_delivered(
    bench: StartBench,
) -> None:
    b = await bench(
        [Answer(), Answer()],
        controller=False,
        sections={"pushes": PushSettings(cdr_interval=0.5, timeout=0.5)},
    )
    b.receiver.plan(CloseConnection(), path="/fee")
    async with b.home.serving(APP_KEY, SECRET) as (_controller, b.client):
        session = await b.notify()
        await b.receiver.wait_for(lambda push: push.path == "/fee")
    b.receiver.plan(Reply(200), path="/fee")
    before = len(b.receiver.pushes)

    async with b.home.serving(APP_KEY, SECRET) as (b.controller, b.client):
        await b.receiver.wait_for(lambda push: push.path == "/fee", since=before)
        assert {cdr["sessionId"] for cdr in b.receiver.cdrs()} == {session}
        await assert_next_call_works(b)


@pytest.mark.requirement("E4")
async def test_E4_given_a_call_when_the_controller_gets_ctrl_c_then_it_ends_the_call_and_tells_so(
    bench: StartBench,
) -> None:
    b = await bench([Answer(), Answer()], controller=False)
    async with (
        controller_process(b.home.settings, b.home.directory / "controller") as process,
        ApiClient.open(process.url, APP_KEY, SECRET) as b.client,
    ):
        session = await b.notify({"notifyVoice": "long.wav"})
        call = await b.phone.next_call()
        await b.receiver.wait_status(session, "answer")

        process.send(signal.SIGINT)
        end = await call.ended()
        status = await process.ended()
        disconnect = await b.receiver.wait_status(session, "disconnect")

    assert status == 0, process.log.read_text()
    assert not end.by_phone
    assert disconnect.info["stateCode"] == 8000
    async with b.home.serving(APP_KEY, SECRET) as (b.controller, b.client):
        await b.receiver.wait_cdr(session)
        await assert_next_call_works(b)


@pytest.mark.requirement("E4")
async def test_E4_given_a_call_when_the_controller_is_killed_then_the_next_one_hangs_up_and_closes_it(
    bench: StartBench,
) -> None:
    b = await bench([Answer(), Answer()], controller=False)
    async with controller_process(b.home.settings, b.home.directory / "controller") as process:
        async with ApiClient.open(process.url, APP_KEY, SECRET) as b.client:
            session = await b.notify({"notifyVoice": "long.wav"})
        call = await b.phone.next_call()
        await b.receiver.wait_status(session, "answer")
        process.send(signal.SIGKILL)
        await process.ended()

    async with b.home.serving(APP_KEY, SECRET) as (b.controller, b.client):
        await call.ended()
        statuses, cdr = await b.over(session)
        assert statuses[-1].info["stateCode"] == 8000
        assert "callOutAnswerTime" in cdr
        assert await b.controller.node.ari.channels.list() == []
        await assert_next_call_works(b)


@pytest.mark.requirement("E4")
async def test_E4_given_a_ringing_call_when_the_event_socket_is_cut_then_the_call_goes_on_after_reconnecting(
    bench: StartBench,
) -> None:
    b = await bench(
        [Answer(after=1.0), Answer()], sections={"calls": QUICK.model_copy(update={"ring_timeout": 10})}
    )
    session = await b.notify()
    await b.receiver.wait_status(session, "alerting")

    await b.controller.node.ari.reconnect()
    statuses, _cdr = await b.over(session)

    assert [status.event_type for status in statuses] == ["callout", "alerting", "answer", "disconnect"]
    assert statuses[-1].info["stateCode"] == 0
    await assert_next_call_works(b)


async def test_given_a_running_platform_when_its_health_is_asked_then_it_tells(bench: StartBench) -> None:
    b = await bench(Answer())
    async with aiohttp.ClientSession(b.controller.url) as http:
        async with http.get("/readyz") as answer:
            assert answer.status == 200
        await b.home.asterisk.kill()
        async with asyncio.timeout(5):
            await b.controller.node.ari.wait_lost()
        async with http.get("/readyz") as answer:
            assert answer.status == 503
        async with http.get("/healthz") as answer:
            assert answer.status == 200
