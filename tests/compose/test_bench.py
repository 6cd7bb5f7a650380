"""docker-compose.yml as its users have it: built, brought up, called."""

import asyncio
import json
import os
import re
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.request import Request, urlopen

import pytest
from compose.conftest import PROJECT, ROOT, Engine, check_locked_up, check_sizes
from docker.models.containers import Container

from testbed.client import CALLVERIFY, ApiClient
from testbed.demo.compose import PHONE_B, SECRET, SHOWN, URL, Bench
from testbed.softphone import Softphone

HERE = "172.28.0.1"
"""This machine in the bench's network."""
SERVICES = frozenset({"controller"})
CONTAINERS = {"asterisk", "controller", "database", "phone-a", "phone-b", "receiver"}
LARGEST = {
    "voicecall-controller": 650_000_000,
    "voicecall-bench": 670_000_000,
    "voicecall-asterisk": 300_000_000,
    "voicecall-postgresql": 232_000_000,
}
"""Bytes, 8 to 10 % more than they had. What they consist of: docs/how-to/docker.md."""
ENDED_BY = {"asterisk": "TERM", "controller": "TERM", "database": "INT"}
_BACK_WITHIN = 60.0
_HEALTH_SEEN_WITHIN = 90.0
"""Seconds. A container is unhealthy when it was not well six times in a row, 5 s apart, 3 s each."""


@pytest.fixture(scope="module")
def bench(engine: Engine, base_images: None) -> Iterator[Engine]:
    """The bench, up until the module's end."""
    engine.compose("build")
    try:
        engine.compose("up", "-d", limit=180)
        yield engine
    finally:
        engine.compose("down", "-v", limit=120)


@pytest.mark.requirement("E5")
def test_E5_given_the_compose_file_when_brought_up_then_its_calls_are_heard(bench: Engine) -> None:
    bench.demo("testbed.demo.compose")


@pytest.mark.requirement("E5")
def test_E5_given_the_containers_when_looked_at_then_they_are_neither_root_nor_writable(
    bench: Engine,
) -> None:
    running = bench.containers()
    assert set(running) >= CONTAINERS
    for service in CONTAINERS:
        check_locked_up(running[service])


@pytest.mark.requirement("E5")
def test_E5_given_the_images_when_built_then_they_stay_small(bench: Engine) -> None:
    check_sizes(bench, LARGEST)


@pytest.mark.requirement("E5")
def test_E5_given_the_controllers_image_when_asked_for_traces_then_it_has_what_makes_them(
    bench: Engine,
) -> None:
    made = (
        "from controller.observability import span_encoding; span_encoding.opened_exporter('http://x', 'y')"
    )
    status, said = bench.containers()["controller"].exec_run(["/opt/voicecall/bin/python", "-c", made])
    assert status == 0, said.decode()


@pytest.mark.requirement("E5")
@pytest.mark.parametrize("service", ["controller", "phone-a"])
def test_E5_given_the_images_when_looked_into_then_no_tool_for_making_is_in_them(
    bench: Engine, service: str
) -> None:
    tools = "pip setuptools wheel ensurepip"
    found = f"from importlib.util import find_spec; print([it for it in '{tools}'.split() if find_spec(it)])"
    _status, said = bench.containers()[service].exec_run(["/opt/voicecall/bin/python", "-c", found])
    assert said.decode().strip() == "[]"
    left = ["find", "/opt/voicecall", "/var/cache/apt", "-name", "esbuild", "-o", "-name", "*pkgcache.bin"]
    assert bench.containers()[service].exec_run(left).output == b""


@pytest.mark.requirement("C9", "E5")
@pytest.mark.parametrize(("language", "title"), [("en", "Log in"), ("zh-CN", "登录")])
def test_E5_given_the_controllers_image_when_its_console_is_opened_then_it_speaks_both_languages(
    bench: Engine, language: str, title: str
) -> None:
    request = Request(f"{URL}/console/login", headers={"Accept-Language": language})
    with urlopen(request, timeout=10) as answer:
        text = answer.read().decode()
    assert f'lang="{language}"' in text
    assert title in text


@pytest.mark.requirement("E3")
def test_E3_given_the_bench_when_scraped_from_this_machine_then_it_has_metrics(bench: Engine) -> None:
    with urlopen(f"{URL}/metrics", timeout=10) as answer:
        text = answer.read().decode()
    assert re.search(r'^voicecall_node_up\{node="[^"]+"\} 1\.0$', text, re.MULTILINE)


@pytest.mark.long
@pytest.mark.requirement("E5")
def test_E5_given_a_route_that_was_edited_to_a_softphone_of_ones_own_when_applied_then_that_is_called(
    bench: Engine, tmp_path: Path
) -> None:
    file = ROOT / f"containers/own-routes-{os.getpid()}.toml"
    platform = Bench.on(bench.client, PROJECT, SERVICES, "up")
    platform.declare("controller")

    async def scenario() -> None:
        async with Softphone.start(directory=tmp_path, address=HERE) as phone:
            # As an editor saves: the new file takes the old one's place.
            for contact in ("sip:{number}@172.28.0.99", f"sip:{{number}}@{HERE}:{phone.port}"):
                draft = file.with_suffix(".draft")
                draft.write_text(f'[[routes]]\nprefix = "{PHONE_B}"\ncontact = "{contact}"\n')
                draft.replace(file)
                assert platform.apply("controller", file.name)
            async with ApiClient.open(URL, "bench-verification", SECRET) as client:
                body = {"displayNbr": SHOWN, "calleeNbr": PHONE_B, "languageType": 2}
                body |= {"preTone": "code_intro.wav", "verifyCode": "308615", "times": 1}
                answer = await client.post(CALLVERIFY, body)
            assert answer.code == "0", answer.text
            call = await phone.next_call(timeout=20)
            await call.answered(timeout=10)
            await call.ended(timeout=40)
            assert (await call.recorded()).stat().st_size > 16_000
        assert {"INVITE", "BYE"} <= said_in_sip(answer.session_id)

    def said_in_sip(session_id: str) -> set[str]:
        """The controller has the messages soon after the call: they come by a way of their own."""
        end = time.monotonic() + _BACK_WITHIN
        while True:
            report = json.loads(platform.run("controller", ["voicecall", "call", session_id, "--json"]))
            texts = {message["text"] for message in report["capture"]["messages"]}
            if "BYE" in texts or time.monotonic() > end:
                return texts
            # Nothing tells.
            time.sleep(0.3)

    try:
        asyncio.run(scenario())
    finally:
        file.unlink(missing_ok=True)
        platform.declare("controller")


@pytest.mark.long
@pytest.mark.requirement("E5")
def test_E5_given_a_bench_that_is_up_when_passwords_are_changed_then_asterisk_takes_the_new_ones(
    bench: Engine,
) -> None:
    new = bench.knowing(VOICECALL_ARI_PASSWORD="new-ari-password", VOICECALL_AMI_PASSWORD="new-ami-password")
    new.compose("up", "-d", limit=180)
    try:
        end = time.monotonic() + _BACK_WITHIN
        while _health(new.containers()["controller"]) != "healthy":
            assert time.monotonic() < end, "the controller can't use Asterisk"
            # Nothing tells when it is well.
            time.sleep(0.3)
        said = new.containers()["controller"].exec_run(["voicecall", "doctor"]).output.decode()
        assert re.search(r"^ok +asterisk ", said, re.MULTILINE), said
        assert re.search(r"^ok +ami ", said, re.MULTILINE), said
    finally:
        bench.compose("up", "-d", limit=180)


@pytest.mark.long
@pytest.mark.requirement("E5")
def test_E5_given_a_process_that_ends_by_itself_when_it_has_then_its_container_is_started_again(
    bench: Engine,
) -> None:
    running = bench.containers()
    for service, signal in ENDED_BY.items():
        running[service].exec_run(["sh", "-c", f"kill -{signal} 1"], detach=True)
    end = time.monotonic() + _BACK_WITHIN
    while not all(_is_back(running[service]) for service in ENDED_BY):
        assert time.monotonic() < end, {name: running[name].attrs["State"] for name in ENDED_BY}
        # Nothing tells when the last of them is well.
        time.sleep(0.3)


@pytest.mark.long
@pytest.mark.requirement("E5")
def test_E5_given_processes_that_do_nothing_when_looked_at_then_their_containers_are_unhealthy_until_they_do(
    bench: Engine,
) -> None:
    running = {name: found for name, found in bench.containers().items() if name in CONTAINERS}
    _wait_for_health("healthy", running)
    try:
        for container in running.values():
            _signal_all(container, "STOP")
        _wait_for_health("unhealthy", running)
    finally:
        for container in running.values():
            _signal_all(container, "CONT")
    _wait_for_health("healthy", running)


@pytest.mark.long
@pytest.mark.requirement("E5")
def test_E5_given_a_database_that_is_taken_back_as_the_page_says_when_the_bench_is_up_again_then_it_is_newest(
    bench: Engine,
) -> None:
    """docs/how-to/update.md, "Go back"."""

    def schema() -> str:
        said = bench.containers()["controller"].exec_run(["voicecall", "doctor"]).output.decode()
        [found] = re.findall(r"schema (\d+)", said)
        return str(found)

    _wait_for_health("healthy", {"controller": bench.containers()["controller"]})
    newest = schema()
    before = f"{int(newest) - 1:04}"
    bench.compose("stop", "controller", limit=60)
    try:
        words = ("run", "--rm", "--no-deps", "controller", "database", "downgrade", before)
        assert "nothing was changed" in bench.compose(*words, "--dry-run", limit=60)
        assert f"has schema {newest}; taken back" in bench.compose(*words, limit=60)
        # It says where it is now: the newest schema lies ahead.
        with pytest.raises(AssertionError, match=f"newer than the database's, {before}"):
            bench.compose(*words[:-1], newest, limit=60)
    finally:
        bench.compose("up", "-d", limit=180)
    _wait_for_health("healthy", {"controller": bench.containers()["controller"]})
    assert schema() == newest


def _signal_all(container: Container, signal: str) -> None:
    """To all processes of a container; those within can't stop their first one."""
    container.exec_run(["sh", "-c", f"kill -{signal} -1"])
    container.kill(f"SIG{signal}")


def _wait_for_health(status: str, running: Mapping[str, Container]) -> None:
    end = time.monotonic() + _HEALTH_SEEN_WITHIN
    while others := {name: found for name in running if (found := _health(running[name])) != status}:
        assert time.monotonic() < end, others
        # Nothing tells.
        time.sleep(0.5)


def _health(container: Container) -> str:
    container.reload()
    return str(container.attrs["State"]["Health"]["Status"])


def _is_back(container: Container) -> bool:
    return _health(container) == "healthy" and container.attrs["RestartCount"] > 0
