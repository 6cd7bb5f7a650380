"""docker-compose.yml as its users have it: built, brought up, called."""

from collections.abc import Iterator

import pytest
from compose.conftest import Engine, check_locked_up, check_sizes

CONTAINERS = {"asterisk", "controller", "database", "phone-a", "phone-b", "receiver"}
LARGEST = {
    "voicecall-controller": 850_000_000,
    "voicecall-asterisk": 550_000_000,
    "voicecall-postgresql": 450_000_000,
}
"""Bytes; the embedded voice's model is 100 MB of the first."""


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
