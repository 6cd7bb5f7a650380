"""The whole demo: set the stage, make the three calls at once, judge, take everything down."""

import asyncio
import shutil
from contextlib import AsyncExitStack
from pathlib import Path

from rich.console import Console

from controller.settings import CallSettings, Settings, SpeechSettings
from controller.speech import choose
from testbed.asterisk import LauncherError, host_name_resolves, obtain_asterisk
from testbed.controller_process import ControllerFailed, controller_process
from testbed.demo import callback as callback_part
from testbed.demo import notification as notification_part
from testbed.demo import verification as verification_part
from testbed.demo.report import Report
from testbed.demo.stage import CALL_LIMIT, NOTIFIED, VERIFIED, Refused, Stage, declaration, shown_pushes
from testbed.ear import Ear
from testbed.platform import SPEECH_MODEL, platform
from testbed.push_receiver import PushReceiver
from testbed.softphone import PhoneError, Softphone

_PLANS = {NOTIFIED: notification_part.PLAN, VERIFIED: verification_part.PLAN, **callback_part.PLANS}


_MARKER = ".voicecall-demo"
"""A file that shows that a folder was made by a demo."""


class FolderRefused(Exception):
    """The folder holds things that are not the demo's; nothing in it was touched."""


def fresh_folder(directory: Path) -> None:
    """Make the demo's folder anew. Raises FolderRefused, OSError.

    It may hold a checkout or somebody's home: only what an earlier demo made is removed.
    """
    if directory.exists() and not directory.is_dir():
        raise FolderRefused(f"{directory} is not a folder: choose another --directory")
    if directory.is_dir() and any(directory.iterdir()):
        if not (directory / _MARKER).is_file():
            raise FolderRefused(
                f"{directory} holds files that no demo made; it stays as it is: choose another --directory"
            )
        for entry in directory.iterdir():
            if entry.name == _MARKER:
                continue
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            else:
                entry.unlink()
    directory.mkdir(parents=True, exist_ok=True)
    (directory / _MARKER).touch()


async def run_demo(console: Console, directory: Path) -> int:
    """The whole demo; returns the exit status. Everything that it starts it stops."""
    report = Report(console)
    try:
        await _demo(report, directory)
    except FolderRefused as error:
        console.print(f"[red]{error}[/]")
        return 2
    except (LauncherError, ControllerFailed, PhoneError, Refused, TimeoutError, OSError) as error:
        report.summary()
        console.print(f"[red]The demo could not be completed:[/] {error or type(error).__name__}")
        return 1
    report.summary()
    return 0 if report.passed else 1


async def _demo(report: Report, directory: Path) -> None:
    await asyncio.to_thread(fresh_folder, directory)
    if not host_name_resolves():
        report.step("[yellow]This machine can't resolve its own host name; calls will be slow to start.[/]")
    program = await asyncio.to_thread(obtain_asterisk, report.step)
    async with AsyncExitStack() as stack:
        home = await stack.enter_async_context(
            platform(directory, program, {"calls": CallSettings(drain_timeout=2), "speech": _voice()})
        )
        phones = await _started(stack, directory)
        receiver = await stack.enter_async_context(PushReceiver.start())
        version = ".".join(map(str, program.version))
        report.step(f"Asterisk {version}, {len(phones)} softphones and a push receiver are up")
        goodbye = verification_part.write_goodbye(directory)
        await home.declare(declaration(phones, [goodbye]))
        controller = await stack.enter_async_context(
            controller_process(home.settings, directory / "controller")
        )
        report.step(f"Controller is ready at {controller.url} (embedded SQLite)")
        ear = asyncio.create_task(_ear(phones[NOTIFIED]))
        stage = Stage(report, home.settings, controller.url, receiver, phones, ear)
        try:
            async with shown_pushes(report, receiver):
                await _three_calls(stage, directory)
        except asyncio.CancelledError:
            report.step("Interrupted: calls, controller, phones and Asterisk are being ended ...")
            raise
        finally:
            ear.cancel()
    report.step("Everything that was started has been stopped")


def _voice() -> SpeechSettings:
    """This machine's engine, by its name: one that is named is loaded while the controller starts."""
    speech = SpeechSettings(model_dir=str(SPEECH_MODEL))
    engine = choose(Settings(speech=speech)).engine
    return speech if engine is None else speech.model_copy(update={"engine": engine, "niceness": 0})


async def _ear(spoken_to: Softphone) -> Ear:
    """The recogniser. It is loaded when the voice has spoken: the two would share the processors."""
    await spoken_to.wait_until(lambda: spoken_to.calls or None, CALL_LIMIT, "the spoken call")
    return await asyncio.to_thread(Ear.open)


async def _started(stack: AsyncExitStack, directory: Path) -> dict[str, Softphone]:
    """The phones, by number."""
    starting = [
        stack.enter_async_context(Softphone.start(plan=plan, directory=directory / f"phone-{number[1:]}"))
        for number, plan in _PLANS.items()
    ]
    return dict(zip(_PLANS, await asyncio.gather(*starting), strict=True))


async def _three_calls(stage: Stage, directory: Path) -> None:
    """One call of each service, at once. Raises the first thing that went wrong."""
    try:
        async with asyncio.TaskGroup() as calls:
            calls.create_task(notification_part.notification(stage.part("notification"), directory))
            calls.create_task(verification_part.verification(stage.part("verification"), directory))
            calls.create_task(callback_part.callback(stage.part("callback"), directory))
    except ExceptionGroup as group:
        raise group.exceptions[0] from None
