"""The Asterisk launcher of demo, tests, benchmarks and `make run`.

It takes an Asterisk >= 22.10 that the machine has, else Debian's packages unpacked into a folder of our own
(`mmdebstrap --variant=extract`: nothing is installed, no maintainer script runs, no root is needed). The
unpacked program is started through its own dynamic loader, so it needs neither chroot nor mounts and sees
the same paths as everybody else.
"""

import asyncio
import contextlib
import ctypes
import dataclasses
import os
import re
import resource
import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from controller.asterisk.configuration import NodeConfiguration, render_node
from testbed.ports import reserved_ports

MINIMUM_VERSION = (22, 10)
_SUITE = "forky"
_PACKAGES = ("asterisk", "asterisk-modules", "asterisk-core-sounds-en", "sip-tester")
_PAUSES_S = (5.0, 20.0)
_OPEN_FILES = 65536
_PR_SET_PDEATHSIG = 1

Progress = Callable[[str], None]


class LauncherError(Exception):
    """Asterisk could not be had or did not come up; the text says why and what to do."""


@dataclass(frozen=True)
class AsteriskProgram:
    """An installed or unpacked Asterisk: the words that run it and where its parts are."""

    command: tuple[str, ...]
    module_dir: Path
    data_dir: Path
    version: tuple[int, ...]
    sipp: tuple[str, ...] | None

    @classmethod
    def of_machine(cls) -> "AsteriskProgram | None":
        """The machine's own Asterisk, if there is one and it is recent enough."""
        found = shutil.which("asterisk", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
        if found is None:
            return None
        version = _version((found,))
        prefix = Path(found).resolve().parent.parent
        module_dir = _first_folder(
            [*(prefix / "lib").glob("*-linux-gnu/asterisk/modules"), prefix / "lib/asterisk/modules"]
        )
        # Debian's is below its prefix; Asterisk's own makefile takes the other one.
        data_dir = _first_folder([prefix / "share/asterisk", Path("/var/lib/asterisk")])
        if version < MINIMUM_VERSION or module_dir is None or data_dir is None:
            return None
        sipp = shutil.which("sipp")
        return cls((found,), module_dir, data_dir, version, (sipp,) if sipp else None)

    @classmethod
    def unpacked(cls, root: Path) -> "AsteriskProgram":
        """An Asterisk unpacked below `root`."""
        libraries = next((root / "usr/lib").glob("*-linux-gnu"))
        loader = next(libraries.glob("ld-linux-*.so.*"))
        prefix = (str(loader), "--library-path", str(libraries))
        command = (*prefix, str(root / "usr/sbin/asterisk"))
        version = _version(command)
        if version < MINIMUM_VERSION:
            raise LauncherError(f"the unpacked Asterisk is {version}, need at least {MINIMUM_VERSION}")
        return cls(
            command,
            libraries / "asterisk/modules",
            root / "usr/share/asterisk",
            version,
            (*prefix, str(root / "usr/bin/sipp")),
        )


def cache_dir() -> Path:
    """Where downloads are kept: `.cache` in the checkout, or VOICECALL_CACHE."""
    default = Path(__file__).parent.parent / ".cache"
    return Path(os.environ.get("VOICECALL_CACHE", default))


def obtain_asterisk(progress: Progress = lambda _line: None) -> AsteriskProgram:
    """The machine's Asterisk, else the cached one, else a newly unpacked one (20 s, 300 MB, once)."""
    own = AsteriskProgram.of_machine()
    if own is not None:
        return own
    root = cache_dir() / "asterisk"
    if not (root / "complete").exists():
        progress(f"Unpacking Asterisk from Debian {_SUITE} (once, about 300 MB) ...")
        _unpack(root, progress)
    return AsteriskProgram.unpacked(root)


def _unpack(root: Path, progress: Progress) -> None:
    if shutil.which("mmdebstrap") is None:
        raise LauncherError(
            "mmdebstrap is missing: run `apt-get install mmdebstrap` (or `make setup` as root)"
        )
    command = [
        "mmdebstrap",
        "--variant=extract",
        # Nothing is run in what is unpacked, so who isn't root needs no chroot either.
        *([] if os.getuid() == 0 else ["--mode=chrootless"]),
        f"--include={','.join(_PACKAGES)}",
        "--components=main",
        # A mirror that lags behind still has what we need.
        '--aptopt=Acquire::Check-Valid-Until "false"',
        _SUITE,
        str(root),
    ]
    root.parent.mkdir(parents=True, exist_ok=True)
    # A mirror that is just being renewed lacks a package for a moment: it is asked again, with a new list.
    for pause_s in (*_PAUSES_S, None):
        # Another process may have unpacked it meanwhile, and run it already.
        if (root / "complete").exists():
            return
        shutil.rmtree(root, ignore_errors=True)
        made = subprocess.run(command, capture_output=True, text=True, check=False)
        if made.returncode == 0:
            (root / "complete").touch()
            return
        if pause_s is not None:
            progress(f"That failed, again in {pause_s:g} s: {_told(made.stderr)[0]}")
            time.sleep(pause_s)
    free_mb = shutil.disk_usage(root.parent).free // 10**6
    shutil.rmtree(root, ignore_errors=True)
    told = "\n".join(_told(made.stderr))
    raise LauncherError(
        f"mmdebstrap could not unpack Asterisk ({free_mb} MB were free, 600 are needed):\n{told}"
    )


def _told(output: str) -> list[str]:
    """The lines of mmdebstrap's output that tell what went wrong, the first ones first."""
    lines = output.strip().splitlines()
    return [line for line in lines if line.startswith("E: ")][:8] or lines[-8:] or ["it told nothing"]


def _version(command: tuple[str, ...]) -> tuple[int, ...]:
    """What a program says of itself; (0,) if that is no version, or it doesn't even run."""
    try:
        said = subprocess.run([*command, "-V"], capture_output=True, text=True, check=False, timeout=20)
    except (OSError, subprocess.SubprocessError):
        return (0,)
    numbers = re.search(r"(\d+)\.(\d+)(?:\.(\d+))?", said.stdout)
    return tuple(int(number) for number in numbers.groups() if number) if numbers else (0,)


def _first_folder(candidates: Iterable[Path]) -> Path | None:
    return next((path for path in candidates if path.is_dir()), None)


@dataclass
class RunningAsterisk:
    """An Asterisk process that is ready to take commands."""

    configuration: NodeConfiguration
    process: asyncio.subprocess.Process
    program: AsteriskProgram

    @property
    def ari_url(self) -> str:
        return f"http://{self.configuration.control_address}:{self.configuration.http_port}"

    @property
    def log(self) -> Path:
        return self.configuration.log_dir / "messages.log"

    async def kill(self) -> None:
        """End the process at once, as a crash would."""
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()
        await self.process.wait()

    async def stop(self) -> None:
        """End the process in an orderly way, by force after 5 s."""
        if self.process.returncode is not None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(self.process.wait(), 5)
        except TimeoutError:
            await self.kill()


@asynccontextmanager
async def running_asterisk(
    directory: Path,
    program: AsteriskProgram,
    *,
    extra_files: Iterable[tuple[str, str]] = (),
    known_endpoints: Iterable[str] = (),
    name: str = "node1",
    capture: bool = True,
) -> AsyncIterator[RunningAsterisk]:
    """An Asterisk of its own below `directory`, on its own ports, ended at the end of the block.

    `extra_files` are (name below etc/, text) written beside the rendered templates, for example
    ("pjsip.d/phones.conf", ...); the block starts when `known_endpoints` are known to Asterisk. With
    `capture` it sends SIP and RTCP to a port that is kept free for the controller.
    """
    with reserved_ports(4) as (http_port, ami_port, sip_port, capture_port):
        configuration = dataclasses.replace(
            configuration_below(directory, program, name, http_port, ami_port, sip_port),
            capture="yes" if capture else "no",
            capture_address=f"127.0.0.1:{capture_port}",
        )
        render_node(configuration)
        for file_name, text in extra_files:
            path = configuration.etc_dir / file_name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
        asterisk = await start_asterisk(configuration, program, known_endpoints=known_endpoints)
        try:
            yield asterisk
        finally:
            await asterisk.stop()


def configuration_below(
    directory: Path, program: AsteriskProgram, name: str, http_port: int, ami_port: int, sip_port: int
) -> NodeConfiguration:
    """A node that keeps all its files below `directory`, with passwords of its own."""
    return NodeConfiguration(
        node_name=name,
        etc_dir=directory / "etc",
        lib_dir=directory / "lib",
        spool_dir=directory / "spool",
        run_dir=directory / "run",
        log_dir=directory / "log",
        module_dir=program.module_dir,
        data_dir=program.data_dir,
        http_port=http_port,
        ami_port=ami_port,
        sip_port=sip_port,
        ari_password=secrets.token_urlsafe(18),
        ami_password=secrets.token_urlsafe(18),
    )


async def start_asterisk(
    configuration: NodeConfiguration,
    program: AsteriskProgram,
    *,
    known_endpoints: Iterable[str] = (),
    time_limit: float = 30,
) -> RunningAsterisk:
    """Start Asterisk and return when it is ready: booted, ARI answers, the endpoints are known."""
    console = (configuration.log_dir / "console.log").open("ab")
    try:
        process = await asyncio.create_subprocess_exec(
            *program.command,
            "-f",
            "-C",
            str(configuration.etc_dir / "asterisk.conf"),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=console,
            stderr=console,
            preexec_fn=_prepare_child,
        )
    finally:
        console.close()
    asterisk = RunningAsterisk(configuration, process, program)
    try:
        async with asyncio.timeout(time_limit):
            await _while_alive(asterisk, _fully_booted(configuration))
            await _while_alive(asterisk, _endpoints_known(asterisk, list(known_endpoints)))
    except BaseException as error:
        await asterisk.kill()
        if isinstance(error, TimeoutError):
            raise LauncherError(f"Asterisk was not ready within {time_limit} s; see {asterisk.log}") from None
        raise
    return asterisk


def _prepare_child() -> None:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    limit = _OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, _OPEN_FILES)
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
    # A session of its own: Ctrl-C in the terminal reaches the controller, which ends calls first.
    os.setsid()
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


async def _while_alive(asterisk: RunningAsterisk, waiting: Coroutine[Any, Any, None]) -> None:
    """Wait for readiness, but no longer than the process lives."""
    ready = asyncio.ensure_future(waiting)
    ended = asyncio.ensure_future(asterisk.process.wait())
    await asyncio.wait({ready, ended}, return_when=asyncio.FIRST_COMPLETED)
    ended.cancel()
    if not ready.done():
        ready.cancel()
        console = (asterisk.configuration.log_dir / "console.log").read_text("utf-8", "replace")
        raise LauncherError(f"Asterisk ended at once:\n{console[-2000:]}")
    ready.result()


async def _fully_booted(configuration: NodeConfiguration) -> None:
    """AMI tells when every module is loaded; the HTTP server answers long before that."""
    address = (configuration.control_address, configuration.ami_port)
    while True:
        try:
            reader, writer = await asyncio.open_connection(*address)
            break
        except OSError:
            await asyncio.sleep(0.02)  # the port is not open yet and nothing tells when it will be
    login = (
        f"Action: Login\r\nUsername: {configuration.ami_user}\r\nSecret: {configuration.ami_password}\r\n\r\n"
    )
    writer.write(login.encode())
    booted = False
    async for line in reader:
        if line.strip() == b"Event: FullyBooted":
            booted = True
            break
        if line.strip() == b"Response: Error":
            raise LauncherError("AMI refused the launcher's password")
    writer.close()
    await writer.wait_closed()
    if not booted:
        raise LauncherError("AMI ended before Asterisk was ready")


async def _endpoints_known(asterisk: RunningAsterisk, endpoints: list[str]) -> None:
    configuration = asterisk.configuration
    password = aiohttp.encode_basic_auth(configuration.ari_user, configuration.ari_password)
    async with aiohttp.ClientSession(asterisk.ari_url, headers={"Authorization": password}) as http:
        async with http.get("/ari/asterisk/ping") as answer:
            answer.raise_for_status()
        for endpoint in endpoints:
            async with http.get(f"/ari/endpoints/PJSIP/{endpoint}") as answer:
                if answer.status != 200:
                    raise LauncherError(f"Asterisk does not know the endpoint {endpoint}")


def host_name_resolves() -> bool:
    """Asterisk blocks for seconds in every call if it cannot resolve its own host name."""
    try:
        socket.getaddrinfo(socket.gethostname(), None)
    except OSError:
        return False
    return True
