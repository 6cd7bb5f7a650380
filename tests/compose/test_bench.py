"""docker-compose.yml as its users have it: built, brought up, called."""

import re
import time
from collections.abc import Iterator
from urllib.request import urlopen

import pytest
from compose.conftest import Engine, check_locked_up, check_sizes
from docker.models.containers import Container

from testbed.demo.compose import URL

CONTAINERS = {"asterisk", "controller", "database", "phone-a", "phone-b", "receiver"}
LARGEST = {
    "voicecall-controller": 850_000_000,
    "voicecall-bench": 870_000_000,
    "voicecall-asterisk": 485_000_000,
    "voicecall-postgresql": 390_000_000,
}
"""Bytes, 7 to 10 % more than they had. The embedded voice's model is 100 MB of the first two."""
ENDED_BY = {"asterisk": "TERM", "controller": "TERM", "database": "INT"}
_BACK_WITHIN = 60.0
"""Seconds."""


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


@pytest.mark.requirement("E3")
def test_E3_given_the_bench_when_scraped_from_this_machine_then_it_has_metrics(bench: Engine) -> None:
    with urlopen(f"{URL}/metrics", timeout=10) as answer:
        text = answer.read().decode()
    assert re.search(r'^voicecall_node_up\{node="[^"]+"\} 1\.0$', text, re.MULTILINE)


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


def _is_back(container: Container) -> bool:
    container.reload()
    return container.attrs["RestartCount"] > 0 and container.attrs["State"]["Health"]["Status"] == "healthy"
