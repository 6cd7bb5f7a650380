"""docker-compose.wide.yml as its users have it: calls, also while a controller and a node are away."""

import asyncio
from collections.abc import Iterator

import pytest
from compose.conftest import PROJECT, Engine, check_locked_up, check_sizes
from docker.models.containers import Container

from testbed.demo.compose_wide import CONTROLLERS, NODES, SERVICES, WideBench, settled

CLOSED = {*NODES, *CONTROLLERS, "database", "http-balancer", "sip-balancer"}
OTHERS = {"phone-a", "phone-b", "receiver"}
LARGEST = {"voicecall-haproxy": 300_000_000, "voicecall-kamailio": 380_000_000}
"""Bytes; Kamailio's package asks for a Python."""

pytestmark = pytest.mark.requirement("E2")


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


@pytest.fixture
def bench(wide: Engine) -> WideBench:
    """What it says of itself, with everything in its place."""
    bench = WideBench.on(wide.client, PROJECT, SERVICES, "up")
    for _line in bench.declare("controller-a"):
        pass
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
    assert set(running) >= CLOSED | OTHERS
    for service in CLOSED | OTHERS:
        check_locked_up(running[service], read_only=service in CLOSED)


@pytest.mark.requirement("E5")
def test_E5_given_the_balancers_images_when_built_then_they_stay_small(wide: Engine) -> None:
    check_sizes(wide, LARGEST)


def test_E2_given_the_wide_bench_when_its_volumes_are_compared_then_nodes_share_none(wide: Engine) -> None:
    running = wide.containers()
    first, second = (_volumes(running[name]) for name in NODES)
    controllers = set().union(*(_volumes(running[name]) for name in CONTROLLERS))
    assert first and second and controllers
    assert first & second == first & controllers == second & controllers == set()


def _volumes(container: Container) -> set[str]:
    return {mount["Name"] for mount in container.attrs["Mounts"] if mount["Type"] == "volume"}
