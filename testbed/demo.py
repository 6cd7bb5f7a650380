"""`make demo`: a real call from the public HTTP API to a real softphone, shown as it happens, then judged."""

import asyncio
import os
import shutil
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from controller.prompts import wav
from controller.share import shared
from testbed.asterisk import LauncherError, host_name_resolves, obtain_asterisk
from testbed.client import ApiClient, encoded_url
from testbed.controller_process import ControllerFailed, ControllerProcess, controller_process
from testbed.listening import find, load_wav
from testbed.platform import Platform, platform
from testbed.push_receiver import Push, PushReceiver
from testbed.softphone import PhoneCall, PhoneError, Softphone
from testbed.softphone_plan import Answer, Digits

_APP_KEY, _SECRET = "demo-app", "demo-app-secret"
_SHOWN, _CALLED = "+8657126880001", "+8613900001111"
_PROMPT = "welcome.wav"
_AFTER_PROMPT = 0.6
"""Seconds after the prompt's end at which the phone presses its key."""

_HEARD_AT_LEAST = 0.9


@dataclass
class Report:
    """What the demo shows: lines as things happen, checks at the end."""

    console: Console
    started: float = field(default_factory=time.monotonic)
    checks: list[tuple[str, bool, str]] = field(default_factory=list)

    def step(self, text: str) -> None:
        self.console.print(f"[dim]{time.monotonic() - self.started:6.2f} s[/]  {text}")

    def check(self, name: str, passed: bool, shown: str) -> None:
        self.checks.append((name, passed, shown))

    @property
    def passed(self) -> bool:
        return bool(self.checks) and all(passed for _name, passed, _shown in self.checks)


async def run_demo(console: Console, directory: Path) -> int:
    """The whole demo; returns the exit status. Everything that it starts it stops."""
    report = Report(console)
    try:
        await _demo(report, directory)
    except (LauncherError, ControllerFailed, PhoneError, TimeoutError) as error:
        console.print(f"[red]The demo could not be completed:[/] {error}")
        return 1
    _summary(report)
    return 0 if report.passed else 1


async def _demo(report: Report, directory: Path) -> None:
    if not host_name_resolves():
        report.step("[yellow]This machine can't resolve its own host name; calls will be slow to start.[/]")
    program = await asyncio.to_thread(obtain_asterisk, report.step)
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    source = shared("sounds") / "zh" / _PROMPT
    seconds = len(wav.read(source.read_bytes())) / wav.BYTES_PER_SECOND
    plan = Answer(after=1.0, digits=(Digits("1", after=seconds + _AFTER_PROMPT),))
    async with (
        platform(directory, program) as home,
        Softphone.start(plan=plan, directory=directory / "phone") as phone,
        PushReceiver.start() as receiver,
    ):
        version = ".".join(map(str, program.version))
        report.step(f"Asterisk {version}, a softphone at {phone.contact} and a push receiver are up")
        await home.declare(_declaration(phone, source))
        async with controller_process(home.settings, directory / "controller") as controller:
            report.step(f"Controller is ready at {controller.url} (embedded SQLite)")
            await _call(report, home, controller, phone, receiver, source)
    report.step("Everything that was started has been stopped")


def _declaration(phone: Softphone, source: Path) -> str:
    return f"""
[[accounts]]
id = "demo"
numbers = ["{_SHOWN}"]

[[accounts.apps]]
key = "{_APP_KEY}"
secret = "{_SECRET}"
service = "notification"

[[accounts.sounds]]
name = "{_PROMPT}"
file = "{source}"

[[routes]]
prefix = "+86"
contact = "sip:{{number}}@{phone.contact.removeprefix("sip:")}"
"""


async def _call(
    report: Report,
    home: Platform,
    controller: ControllerProcess,
    phone: Softphone,
    receiver: PushReceiver,
    source: Path,
) -> None:
    request = {
        "displayNbr": _SHOWN,
        "calleeNbr": _CALLED,
        "playInfoList": [{"notifyVoice": _PROMPT, "collectInd": 1}],
        "statusUrl": encoded_url(receiver.url("/status")),
        "feeUrl": encoded_url(receiver.url("/fee")),
        "userData": "demo",
    }
    async with (
        ApiClient.open(controller.url, _APP_KEY, _SECRET) as client,
        _shown_pushes(report, receiver),
    ):
        report.step(f"[bold]POST /rest/httpsessions/callnotify/v2.0[/] (X-AKSK) {_SHOWN} calls {_CALLED}")
        answer = await client.notify(request)
        report.step(f"[bold]HTTP {answer.status}[/] {answer.text}")
        report.check("request accepted", answer.code == "0", f"resultcode {answer.code}")
        if answer.code != "0":
            return
        call = await phone.next_call()
        async with _shown_phone(report, phone, call):
            await call.ended(timeout=60)
        heard = await call.recorded()
        await receiver.wait_cdr(answer.session_id, timeout=15)
    _judge(report, answer.session_id, call, heard, receiver, source)


@asynccontextmanager
async def _shown_pushes(report: Report, receiver: PushReceiver) -> AsyncIterator[None]:
    """Print every push as it arrives."""

    async def show() -> None:
        count = 0
        while True:
            await receiver.wait_count(count + 1, timeout=600)
            for push in receiver.pushes[count:]:
                report.step(_push_line(push))
            count = len(receiver.pushes)

    async with _alongside(show):
        yield


def _push_line(push: Push) -> str:
    message: dict[str, Any] = push.json
    if message["eventType"] == "fee":
        return f"[magenta]CDR push[/]     {len(message['feeLst'])} record"
    info = message["statusInfo"]
    extra = info.get("digitInfo") or info.get("stateDesc") or ""
    return f"[blue]status push[/]  {message['eventType']} {extra}"


@asynccontextmanager
async def _shown_phone(report: Report, phone: Softphone, call: PhoneCall) -> AsyncIterator[None]:
    """Print what happens at the phone."""

    async def show() -> None:
        report.step(f"[green]phone[/]        rings, sees {call.caller}")
        await call.answered(timeout=60)
        report.step("[green]phone[/]        answered, listens to the prompt")
        await phone.wait_until(lambda: call.event("digits_sent"), 60, "the pressed key")
        report.step("[green]phone[/]        pressed 1")
        await call.ended(timeout=60)
        report.step("[green]phone[/]        the platform hung up")

    async with _alongside(show):
        yield


@asynccontextmanager
async def _alongside(show: Callable[[], Any]) -> AsyncIterator[None]:
    task = asyncio.create_task(show())
    try:
        yield
    finally:
        # What happened last is shown before the block is left.
        await asyncio.wait({task}, timeout=0.2)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def _judge(
    report: Report,
    session_id: str,
    call: PhoneCall,
    heard: Path,
    receiver: PushReceiver,
    source: Path,
) -> None:
    match = find(load_wav(source), load_wav(heard))
    shown = os.path.relpath(heard)
    report.check(
        "the phone heard the prompt",
        match.correlation >= _HEARD_AT_LEAST,
        f"correlation {match.correlation:.3f} with the source, {match.offset:.2f} s in: {shown}",
    )
    report.check("the phone saw the display number", call.caller == _SHOWN, call.caller)
    statuses = receiver.statuses(session_id)
    kinds = [status.event_type for status in statuses]
    report.check(
        "status pushes, in order",
        kinds == ["callout", "alerting", "answer", "collectInfo", "disconnect"],
        " ".join(kinds),
    )
    digits = [status.info["digitInfo"] for status in statuses if status.event_type == "collectInfo"]
    report.check("the digit came back", digits == ["1"], f"digitInfo {digits}")
    records = receiver.cdrs(session_id)
    record = records[0] if records else {}
    report.check(
        "one CDR",
        len(records) == 1 and record.get("ulFailReason") == 0 and record.get("dynIVRPath") == "1",
        f"answered {record.get('callOutAnswerTime')}, ended {record.get('callEndTime')}, "
        f"ulFailReason {record.get('ulFailReason')}, dynIVRPath {record.get('dynIVRPath')}",
    )


def _summary(report: Report) -> None:
    table = Table(title="Summary", title_justify="left", box=None, pad_edge=False, show_header=False)
    for name, passed, shown in report.checks:
        table.add_row("[green]ok[/]" if passed else "[red]failed[/]", name, shown)
    report.console.print()
    report.console.print(table)
    verdict = (
        "[green]All as it should be.[/]" if report.passed else "[red]Something is not as it should be.[/]"
    )
    report.console.print(verdict)
