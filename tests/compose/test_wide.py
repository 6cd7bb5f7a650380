"""docker-compose.wide.yml as its users have it: calls, also while a controller and a node are away."""

import asyncio
import contextlib
import json
import re
from collections.abc import Iterator
from functools import partial
from http.client import HTTPConnection
from pathlib import Path

import aiohttp
import pytest
import yarl
from compose.conftest import PROJECT, Engine, check_locked_up, check_sizes
from docker.models.containers import Container

from testbed.client import CALLNOTIFY, CALLVERIFY, ApiClient
from testbed.demo.compose import PHONE_A, PHONE_B, SECRET, SHOWN, URL, BenchMissing
from testbed.demo.compose_wide import CONTROLLERS, NODES, SERVICES, WideBench, settled
from testbed.softphone import PhoneError, Registration, Softphone

PHONES = {"phone-a", "phone-b"}
CONTAINERS = {*NODES, *CONTROLLERS, "database", "http-balancer", "sip-balancer", *PHONES, "receiver"}
LARGEST = {"voicecall-haproxy": 147_000_000, "voicecall-kamailio": 212_000_000}
"""Bytes, a tenth more than they had; Kamailio's package asks for a Python."""
REGISTRAR = "172.28.0.60:5060"
SIP_PASSWORD = "bench-sip-password"
OWN_NUMBER = "+8613900003333"
HERE = "172.28.0.1"
"""This machine in the bench's network."""

pytestmark = [pytest.mark.requirement("E2"), pytest.mark.long]


@pytest.fixture(scope="module")
def wide(engine: Engine, base_images: None) -> Iterator[Engine]:
    """The wide bench, up until the module's end."""
    using = engine.using("docker-compose.wide.yml")
    using.compose("build")
    try:
        using.compose("up", "-d", limit=240)
        yield using
    finally:
        using.compose("down", "-v", limit=120)


@pytest.fixture(scope="module")
def declared(wide: Engine) -> None:
    """What the bench has, taken by its controllers."""
    WideBench.on(wide.client, PROJECT, SERVICES, "up").declare("controller-a")


@pytest.fixture
def bench(wide: Engine, declared: None) -> WideBench:
    """What it says of itself, with everything in its place."""
    bench = WideBench.on(wide.client, PROJECT, SERVICES, "up")
    asyncio.run(settled(bench))
    return bench


@pytest.mark.requirement("E5")
def test_E2_given_the_wide_bench_when_a_controller_and_a_node_die_then_calls_are_made_all_the_same(
    wide: Engine,
) -> None:
    wide.demo("testbed.demo.compose_wide")


@pytest.mark.requirement("E5")
def test_E5_given_the_wide_containers_when_looked_at_then_they_are_neither_root_nor_writable(
    wide: Engine, bench: WideBench
) -> None:
    running = wide.containers()
    assert set(running) >= CONTAINERS
    for service in CONTAINERS:
        check_locked_up(running[service])


@pytest.mark.requirement("E5")
def test_E5_given_the_balancers_images_when_built_then_they_stay_small(wide: Engine) -> None:
    check_sizes(wide, LARGEST)


def test_E2_given_the_wide_bench_when_its_volumes_are_compared_then_nodes_share_none(wide: Engine) -> None:
    running = wide.containers()
    first, second = (_volumes(running[name]) for name in NODES)
    controllers = set().union(*(_volumes(running[name]) for name in CONTROLLERS))
    assert first and second and controllers
    assert first & second == first & controllers == second & controllers == set()


def test_E2_given_a_login_through_the_balancer_when_audited_then_the_clients_address_stands_there(
    bench: WideBench,
) -> None:
    password = bench.run("controller-a", ["cat", "/var/lib/voicecall/administrator-password"]).strip()

    async def log_in() -> int:
        # A client can't say that it is somebody else.
        headers = {"X-Forwarded-For": "192.0.2.99"}
        body = {"login": "admin", "password": password}
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"{URL}/api/v1/session", json=body, headers=headers) as answer,
        ):
            return answer.status

    assert asyncio.run(log_in()) in (200, 201)
    trail = [
        json.loads(line) for line in bench.run("controller-b", ["voicecall", "audit", "export"]).splitlines()
    ]
    assert HERE in {entry.get("address") for entry in trail}
    assert not {"192.0.2.99", "172.28.0.50"} & {entry.get("address") for entry in trail}


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/metrics", 404),
        ("/%6detrics", 404),
        ("/%6D%65trics?x=1", 404),
        ("http://inside/%6detrics", 404),
        ("/metrics#x", 400),
        ("/prompts/x.alaw", 404),
        ("/%70rompts/x.alaw", 404),
        ("/prompts%2fx.alaw", 404),
    ],
)
def test_E2_given_what_is_for_the_inside_when_asked_for_through_the_balancer_then_it_refuses_by_itself(
    bench: WideBench, path: str, status: int
) -> None:
    taken = bench.requests_taken()
    # As it stands: clients tidy addresses up.
    connection = HTTPConnection(yarl.URL(URL).authority, timeout=10)
    try:
        connection.putrequest("GET", path)
        connection.endheaders()
        answered = connection.getresponse().status
    finally:
        connection.close()

    assert (answered, bench.requests_taken()) == (status, taken)


@pytest.mark.requirement("E3")
def test_E2_given_a_browser_that_keeps_cookies_when_it_asks_on_then_the_same_controller_answers(
    bench: WideBench,
) -> None:
    """One phone in a browser is known to one controller."""

    async def ask(path: str, *, keeps: bool) -> None:
        jar = aiohttp.CookieJar(unsafe=True) if keeps else aiohttp.DummyCookieJar()
        async with aiohttp.ClientSession(cookie_jar=jar) as session:
            for _ in range(6):
                async with session.get(f"{URL}{path}") as answer:
                    assert answer.status < 500
        await bench.until(lambda: len(served(path)) == 6, "requests are logged")

    def served(path: str) -> list[str]:
        log = bench.containers["http-balancer"].logs().decode().splitlines()
        return [re.findall(r" controllers/(\w+) ", line)[0] for line in log if f" GET {path} " in line]

    asyncio.run(ask("/kept", keeps=True))
    asyncio.run(ask("/not-kept", keeps=False))
    assert len(set(served("/kept"))) == 1
    assert set(served("/not-kept")) == {"a", "b"}


def test_E3_given_requests_with_numbers_and_tokens_when_balanced_then_the_balancers_log_has_none_of_them(
    bench: WideBench,
) -> None:
    paths = [
        "/api/v1/numbers/+8613900001111",
        "/api/v1/numbers/%2B8613900001111",
        "/8613900001111?callee=%2B8613900001111",
        "/rest/httpsessions/callnotify/v2.0?access_token=token-of-somebody",
        "/recordings/one/two/token-of-somebody",
    ]

    async def ask() -> None:
        async with aiohttp.ClientSession() as session:
            for path in paths:
                address = yarl.URL(f"{URL}{path}", encoded=True)
                headers = {"Authorization": "Bearer token-of-somebody"}
                async with session.get(address, headers=headers) as answer:
                    assert answer.status < 500
        # The last line is there: so are those before.
        await bench.until(lambda: " GET /recordings/one/two " in logged(), "requests are logged")

    def logged() -> str:
        return bench.containers["http-balancer"].logs().decode()

    asyncio.run(ask())
    log = logged()
    assert " GET /api/v1/numbers HTTP/1.1" in log
    assert " GET /rest/httpsessions/callnotify HTTP/1.1" in log
    assert " GET /* HTTP/1.1" in log
    for secret in ("token-of-somebody", "access_token", "13900001111", "callee"):
        assert secret not in log, secret


def test_E2_given_a_controller_that_is_ending_when_requests_come_then_the_other_gets_them_and_its_calls_go_on(
    wide: Engine, bench: WideBench
) -> None:
    async def scenario() -> None:
        async with ApiClient.open(URL, "bench-verification", SECRET) as client:
            sessions = [
                (await client.post(CALLVERIFY, _code(phone, times=2))).session_id
                for phone in (PHONE_A, PHONE_B)
            ]
            # In turn: each controller has one of them.
            ending = next(name for name in CONTROLLERS if bench.live_calls(name))
            staying = next(name for name in CONTROLLERS if name != ending)
            bench.containers[ending].kill("SIGTERM")
            try:
                await bench.until(lambda: not bench.controllers_in_balance()[ending], "it is left out")
                assert bench.is_running(ending), "it ended before its call did"
                before = bench.requests_taken()
                async with ApiClient.open(URL, "bench-notification", SECRET) as other:
                    for _ in range(4):
                        assert (await other.post(CALLNOTIFY, {"displayNbr": SHOWN})).status < 500
                after = bench.requests_taken()
                assert after[staying] - before[staying] >= 4
                for session_id in sessions:
                    await bench.until(partial(_has_ended, bench, session_id), f"{session_id} ended")
                await bench.until(lambda: not bench.is_running(ending), f"{ending} has ended")
            finally:
                bench.containers[ending].start()
        await settled(bench)

    asyncio.run(scenario())


def test_E2_given_all_nodes_drained_when_asked_through_the_balancer_then_they_can_be_resumed(
    bench: WideBench,
) -> None:
    password = bench.run("controller-a", ["cat", "/var/lib/voicecall/administrator-password"]).strip()

    async def scenario() -> None:
        await bench.until(
            lambda: not any(bench.controllers_in_balance().values()), "no controller takes calls"
        )
        async with ApiClient.open(URL, "bench-notification", SECRET) as client:
            refused = await client.post(CALLNOTIFY, _notified())
        # By a controller: the balancer's own words have no code.
        assert refused.status == 503 and refused.code, refused.text
        # An address without a name: no cookies are kept of such otherwise.
        jar = aiohttp.CookieJar(unsafe=True)
        async with aiohttp.ClientSession(cookie_jar=jar) as session:
            body = {"login": "admin", "password": password}
            async with session.post(f"{URL}/api/v1/session", json=body) as answer:
                headers = {"X-CSRF-Token": (await answer.json())["csrf_token"]}
            for node in nodes:
                async with session.post(f"{URL}/api/v1/nodes/{node}/resume", headers=headers) as answer:
                    assert answer.status == 200, await answer.text()
        await bench.until(lambda: all(bench.controllers_in_balance().values()), "both take calls again")

    nodes = ("node1", "node2")
    for node in nodes:
        bench.run("controller-a", ["voicecall", "node", "drain", node])
    try:
        asyncio.run(scenario())
    finally:
        for node in nodes:
            # What did not get that far leaves no node drained for the tests after this one.
            with contextlib.suppress(BenchMissing):
                bench.run("controller-a", ["voicecall", "node", "resume", node])


def test_E2_given_a_softphone_of_ones_own_when_registered_at_the_balancer_then_it_is_called(
    bench: WideBench, tmp_path: Path
) -> None:
    async def scenario() -> None:
        own = Registration(REGISTRAR, OWN_NUMBER, SIP_PASSWORD)
        async with Softphone.start(directory=tmp_path, address=HERE, register=own) as phone:
            async with ApiClient.open(URL, "bench-verification", SECRET) as client:
                answer = await client.post(CALLVERIFY, _code(OWN_NUMBER, times=1))
            assert answer.code == "0", answer.text
            call = await phone.next_call(timeout=20)
            await call.answered(timeout=10)
            await call.ended(timeout=40)
            assert (await call.recorded()).stat().st_size > 16_000

    asyncio.run(scenario())


def test_E2_given_a_phone_with_a_wrong_password_when_it_registers_then_it_is_refused(
    bench: WideBench, tmp_path: Path
) -> None:
    async def scenario() -> None:
        wrong = Registration(REGISTRAR, OWN_NUMBER, "not-the-password")
        async with Softphone.start(directory=tmp_path, address=HERE, register=wrong):
            pass

    with pytest.raises(PhoneError, match="was not registered"):
        asyncio.run(scenario())


@pytest.mark.parametrize("away", [None, *NODES])
def test_E2_given_a_node_away_or_none_when_a_phone_calls_in_then_a_node_that_lives_answers_for_the_number(
    bench: WideBench, tmp_path: Path, away: str | None
) -> None:
    async def scenario() -> None:
        own = Registration(REGISTRAR, OWN_NUMBER, SIP_PASSWORD)
        async with Softphone.start(directory=tmp_path, address=HERE, register=own) as phone:
            if away is not None:
                bench.containers[away].kill()
            try:
                # Before the balancer has noticed; nodes come in turn, so one of the calls meets the dead one.
                ends = [
                    await (await phone.dial(f"sip:{SHOWN}@{REGISTRAR}")).ended(timeout=40) for _ in range(2)
                ]
            finally:
                if away is not None:
                    bench.containers[away].start()
        # Not 503: nobody calls back, but the platform knows the number as its own.
        assert [end.status for end in ends] == [403, 403], ends

    asyncio.run(scenario())


def _volumes(container: Container) -> set[str]:
    return {mount["Name"] for mount in container.attrs["Mounts"] if mount["Type"] == "volume"}


def _code(phone: str, times: int = 3) -> dict[str, object]:
    return {
        "displayNbr": SHOWN,
        "calleeNbr": phone,
        "languageType": 2,
        "preTone": "code_intro.wav",
        "verifyCode": "308615",
        "times": times,
    }


def _notified() -> dict[str, object]:
    return {
        "displayNbr": SHOWN,
        "calleeNbr": PHONE_A,
        "playInfoList": [{"notifyVoice": "welcome.wav"}],
    }


def _has_ended(bench: WideBench, session_id: str) -> bool:
    codes = [
        push["statusInfo"]["stateCode"]
        for push in bench.pushes(session_id)
        if push["eventType"] == "disconnect"
    ]
    assert codes in ([], [0]), codes
    return codes == [0]
