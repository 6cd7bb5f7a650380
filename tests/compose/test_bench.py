"""docker-compose.yml as its users have it: built, brought up, called."""

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest
from compose.conftest import PROJECT, ROOT, Engine

SERVICES = {"asterisk", "controller", "database", "phone-a", "phone-b", "receiver"}
LARGEST = {"voicecall-controller": 900_000_000, "voicecall-asterisk": 600_000_000}
"""Bytes; the embedded voice's model is 130 MB of the first."""


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
    done = subprocess.run(
        [sys.executable, "-m", "testbed.demo.compose"],
        cwd=ROOT,
        env={**bench.environment, "COMPOSE_PROJECT_NAME": PROJECT, "PYTHONPATH": os.fspath(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    assert "All as it should be." in done.stdout


@pytest.mark.requirement("E5")
def test_E5_given_the_containers_when_looked_at_then_they_are_neither_root_nor_writable(
    bench: Engine,
) -> None:
    running = bench.client.containers.list(filters={"label": f"com.docker.compose.project={PROJECT}"})
    by_service = {one.labels["com.docker.compose.service"]: one for one in running}
    assert set(by_service) >= SERVICES
    for name, container in by_service.items():
        _status, who = container.exec_run(["id", "-u"])
        assert who.strip() == b"10001", name
        assert "no-new-privileges:true" in container.attrs["HostConfig"]["SecurityOpt"], name
    for name in ("asterisk", "controller", "database"):
        assert by_service[name].attrs["HostConfig"]["ReadonlyRootfs"], name
        assert by_service[name].attrs["State"]["Health"]["Status"] == "healthy", name


@pytest.mark.requirement("E5")
def test_E5_given_the_images_when_built_then_they_stay_small(bench: Engine) -> None:
    for name, largest in LARGEST.items():
        assert bench.client.images.get(f"{name}:latest").attrs["Size"] < largest, name
