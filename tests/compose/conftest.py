"""A Docker engine: the one that runs here, else one of the tests' own; and what images are made from."""

import contextlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import docker
import pytest
from docker.errors import DockerException, ImageNotFound
from docker.models.containers import Container

ROOT = Path(__file__).parents[2]
PROJECT = "voicecall-test"
_CERTIFICATES = Path("/usr/local/share/ca-certificates")
_START_LIMIT = 60.0
_BUILD_LIMIT = 900.0
_DEMO_LIMIT = 240.0
"""Seconds."""


@dataclass(frozen=True)
class Engine:
    """A Docker engine, and how its compose is called."""

    client: docker.DockerClient
    environment: dict[str, str]
    compose_command: tuple[str, ...]
    file: str = "docker-compose.yml"

    def using(self, file: str) -> "Engine":
        """The same engine with another one of the repository's files."""
        return replace(self, file=file)

    def knowing(self, **environment: str) -> "Engine":
        """The same engine, with this in the environment of compose."""
        return replace(self, environment={**self.environment, **environment})

    def demo(self, module: str) -> None:
        """Have one of the test bed's programs judge what is up."""
        done = subprocess.run(
            [sys.executable, "-m", module],
            cwd=ROOT,
            env={**self.environment, "COMPOSE_PROJECT_NAME": PROJECT, "PYTHONPATH": os.fspath(ROOT)},
            capture_output=True,
            text=True,
            check=False,
            timeout=_DEMO_LIMIT,
        )
        assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
        assert "All as it should be." in done.stdout

    def containers(self) -> dict[str, Container]:
        """What runs, by service."""
        running = self.client.containers.list(filters={"label": f"com.docker.compose.project={PROJECT}"})
        return {one.labels["com.docker.compose.service"]: one for one in running}

    def compose(self, *words: str, limit: float = _BUILD_LIMIT) -> str:
        """Run docker-compose on the repository's file. Fails the test with what it printed."""
        done = subprocess.run(
            [*self.compose_command, "-f", self.file, "-p", PROJECT, *words],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=limit,
        )
        assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]
        return done.stdout


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """Skips where there is no engine and none can be started."""
    compose = _compose_command()
    if compose is None:
        pytest.skip("neither `docker compose` nor docker-compose is here")
    if _answers(dict(os.environ)):
        with contextlib.closing(docker.from_env()) as client:
            yield Engine(client, dict(os.environ), compose)
        return
    if os.geteuid() != 0 or shutil.which("dockerd") is None:
        pytest.skip("no Docker engine runs here, and none can be started (dockerd and root)")
    with (
        _own_engine(tmp_path_factory.mktemp("docker")) as address,
        contextlib.closing(docker.DockerClient(base_url=address)) as client,
    ):
        yield Engine(client, {**os.environ, "DOCKER_HOST": address}, compose)


def _answers(environment: dict[str, str]) -> bool:
    """Whether an engine answers; asked by its own command, as the library leaves its socket open if not."""
    done = subprocess.run(["docker", "info"], env=environment, capture_output=True, check=False)
    return done.returncode == 0


def _compose_command() -> tuple[str, ...] | None:
    for words in (("docker", "compose"), ("docker-compose",)):
        if (
            shutil.which(words[0])
            and not subprocess.run([*words, "version"], capture_output=True, check=False).returncode
        ):
            return words
    return None


@contextmanager
def _own_engine(folder: Path) -> Iterator[str]:
    address = f"unix://{folder}/docker.sock"
    with (folder / "dockerd.log").open("wb") as log:
        process = subprocess.Popen(
            [
                "dockerd",
                f"--host={address}",
                f"--data-root={folder}/data",
                f"--exec-root={folder}/exec",
                f"--pidfile={folder}/dockerd.pid",
            ],
            stdout=log,
            stderr=log,
        )
    try:
        end = time.monotonic() + _START_LIMIT
        while not _answers({**os.environ, "DOCKER_HOST": address}):
            if process.poll() is not None or time.monotonic() > end:
                said = (folder / "dockerd.log").read_text()[-300:]
                pytest.skip(f"a Docker engine can't be started here: {said}")
            # An engine that starts tells nobody.
            time.sleep(0.2)
        yield address
    finally:
        process.terminate()
        process.wait(30)


@pytest.fixture(scope="session")
def base_images(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Debian's images: pulled, or made of Debian's packages where no image registry can be reached."""
    scratch = tmp_path_factory.mktemp("bases")
    with ThreadPoolExecutor() as both:
        for done in [both.submit(_obtain, engine, suite, scratch / suite) for suite in ("bookworm", "forky")]:
            done.result()


def _obtain(engine: Engine, suite: str, tree: Path) -> None:
    try:
        engine.client.images.get(f"debian:{suite}-slim")
    except ImageNotFound:
        try:
            engine.client.images.pull("debian", f"{suite}-slim")
        except DockerException:
            _import(engine, suite, tree)


def _import(engine: Engine, suite: str, tree: Path) -> None:
    options = ["--variant=minbase", "--components=main", "--include=ca-certificates"]
    # As Debian's own slim images are.
    left_out = ("doc", "man", "locale", "info")
    options += [f"--dpkgopt=path-exclude=/usr/share/{folder}/*" for folder in left_out]
    # Mirrors can lag.
    stale = '--aptopt=Acquire::Check-Valid-Until "false"'
    command = ["mmdebstrap", *options, stale, suite, str(tree)]
    subprocess.run(command, check=True, capture_output=True)
    # What this machine trusts its containers trust too.
    own = tree / "usr/local/share/ca-certificates"
    if _CERTIFICATES.is_dir():
        shutil.copytree(_CERTIFICATES, own, dirs_exist_ok=True)
        subprocess.run(["chroot", str(tree), "update-ca-certificates"], check=False, capture_output=True)
    for options_file in Path("/etc/apt/apt.conf.d").glob("99*"):
        shutil.copy(options_file, tree / "etc/apt/apt.conf.d")
    packed = tree.with_suffix(".tar")
    subprocess.run(["tar", "-C", str(tree), "-cf", str(packed), "."], check=True)
    engine.client.api.import_image_from_file(str(packed), repository="debian", tag=f"{suite}-slim")
    packed.unlink()
    shutil.rmtree(tree)


def check_locked_up(container: Container) -> None:
    """No root, nothing to be won, nothing to be written; and it says that it is well."""
    _status, who = container.exec_run(["id", "-u"])
    assert who.strip() == b"10001", container.name
    assert "no-new-privileges:true" in container.attrs["HostConfig"]["SecurityOpt"], container.name
    assert container.attrs["HostConfig"]["CapDrop"] == ["ALL"], container.name
    assert container.attrs["HostConfig"]["ReadonlyRootfs"], container.name
    assert container.attrs["State"]["Health"]["Status"] == "healthy", container.name


def check_sizes(engine: Engine, largest: Mapping[str, int]) -> None:
    """Bytes that images may have."""
    sizes = {name: engine.client.images.get(f"{name}:latest").attrs["Size"] for name in largest}
    assert {name: size for name, size in sizes.items() if size > largest[name]} == {}
