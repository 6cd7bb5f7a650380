"""The platform on one machine: an Asterisk of its own and the controller, in the foreground or for a test."""

import fcntl
import socket
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import typer
from pydantic import SecretStr

from controller.accounts.changes import Change
from controller.asterisk.configuration import NodeConfiguration, render_node
from controller.capture.hep import Address
from controller.cli import (
    reload_on_hangup,
    say_ending,
    stop_signal,
    tell_first_administrator,
    until_stopped,
)
from controller.declare_command import apply_file
from controller.lifecycle import naming_port
from controller.logs import say
from controller.settings import (
    AgiSettings,
    AsteriskSettings,
    CaptureSettings,
    HttpSettings,
    LimitSettings,
    PushSettings,
    Settings,
    SpeechSettings,
)
from testbed.asterisk import (
    AsteriskProgram,
    LauncherError,
    RunningAsterisk,
    host_name_resolves,
    obtain_asterisk,
    running_asterisk,
    start_asterisk,
)
from testbed.client import ApiClient

# The controller itself is imported where it runs in this process: a demo and a benchmark start another one.
if TYPE_CHECKING:
    from controller.wiring import Controller

SPEECH_MODEL = Path(__file__).parents[1] / ".cache" / "speech-models"
"""The model of the embedded voice, which `make setup` fetches."""

PLENTY = LimitSettings(account_calls_per_second=0, daily_cap="none")
"""The test bed makes many calls at once: the shipped brakes, 1 call a second and 50 a day, are off in it."""

LOOPBACK: list[IPv4Network | IPv6Network] = [IPv4Network("127.0.0.0/8"), IPv6Network("::1/128")]


async def run_platform(settings: Settings, sip_port: int) -> None:
    """Asterisk and controller until SIGTERM or Ctrl-C.

    Raises LauncherError, FleetError, DatabaseUnusable, TracingUnavailable, OSError.
    """
    if not host_name_resolves():
        raise LauncherError(
            "this machine can't resolve its own host name, which stalls every call: add it to /etc/hosts"
        )
    program = obtain_asterisk(lambda line: typer.echo(line, err=True))
    with _only_one(settings.data_dir.absolute()):
        _check_ports(settings, sip_port)
        await _run(settings, sip_port, program)


@contextmanager
def _only_one(directory: Path) -> Iterator[None]:
    """Hold the directory for this platform alone. The kernel lets go of it, however the process ends."""
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / "up.lock").open("ab") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LauncherError(
                f"the platform already runs in {directory}; end that one first, or set data_dir"
            ) from None
        yield


def _check_ports(settings: Settings, sip_port: int) -> None:
    """Every port can be had, found out before anything is written or started. Raises OSError."""
    node = urlsplit(settings.asterisk.ari_url)
    tcp, udp = socket.SOCK_STREAM, socket.SOCK_DGRAM
    wanted = [
        ("http.port", tcp, settings.http.address, settings.http.port),
        ("asterisk.ari_url", tcp, node.hostname or "127.0.0.1", node.port or 80),
        ("asterisk.ami_port", tcp, settings.asterisk.ami_address, settings.asterisk.ami_port),
        ("--sip-port", udp, "127.0.0.1", sip_port),
    ]
    if settings.capture.enabled:
        wanted.append(("capture.port", udp, settings.capture.address, settings.capture.port))
    if settings.agi.enabled:
        wanted.append(("agi.port", tcp, settings.agi.address, settings.agi.port))
    for setting, kind, address, port in wanted:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        with naming_port(setting, address, port), socket.socket(family, kind) as probe:
            if kind == tcp:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((address, port))


async def _run(settings: Settings, sip_port: int, program: AsteriskProgram) -> None:
    from controller.wiring import running_controller

    stop = stop_signal()
    try:
        configuration = node_of(settings, program, sip_port)
    except ValueError as error:
        raise LauncherError(str(error)) from None
    render_node(configuration)
    asterisk = await start_asterisk(configuration, program)
    try:
        async with running_controller(settings, asked=stop.asked, hurry=stop.insisted) as controller:
            reload_on_hangup(controller)
            await controller.fleet.wait_ready()
            say(
                f"voicecall listens on {controller.url}, its console on {controller.url}/console; "
                f"SIP on 127.0.0.1:{sip_port}. Ctrl-C ends it."
            )
            await tell_first_administrator(controller)
            await until_stopped(controller, stop.asked)
            say_ending(settings)
    finally:
        await asterisk.stop()


def node_of(whole: Settings, program: AsteriskProgram, sip_port: int) -> NodeConfiguration:
    """The node that these settings speak of, to be run on this machine."""
    settings = whole.asterisk
    directory = settings.etc_dir.absolute().parent
    address = urlsplit(settings.ari_url)
    return NodeConfiguration(
        node_name=settings.name,
        etc_dir=settings.etc_dir.absolute(),
        lib_dir=directory / "lib",
        spool_dir=settings.recording_dir.absolute().parent,
        run_dir=directory / "run",
        log_dir=directory / "log",
        module_dir=program.module_dir,
        data_dir=program.data_dir,
        http_port=address.port or 80,
        ami_port=settings.ami_port,
        sip_port=sip_port,
        ari_password=settings.ari_password.get_secret_value(),
        ami_password=settings.ami_password.get_secret_value(),
        ari_user=settings.ari_user,
        ami_user=settings.ami_user,
        control_address=address.hostname or "127.0.0.1",
        capture="yes" if whole.capture.enabled else "no",
        capture_address=str(Address(whole.capture.address, whole.capture.port)),
    )


def node_settings(configuration: NodeConfiguration, **changes: Any) -> AsteriskSettings:
    """How a controller reaches this node."""
    settings = AsteriskSettings(
        name=configuration.node_name,
        ari_url=f"http://{configuration.control_address}:{configuration.http_port}",
        ari_user=configuration.ari_user,
        ari_password=SecretStr(configuration.ari_password),
        ami_address=configuration.control_address,
        ami_port=configuration.ami_port,
        ami_user=configuration.ami_user,
        ami_password=SecretStr(configuration.ami_password),
        etc_dir=configuration.etc_dir,
        recording_dir=configuration.recording_dir,
    )
    return settings.model_copy(update=changes)


@dataclass
class Platform:
    """A node and the settings of a controller that uses it; the controller may run or not."""

    directory: Path
    asterisk: RunningAsterisk
    settings: Settings

    async def declare(self, text: str) -> list[Change]:
        """Apply a declaration; files in it are relative to `directory`."""
        path = self.directory / "declaration.toml"
        path.write_text(text, "utf-8")
        return await apply_file(self.settings, path)

    @asynccontextmanager
    async def controller(self, **replacements: Any) -> AsyncIterator["Controller"]:
        """A controller in this process that is ready to make calls."""
        from controller.wiring import running_controller

        async with running_controller(self.settings, **replacements) as controller:
            await controller.fleet.wait_ready()
            yield controller

    @asynccontextmanager
    async def serving(
        self, app_key: str, secret: str, **replacements: Any
    ) -> AsyncIterator[tuple["Controller", ApiClient]]:
        """A controller and a customer's client."""
        async with AsyncExitStack() as stack:
            controller = await stack.enter_async_context(self.controller(**replacements))
            client = await stack.enter_async_context(ApiClient.open(controller.url, app_key, secret))
            yield controller, client


@asynccontextmanager
async def platform(
    directory: Path,
    program: AsteriskProgram,
    sections: Mapping[str, Any] | None = None,
    node: Mapping[str, Any] | None = None,
    files: Iterable[tuple[str, str]] = (),
) -> AsyncIterator[Platform]:
    """An Asterisk and settings for it below `directory`; `sections` replace sections of the settings.

    `files` are (name below etc/, text) that an operator would add to the node's own.
    """
    async with running_asterisk(directory / "asterisk", program, extra_files=files) as asterisk:
        settings = Settings(
            data_dir=directory / "data",
            http=HttpSettings(port=0),
            agi=AgiSettings(port=0),
            capture=CaptureSettings(port=int(asterisk.configuration.capture_address.rpartition(":")[2])),
            speech=SpeechSettings(model_dir=str(SPEECH_MODEL)),
            asterisk=node_settings(asterisk.configuration, **(node or {})),
            limits=PLENTY,
        )
        settings = settings.model_copy(update=dict(sections or {}))
        yield Platform(directory, asterisk, settings.model_copy(update={"pushes": _on_loopback(settings)}))


def _on_loopback(settings: Settings) -> PushSettings:
    """Receivers of the test bed are on this machine."""
    pushes = settings.pushes
    return pushes.model_copy(update={"allowed_networks": pushes.allowed_networks or LOOPBACK})
