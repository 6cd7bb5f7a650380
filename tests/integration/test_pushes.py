"""Pushes of real calls: whole, in order, over a kill; refused where they may not go; replayed by hand."""

import asyncio
import json
import os
import sys
from collections.abc import Callable
from ipaddress import ip_network

import pytest
from integration.support import APP_KEY, QUICK, SECRET, VERIFY_KEY, Bench, StartBench
from standardwebhooks import Webhook

from controller.calls.recovery import UNWRITTEN
from controller.pushes.ledger import SEVERAL
from controller.settings import PushSettings
from controller.store.pushes import attempts_of
from controller.store.tables import Call, PushAttempt
from testbed.client import encoded_url
from testbed.controller_process import write_settings
from testbed.push_receiver import Hang, Push, Reply

WEBHOOK_SECRETS = [
    "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=",
    "whsec_OTg3NjU0MzIxMDk4NzY1NDMyMTA5ODc2NTQzMjEwOTg=",
]
"""The one that is being replaced, and its successor: both are live."""
BUSY = QUICK.simulated_prefix + "01701000"
"""A callee who rings for a second and is busy: three status pushes without a phone."""


def sequences(b: Bench, session: str) -> list[int]:
    return [int(status.push.header("X-Call-Sequence") or -1) for status in b.receiver.statuses(session)]


def is_event(kind: str) -> Callable[[Push], bool]:
    return lambda push: push.json["eventType"] == kind


async def attempts(b: Bench, session: str, count: int) -> list[PushAttempt]:
    """The attempts kept of a call, as soon as there are `count`."""
    call_id = session.partition("@")[0]
    async with asyncio.timeout(10):
        while True:
            found = await b.controller.database.read(lambda session: attempts_of(session, call_id))
            if len(found) >= count:
                return found
            await asyncio.sleep(0.05)


async def command(b: Bench, *arguments: str) -> str:
    """What `voicecall` says with the settings of this bench."""
    file = b.home.directory / "command.toml"
    if not file.exists():
        write_settings(b.home.settings, file)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "controller", *arguments),
        env={**os.environ, "VOICECALL_CONFIG": str(file)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()
    return output.decode()


@pytest.mark.requirement("B1", "B3", "B4")
async def test_B1_given_a_call_when_told_then_numbered_signed_and_every_attempt_is_kept(
    bench: StartBench,
) -> None:
    b = await bench(app={"webhook_secrets": WEBHOOK_SECRETS})
    b.receiver.plan(Reply(500, b"not now"), Reply(200), path="/status")

    session = await b.notify(callee=BUSY)
    statuses, _cdr = await b.over(session)
    kept = await attempts(b, session, 4)
    shown = (await command(b, "pushes", "attempts", session)).splitlines()

    assert [status.event_type for status in statuses] == ["callout", "alerting", "disconnect"]
    assert sequences(b, session) == [0, 1, 2]
    for push in b.receiver.pushes:
        assert 'Username="test-app"' in (push.header("X-AKSK") or "")
        for secret in WEBHOOK_SECRETS:
            Webhook(secret).verify(push.body, dict(push.headers))
    assert [(row.event_type, row.status, row.failure) for row in kept] == [
        ("callout", 500, "http"),
        ("alerting", 200, None),
        ("disconnect", 200, None),
        ("fee", 200, None),
    ]
    assert kept[0].answer == "not now"
    assert len(shown) == 5


@pytest.mark.requirement("B1", "E4")
async def test_B1_given_a_durable_app_when_receiver_and_controller_fail_then_all_is_told_in_order(
    bench: StartBench,
) -> None:
    b = await bench(app={"push_profile": "durable"}, controller=False)
    b.receiver.plan(Reply(200), Reply(503), path="/status")
    async with b.killed():
        session = await b.notify(callee=BUSY)
        await b.receiver.wait_cdr(session)
        assert sequences(b, session) == [0, 1]
    b.receiver.plan(Reply(204), path="/status")
    async with b.home.serving("test-app", SECRET):
        await b.receiver.wait_for(is_event("disconnect"), timeout=20)

    assert sequences(b, session) == [0, 1, 1, 2]
    first, again = (status.push for status in b.receiver.statuses(session)[1:3])
    assert first.body == again.body


@pytest.mark.requirement("B1", "E4")
async def test_B1_given_a_durable_app_when_killed_while_a_push_hangs_then_the_next_run_tells_the_rest(
    bench: StartBench,
) -> None:
    b = await bench(app={"push_profile": "durable"}, controller=False)
    b.receiver.plan(Reply(200), Hang(), path="/status")
    async with b.killed():
        session = await b.notify(callee=BUSY)
        await b.receiver.wait_for(is_event("alerting"))
    b.receiver.plan(Reply(200), path="/status")
    async with b.home.serving("test-app", SECRET):
        await b.receiver.wait_for(is_event("disconnect"), timeout=20)

    numbers = sequences(b, session)
    # After the crash numbers go on beyond those that may have been told without being written.
    last = 2 + UNWRITTEN
    assert sorted(set(numbers)) == [0, 1, last]
    assert numbers[-2:] == [1, last]


@pytest.mark.requirement("B2")
async def test_B2_given_calls_of_two_apps_that_end_together_when_told_then_cdrs_travel_in_batches_each_once(
    bench: StartBench,
) -> None:
    """All ring when their Asterisk dies. A batch is of one app and one second."""
    b = await bench(
        app={"max_calls": 60}, sections={"calls": QUICK.model_copy(update={"ring_timeout": 60.0})}, phones={}
    )
    rings = QUICK.simulated_prefix + "01999000"
    own = [await b.notify(callee=f"{rings}{number}") for number in range(60)]
    anothers = [await b.verify("4711", calleeNbr=f"{rings}{number}") for number in range(60, 63)]
    for session in (*own, *anothers):
        await b.receiver.wait_status(session, "alerting", timeout=30)

    await b.home.asterisk.kill()
    for session in (*own, *anothers):
        await b.over(session, timeout=30)

    batches = [push.json["feeLst"] for push in b.receiver.pushes if push.path == "/fee"]
    together = [{(cdr["appKey"], cdr["callEndTime"]) for cdr in batch} for batch in batches]
    by_app = {
        key: [len(batch) for batch in batches if batch[0]["appKey"] == key] for key in (APP_KEY, VERIFY_KEY)
    }
    assert sorted(cdr["sessionId"] for batch in batches for cdr in batch) == sorted((*own, *anothers))
    assert all(len(of_one_kind) == 1 for of_one_kind in together)
    assert (sum(by_app[APP_KEY]), sum(by_app[VERIFY_KEY])) == (60, 3)
    assert 2 <= len(by_app[APP_KEY]) < 20
    assert max(by_app[APP_KEY]) <= 50


@pytest.mark.requirement("B2")
async def test_B2_given_a_filed_cdr_when_pushed_by_hand_then_the_running_controller_delivers_it_once(
    bench: StartBench,
) -> None:
    b = await bench(sections={"pushes": PushSettings(cdr_attempts=1)})
    b.receiver.plan(Reply(500), Reply(200), path="/fee")
    session = await b.notify(callee=BUSY)
    await b.receiver.wait_cdr(session)
    async with asyncio.timeout(10):
        while "filed" not in await command(b, "cdr", "list"):
            pass

    said = await command(b, "cdr", "push", "--app", "test-app")
    await b.receiver.wait_for(is_event("fee"), since=len(b.receiver.pushes))
    async with asyncio.timeout(10):
        while "no CDR" not in await command(b, "cdr", "list"):
            pass

    assert said.startswith("1 CDRs")
    assert len(b.receiver.cdrs(session)) == 2
    [path] = b.home.settings.cdr_file_dir.glob("*.jsonl")
    assert [json.loads(line)["sessionId"] for line in path.read_text("utf-8").splitlines()] == [session]


@pytest.mark.requirement("B1", "B2")
async def test_B2_given_an_endpoint_that_its_cdrs_disabled_when_pushed_since_a_time_then_each_once(
    bench: StartBench,
) -> None:
    """The days are over at once. Status pushes go there all the same, as the cloud sends them."""
    b = await bench(sections={"pushes": PushSettings(cdr_attempts=1, disable_after_days=1e-9)}, phones={})
    b.receiver.plan(Reply(204), path="/status")
    b.receiver.plan(Reply(500), path="/fee")
    to_one_place = {"statusUrl": encoded_url(b.receiver.url("/fee"))}
    filed = []
    for _ in range(SEVERAL):
        filed.append(await b.notify(callee=BUSY))
        await b.receiver.wait_cdr(filed[-1])
    async with asyncio.timeout(10):
        while "disabled" not in await command(b, "pushes", "list"):
            pass
    since = b.receiver.cdrs(filed[-1])[0]["callEndTime"].replace(" ", "T")

    held = await b.notify(callee=BUSY, **to_one_place)
    await b.receiver.wait_status(held, "disconnect")
    async with asyncio.timeout(10):
        while "held" not in await command(b, "cdr", "list"):
            pass
    unheard = b.receiver.cdrs(held)
    b.receiver.plan(Reply(200), path="/fee")
    said = await command(b, "cdr", "push", "--since", since)
    await b.receiver.wait_cdr(held)
    async with asyncio.timeout(10):
        while len((await command(b, "cdr", "list")).splitlines()) != SEVERAL:
            pass
    again = await command(b, "cdr", "push", "--since", since)

    assert unheard == []
    assert said.startswith("2 CDRs")
    assert again.startswith("no CDR")
    assert [len(b.receiver.cdrs(session)) for session in (*filed, held)] == [1] * (SEVERAL - 1) + [2, 1]


@pytest.mark.requirement("B3")
async def test_B3_given_addresses_of_the_app_when_a_request_names_none_then_it_is_told_there_else_nowhere(
    bench: StartBench,
) -> None:
    b = await bench(controller=False, phones={})
    await b.declare(status_url=b.receiver.url("/app/status"), fee_url=b.receiver.url("/app/fee"))
    await b.start_controller()
    nowhere = {"statusUrl": None, "feeUrl": None}

    untold = (await b.ask_verify("1234", calleeNbr=BUSY, **nowhere)).session_id
    absent = await b.notify(callee=BUSY, **nowhere)
    empty = await b.notify(callee=BUSY, statusUrl="", feeUrl="")
    own = await b.notify(callee=BUSY, feeUrl=None)
    for session in (absent, empty, own):
        await b.over(session)

    def paths(session: str) -> set[str]:
        return {push.path for push in b.receiver.pushes if session.encode() in push.body}

    assert paths(absent) == paths(empty) == {"/app/status", "/app/fee"}
    assert paths(own) == {"/status", "/app/fee"}
    assert await ended(b, untold)
    assert paths(untold) == set()
    assert await b.controller.database.read(lambda it: attempts_of(it, untold.partition("@")[0])) == []


async def ended(b: Bench, session: str) -> bool:
    """Whether a call has ended, as soon as it has."""
    call_id = session.partition("@")[0]
    async with asyncio.timeout(10):
        while True:
            call = await b.controller.database.read(lambda it: it.get(Call, call_id))
            if call.ended_at is not None:
                return True
            await asyncio.sleep(0.05)


async def test_given_receivers_on_this_machine_are_not_allowed_when_told_then_nothing_is_sent_there(
    bench: StartBench,
) -> None:
    elsewhere = PushSettings(allowed_networks=[ip_network("10.0.0.0/8")])
    b = await bench(sections={"pushes": elsewhere})

    session = await b.notify(callee=BUSY)
    kept = await attempts(b, session, 4)

    assert b.receiver.pushes == []
    assert {row.failure for row in kept} == {"address"}
    assert kept[0].error == f"127.0.0.1 port {b.receiver.port} is refused: loopback"


async def test_given_an_address_of_the_platform_itself_when_told_then_refused(bench: StartBench) -> None:
    b = await bench()
    own = b.controller.url + "/rest/httpsessions/callStop/v2.0"
    asterisk = b.home.settings.asterisk.ari_url + "/ari/channels"

    for url in (own, asterisk):
        session = await b.notify(callee=BUSY, statusUrl=encoded_url(url), feeUrl=encoded_url(url))
        kept = await attempts(b, session, 4)
        assert {row.error for row in kept} == {
            f"127.0.0.1 port {url.split(':')[2].split('/')[0]} is refused: a listener of the platform"
        }
