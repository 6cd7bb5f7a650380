"""The stage on which the three calls are made: the platform, its customer, phones and an ear."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from controller.settings import Settings
from controller.share import shared
from testbed.client import ApiClient, encoded_url
from testbed.demo.report import Report
from testbed.ear import Ear
from testbed.listening import find, load_wav, share_heard
from testbed.push_receiver import Push, PushReceiver, StatusPush
from testbed.softphone import PhoneCall, Softphone

SHOWN, SHOWN_TO_CALLEE = "+8657126880001", "+8657126880002"
NOTIFIED, VERIFIED, CALLER, CALLEE = "+8613900001111", "+8613900002222", "+8613900003333", "+8613900004444"
SECRET = "demo-app-secret"
_SHIPPED = ("code_intro", "transferring")
"""Shipped prompts that the demo's account has as sound files of its own."""

TEMPLATE_ID, TEMPLATE = "parcel", "您的快递${NUM_6}已到${TXT_10}，确认请按一。"
_HEARD_AT_LEAST = 0.8
"""Of the pieces of a prompt."""

CALL_LIMIT = 60.0
"""Seconds."""


class Refused(Exception):
    """The platform did not take a request; that is among the checks."""


@dataclass
class Stage:
    """What a call of the demo is made with."""

    report: Report
    settings: Settings
    url: str
    receiver: PushReceiver
    phones: Mapping[str, Softphone]
    ear: "asyncio.Task[Ear]"

    def part(self, service: str) -> "Part":
        """The stage as one service uses it."""
        return Part(self, service)


@dataclass
class Part:
    """One service's call: what it asks for, what is shown of it, what is checked."""

    stage: Stage
    service: str
    session_id: str = ""

    @property
    def app_key(self) -> str:
        return f"demo-{self.service}"

    def step(self, text: str) -> None:
        self.stage.report.step(text, self.service)

    def check(self, name: str, passed: bool, shown: str) -> None:
        self.stage.report.check(self.service, name, passed, shown)

    @asynccontextmanager
    async def client(self) -> AsyncIterator[ApiClient]:
        """A program of the customer."""
        async with ApiClient.open(self.stage.url, self.app_key, SECRET) as client:
            yield client

    async def ask(self, path: str, fields: Mapping[str, Any]) -> None:
        """Ask for the call over the public API. Raises Refused."""
        receiver = self.stage.receiver
        body = {
            **fields,
            "statusUrl": encoded_url(receiver.url(f"/{self.service}/status")),
            "feeUrl": encoded_url(receiver.url(f"/{self.service}/fee")),
            "userData": "demo",
        }
        self.step(f"[bold]POST {path}[/] (X-AKSK)")
        async with self.client() as client:
            answer = await client.post(path, body)
        self.step(f"[bold]HTTP {answer.status}[/] {answer.text}")
        self.check("request accepted", answer.code == "0", f"resultcode {answer.code}")
        if answer.code != "0":
            raise Refused
        self.session_id = answer.session_id

    async def rings(self, number: str, name: str = "phone") -> PhoneCall:
        """Wait until a phone is called."""
        call = await self.stage.phones[number].next_call(timeout=CALL_LIMIT)
        self.step(f"[green]{name}[/] rings, sees {call.caller}")
        return call

    async def answers(self, call: PhoneCall, name: str = "phone") -> None:
        """Wait until a phone has answered."""
        await call.answered(timeout=CALL_LIMIT)
        self.step(f"[green]{name}[/] answered")

    async def ends(self, call: PhoneCall, name: str = "phone") -> Path:
        """Wait until a phone's call is over; returns what it heard."""
        end = await call.ended(timeout=CALL_LIMIT)
        self.step(f"[green]{name}[/] {'hung up' if end.by_phone else 'was hung up by the platform'}")
        heard = await call.recorded()
        self.stage.report.listen(f"{self.service}: what the {name} heard", heard)
        return heard

    async def pushed(self) -> tuple[list[StatusPush], dict[str, Any]]:
        """Wait for the last pushes: all status pushes and the CDR."""
        record = await self.stage.receiver.wait_cdr(self.session_id, timeout=15)
        await self.stage.receiver.wait_status(self.session_id, "disconnect", timeout=15)
        records = self.stage.receiver.cdrs(self.session_id)
        self.check("one CDR", len(records) == 1, _record_line(record))
        return self.stage.receiver.statuses(self.session_id), record

    def check_order(self, statuses: list[StatusPush], expected: str) -> None:
        """The status pushes came in this order."""
        kinds = " ".join(status.event_type for status in statuses)
        self.check("status pushes, in order", kinds == expected, kinds)

    def check_heard(self, name: str, source: Path, heard: Path) -> None:
        """A phone heard a sound: cross-correlation with its source."""
        prompt, recording = load_wav(source), load_wav(heard)
        match, share = find(prompt, recording), share_heard(prompt, recording)
        found = f"correlation {match.correlation:.3f} with the source, {match.offset:.2f} s in"
        # By pieces: a frame that a busy machine loses makes it no other prompt.
        self.check(name, share >= _HEARD_AT_LEAST, f"{found}; {share:.0%} of it")


def _record_line(record: Mapping[str, Any]) -> str:
    names = (
        "callOutAnswerTime",
        "fwdAnswerTime",
        "callEndTime",
        "ulFailReason",
        "dynIVRPath",
        "ttsPlayTimes",
        "recordObjectName",
    )
    return ", ".join(f"{name} {record[name]}" for name in names if record.get(name) not in (None, ""))


def sound(name: str, language: str = "zh") -> Path:
    """A shipped prompt."""
    return shared("sounds") / language / f"{name}.wav"


def declaration(phones: Mapping[str, Softphone], own_sounds: Iterable[Path]) -> str:
    """The demo's account, its three apps, sounds, template, and a way to each phone."""
    apps = "\n".join(
        f'[[accounts.apps]]\nkey = "demo-{service}"\nsecret = "{SECRET}"\n'
        f'service = "{service}"\nrecording = true'
        for service in ("notification", "verification", "callback")
    )
    files = [*(sound(name) for name in _SHIPPED), *own_sounds]
    sounds = "\n".join(f'[[accounts.sounds]]\nname = "{file.name}"\nfile = "{file}"' for file in files)
    routes = "\n".join(
        f'[[routes]]\nprefix = "{number}"\ncontact = "sip:{{number}}@{phone.contact.removeprefix("sip:")}"'
        for number, phone in phones.items()
    )
    return f"""
[[accounts]]
id = "demo"
numbers = ["{SHOWN}", "{SHOWN_TO_CALLEE}"]

{apps}
{sounds}

[[accounts.templates]]
id = "{TEMPLATE_ID}"
text = "{TEMPLATE}"

{routes}
"""


@asynccontextmanager
async def shown_pushes(report: Report, receiver: PushReceiver) -> AsyncIterator[None]:
    """Print every push as it arrives."""

    async def show() -> None:
        count = 0
        while True:
            await receiver.wait_count(count + 1, timeout=600)
            for push in receiver.pushes[count:]:
                report.step(_push_line(push), push.path.split("/")[1])
            count = len(receiver.pushes)

    async with _alongside(show):
        yield


def _push_line(push: Push) -> str:
    message: dict[str, Any] = push.json
    if message["eventType"] == "fee":
        return f"[blue]CDR push[/] {len(message['feeLst'])} record"
    info = message["statusInfo"]
    extra = info.get("digitInfo") or info.get("stateDesc") or info.get("called", "")
    return f"[blue]status push[/] {message['eventType']} {extra}"


@asynccontextmanager
async def _alongside(show: Callable[[], Awaitable[None]]) -> AsyncIterator[None]:
    task = asyncio.ensure_future(show())
    try:
        yield
    finally:
        # What happened last is shown before the block is left.
        await asyncio.wait({task}, timeout=0.2)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
