"""`voicecall`: the command."""

import asyncio
import logging
import signal
import sys
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
import uvloop
from typer.core import TyperGroup

from controller import (
    audit_command,
    billing_command,
    call_command,
    content_command,
    database_command,
    declare_command,
    node_command,
    process,
    push_command,
    speech_command,
)
from controller.asterisk.configuration import write_private
from controller.asterisk.errors import FleetError
from controller.clock import SystemClock
from controller.command import ConfigOption, failure, read_settings
from controller.logs import say, set_up_logs
from controller.observability.room import TracingUnavailable
from controller.settings import Settings
from controller.settings.file import initial_settings, settings_table, settings_text
from controller.store.errors import DatabaseUnusable

if TYPE_CHECKING:
    from controller.wiring import Controller

app = typer.Typer(
    help="Self-hosted voice callback, notification and verification code on Asterisk.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


class _Managed(TyperGroup):
    """Commands that are made of the management API's operations, which other commands needn't wait for."""

    @cached_property
    def _made(self) -> TyperGroup:
        from controller.management_command import command_group

        assert self.name is not None
        return typer.main.get_group(command_group(self.name))

    def list_commands(self, ctx: Any) -> list[str]:
        return self._made.list_commands(ctx)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        return self._made.get_command(ctx, cmd_name)


for _name, _about in (
    ("account", "Accounts: the companies that have calls made."),
    ("user", "Users: who may log in, with which role."),
    ("enterprise", "Enterprises and their qualification."),
    ("app", "Applications: what customers' programs act for."),
    ("number", "Numbers that calls show."),
    ("trunk", "Trunks: SIP peers that take calls."),
    ("route", "Routes: over which trunks numbers go."),
    ("node", "Asterisk nodes: whether they get new calls."),
    ("template", "Voice templates of accounts."),
    ("contact", "Contacts: who is told what concerns an account."),
    ("notice", "What contacts were told, and whether it arrived."),
):
    app.add_typer(typer.Typer(cls=_Managed, help=_about, no_args_is_help=True), name=_name)
app.add_typer(push_command.pushes, name="pushes")
app.add_typer(push_command.cdrs, name="cdr")
app.add_typer(speech_command.app, name="speech")
app.add_typer(audit_command.app, name="audit")
app.add_typer(billing_command.app, name="billing")
app.command()(call_command.calls)
app.command()(call_command.call)
app.add_typer(database_command.app, name="database")
app.command("node-files")(node_command.node_files)
app.command("apply")(declare_command.apply_command)
app.command("export")(declare_command.export_command)
app.command("stop-calls")(billing_command.stop)
app.command("resume-calls")(billing_command.resume)
app.add_typer(content_command.sound, name="sound")
app.add_typer(content_command.review, name="review")


@app.command()
def serve(config: ConfigOption = None) -> None:
    """Run the controller in the foreground until SIGTERM or Ctrl-C; running calls may end first."""
    settings = read_settings(config)
    set_up_logs()
    try:
        uvloop.run(_serve(settings))
    except (OSError, FleetError, DatabaseUnusable, TracingUnavailable) as error:
        raise failure(f"can't serve: {error}") from None


async def _serve(settings: Settings) -> None:
    with process.loading():
        from controller.wiring import running_controller

    stop = stop_signal()
    async with running_controller(
        settings, asked=stop.asked, hurry=stop.insisted, hands_over=stop.hands_over
    ) as controller:
        reload_on_hangup(controller)
        say(f"voicecall listens on {controller.url}")
        await tell_first_administrator(controller)
        await until_stopped(controller, stop.asked)
        say_ending(settings)


def say_ending(settings: Settings) -> None:
    """Say what happens between the wish to end and the end."""
    say(
        f"Ending; running calls may go on for {settings.calls.drain_timeout:g} s (calls.drain_timeout). "
        "Ctrl-C again ends them at once."
    )


async def until_stopped(controller: "Controller", stop: asyncio.Event) -> None:
    """Wait until the process is asked to end. Raises FleetError when the node is given up for good."""
    process.raise_file_limit()
    process.settle_memory()
    announcing = asyncio.create_task(_announce_ready(controller))
    stopped = asyncio.create_task(stop.wait())
    lost = asyncio.create_task(controller.fleet.ended())
    await asyncio.wait({stopped, lost}, return_when=asyncio.FIRST_COMPLETED)
    for task in (announcing, stopped):
        task.cancel()
    if lost.done():
        lost.result()
    lost.cancel()


async def _announce_ready(controller: "Controller") -> None:
    """One line on standard output, for whoever started us: calls can be made now."""
    await controller.fleet.wait_ready()
    typer.echo(f"ready at {controller.url}")
    sys.stdout.flush()


@dataclass(frozen=True)
class StopSignal:
    """The process was asked to end; it was asked a second time, as that took too long."""

    asked: asyncio.Event = field(default_factory=asyncio.Event)
    insisted: asyncio.Event = field(default_factory=asyncio.Event)
    by: list[signal.Signals] = field(default_factory=list)
    """The signals, in their order."""

    def ask(self, number: signal.Signals) -> None:
        self.by.append(number)
        (self.insisted if self.asked.is_set() else self.asked).set()

    def hands_over(self) -> bool:
        """Whether another controller follows, as far as that can be told: a person ends things for good."""
        return self.by == [signal.SIGTERM]


def stop_signal() -> StopSignal:
    """Told of SIGTERM and Ctrl-C from now on."""
    stop = StopSignal()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.ask, number)
    return stop


async def tell_first_administrator(controller: "Controller") -> None:
    """If there is no user yet, make the administrator and tell the password: to a person, never to a log."""
    from controller.management.first_run import PasswordTooWeak, first_administrator, keep_password

    settings = controller.settings
    try:
        made = await first_administrator(controller.database, settings.management, SystemClock())
    except PasswordTooWeak as error:
        raise failure(f"can't serve: {error}") from None
    if made is None or made.password is None:
        return
    if sys.stderr.isatty():
        told = f"{made.password} (not shown again)"
    else:
        told = f"in {keep_password(settings.data_dir.absolute(), made.password)}; remove that file"
    say(f"Log in at {controller.url}/console as {made.login}, password {told}")


def reload_on_hangup(controller: "Controller") -> None:
    """On SIGHUP take the certificate that is in its file now; running calls don't notice."""

    def reload() -> None:
        try:
            controller.listener.reload()
        except OSError as error:
            say(f"the old certificate stays: {error}", logging.ERROR)

    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, reload)


@app.command()
def certificate(
    names: Annotated[list[str], typer.Argument(help="Host names and addresses of the API.")],
    config: ConfigOption = None,
) -> None:
    """Make a self-signed certificate and its key where [http] tls_certificate and tls_key say, for tests."""
    from controller.api.certificate import self_signed

    http = read_settings(config).http
    if not http.tls_certificate:
        raise failure("set [http] tls_certificate and tls_key to the files that shall be written")
    for file in (Path(http.tls_certificate), Path(http.tls_key)):
        if file.exists():
            raise failure(f"{file} is there already; it stays as it is")
    made = self_signed(names, SystemClock().now())
    write_private(Path(http.tls_key), made.key)
    write_private(Path(http.tls_certificate), made.certificate)
    typer.echo(f"{http.tls_certificate} and {http.tls_key} written, good for a year")


@app.command()
def up(
    config: ConfigOption = None,
    sip_port: Annotated[int, typer.Option(help="Port for SIP on loopback.")] = 5060,
) -> None:
    """Run the whole platform in the foreground: an Asterisk of its own and the controller."""
    with process.loading():
        from testbed.asterisk import LauncherError
        from testbed.platform import run_platform

    settings = read_settings(config)
    set_up_logs()
    try:
        uvloop.run(run_platform(settings, sip_port))
    except (LauncherError, FleetError, DatabaseUnusable, TracingUnavailable, OSError) as error:
        raise failure(str(error)) from None


@app.command()
def init(
    file: Annotated[Path, typer.Argument(help="The settings file to write.")] = Path("voicecall.toml"),
) -> None:
    """Write a settings file with every setting explained and passwords of its own."""
    if file.exists():
        raise failure(f"{file} is there already; it stays as it is")
    write_private(file, settings_text(initial_settings(Path("var").absolute(), _fetched_model())))
    typer.echo(f"{file} written")


def _fetched_model() -> Path | None:
    """The embedded voice's model as `make setup` fetches it in a checkout, if all of it is there."""
    from controller.prompts.speech.models import is_complete
    from testbed.asterisk import cache_dir

    folder = cache_dir() / "speech-models"
    return folder.absolute() if is_complete(folder) else None


@app.command()
def settings(
    reference: Annotated[bool, typer.Option(help="Print the reference page instead.")] = False,
    config: ConfigOption = None,
) -> None:
    """Print the settings in force; secrets are masked."""
    typer.echo(settings_table() if reference else read_settings(config).model_dump_json(indent=2))


@app.command()
def reference(
    what: Annotated[Literal["openapi", "management-openapi", "result-codes"], typer.Argument()],
) -> None:
    """Print a page of the documentation that is made from the code."""
    from controller.api.openapi.document import document
    from controller.api.openapi.routes import as_json
    from controller.api.wire.result_reference import result_page
    from controller.management.catalogue import OPERATIONS
    from controller.management.document import document as management_document

    match what:
        case "openapi":
            page = as_json(document())
        case "management-openapi":
            page = as_json(management_document(OPERATIONS))
        case "result-codes":
            page = result_page()
    typer.echo(page, nl=False)


@app.command()
def doctor(
    config: ConfigOption = None,
    time_from: Annotated[
        str, typer.Option(help="Address of a web server elsewhere, to compare this machine's clock with.")
    ] = "",
) -> None:
    """Look for the usual misconfigurations; exit status 1 if something is wrong."""
    from rich.console import Console
    from rich.table import Table

    from controller.doctor.examination import examine
    from controller.doctor.finding import Level

    findings = asyncio.run(examine(read_settings(config), time_from))
    table = Table(box=None, show_header=False, pad_edge=False)
    colours = {Level.OK: "green", Level.WARNING: "yellow", Level.FAULT: "red"}
    for finding in findings:
        text = finding.text if not finding.remedy else f"{finding.text}\n[dim]{finding.remedy}[/dim]"
        table.add_row(f"[{colours[finding.level]}]{finding.level}[/]", finding.name, text)
    Console().print(table)
    if any(finding.level is Level.FAULT for finding in findings):
        raise typer.Exit(1)


@app.command()
def phone(
    port: Annotated[int, typer.Option(help="UDP port on loopback.")] = 5070,
    press: Annotated[str, typer.Option(help="Keys to press while listening.")] = "",
    after: Annotated[float, typer.Option(help="Seconds from the answer to the first key.")] = 5.0,
    directory: Annotated[Path, typer.Option(help="Where what it hears is recorded.")] = Path("var/phone"),
    address: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    say: Annotated[
        Path | None, typer.Option(help="WAV file that it plays once it has answered.", exists=True)
    ] = None,
    say_after: Annotated[float, typer.Option(help="Seconds of silence before that.")] = 0.0,
    hang_up_after: Annotated[
        float, typer.Option(help="Seconds from the answer after which it hangs up; 0: never.")
    ] = 0.0,
    registrar: Annotated[
        str, typer.Option(help="Where it registers, host:port, instead of waiting for calls to its address.")
    ] = "",
    user: Annotated[str, typer.Option(help="Its user there: the number it is called by.")] = "",
    password: Annotated[
        str, typer.Option(envvar="VOICECALL_PHONE_PASSWORD", help="The user's password.", show_default=False)
    ] = "",
) -> None:
    """Be a softphone that answers every call, records what it hears and presses keys, until Ctrl-C."""
    from testbed.phone_command import PhoneError, PhoneHabits, Registration, run_phone

    if bool(registrar) != bool(user):
        raise failure("--registrar and --user go together")
    registration = Registration(registrar, user, password) if registrar else None
    habits = PhoneHabits(press, after, say, say_after, hang_up_after or None)
    try:
        asyncio.run(run_phone(address, port, habits, directory, registration))
    except PhoneError as error:
        raise failure(str(error)) from None


@app.command()
def listen(
    port: Annotated[int, typer.Option(help="Port to listen on.")] = 9000,
    address: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    file: Annotated[
        Path | None, typer.Option(help="Also append each push to this file, a JSON object a line.")
    ] = None,
) -> None:
    """Be a customer's push receiver that shows every push, until Ctrl-C."""
    from testbed.listen_command import run_receiver

    asyncio.run(run_receiver(address, port, file))


@app.command()
def demo(
    directory: Annotated[
        Path, typer.Option(help="Where the demo keeps its files; emptied first if a demo made it.")
    ] = Path("var/demo"),
) -> None:
    """Make a real call to a real softphone and show what happens; exit status 0 only if all was right."""
    with process.loading():
        from rich.console import Console

        from testbed.demo.run import run_demo

    sys.exit(uvloop.run(run_demo(Console(highlight=False), directory.absolute())))
