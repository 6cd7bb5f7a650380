"""A real SIP phone for demo, tests and benchmarks: one process per phone, driven by events.

    async with Softphone.start(plan=Answer(after=1.0, play=Tone(440)), directory=directory) as phone:
        ...  # somebody calls phone.uri("+8613900001111")
        call = await phone.next_call()
        await call.answered()
        await call.send_digits("1", after=0.5)
        await call.ended()
        heard = await call.recorded()

Everything that waits has a time limit and says on expiry what has happened so far.
"""

import asyncio
import dataclasses
import itertools
import os
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from testbed.phone_call import (
    CallEnd,
    CallOverError,
    HeardDigit,
    PhoneCall,
    PhoneError,
    PhoneEvent,
    PhoneTimeoutError,
)
from testbed.softphone_link import ProcessLink
from testbed.softphone_plan import Answer, Plan, Talk, to_wire

__all__ = [
    "CallEnd",
    "CallOverError",
    "HeardDigit",
    "PhoneCall",
    "PhoneError",
    "PhoneEvent",
    "PhoneTimeoutError",
    "Registration",
    "Softphone",
]


_COUNTER = itertools.count(1)
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Registration:
    """An account at a registrar: "host:port", user and password; `seconds` is the lifetime asked for."""

    registrar: str
    user: str
    password: str = field(repr=False)
    seconds: int = 300


class Softphone:
    """A phone that is running; `start` makes one."""

    def __init__(self, link: ProcessLink, name: str, address: str, directory: Path) -> None:
        self.name = name
        self.directory = directory
        self.port = 0
        self.calls: list[PhoneCall] = []
        self.events: list[PhoneEvent] = []
        """What happened outside of calls: ready, registration, error."""
        self._link = link
        self._address = address
        self._taken = 0
        self._commands = itertools.count(1)
        self._answers: dict[int, str | None] = {}
        self._gone = False
        self._news = asyncio.Condition()

    @property
    def contact(self) -> str:
        return f"sip:{self._address}:{self.port}"

    @property
    def pid(self) -> int:
        return self._link.pid

    def uri(self, number: str) -> str:
        """The phone's address with a number in front, as a caller dials it."""
        return f"sip:{number}@{self._address}:{self.port}"

    @classmethod
    @asynccontextmanager
    async def start(
        cls,
        plan: Plan | Sequence[Plan] = Answer(),  # noqa: B008 - frozen
        *,
        directory: Path,
        name: str | None = None,
        address: str = "127.0.0.1",
        port: int = 0,
        register: Registration | None = None,
        codecs: Sequence[str] = ("PCMA",),
        rtp_ports: tuple[int, int] = (33000, 60000),
        jitter_buffer: int = 60,
        real_time: bool = True,
        log_level: int = 4,
        python: str = sys.executable,
        start_limit: float = 15,
        stop_limit: float = 2,
    ) -> AsyncIterator["Softphone"]:
        """Start a phone and end it with the block; logs and recordings go to `directory`.

        A phone takes four calls at a time (the library's limit) and answers 486 to more, whatever the plan.
        Several plans are for the first call, the second one, and so on; the last is for all that follow.
        With `register` the block begins when the registrar has accepted the phone. `jitter_buffer` is in ms:
        the phone hears so much later, and nothing is lost of frames that are late by less. With `real_time`
        it goes before other processes where the system allows that, so that a busy machine breaks no sound.
        """
        name = name or f"phone{os.getpid()}-{next(_COUNTER)}"
        settings = {
            "name": name,
            "directory": str(directory.resolve()),
            "address": address,
            "port": port,
            "plans": _plans(plan),
            "registration": None if register is None else dataclasses.asdict(register),
            "codecs": list(codecs),
            "rtp_ports": rtp_ports,
            "jitter_buffer": jitter_buffer,
            "real_time": real_time,
            "log_level": log_level,
            "stop_limit": stop_limit,
        }
        directory.mkdir(parents=True, exist_ok=True)
        command = [python, "-m", "testbed.softphone_process"]
        link = await ProcessLink.start(command, directory / f"{name}.stderr")
        phone = cls(link, name, address, directory.resolve())
        reading = asyncio.get_running_loop().create_task(phone._read())
        try:
            await link.send(settings)
            await phone._until_ready(register is not None, start_limit)
            yield phone
        finally:
            await phone._stop(reading, stop_limit)

    async def set_plan(self, plan: Plan | Sequence[Plan]) -> None:
        """Change what happens to the calls that arrive from now on."""
        await self.command("plan", plans=_plans(plan))

    async def next_call(self, timeout: float = 10) -> PhoneCall:
        """The next incoming call that this method hasn't returned yet, as soon as it arrives."""

        def arrived() -> PhoneCall | None:
            incoming = [call for call in self.calls if call.event("incoming")]
            return incoming[self._taken] if len(incoming) > self._taken else None

        call = await self.wait_until(arrived, timeout, f"a call to {self.name}")
        self._taken += 1
        return call

    async def dial(self, uri: str, *, caller: str | None = None, talk: Talk = Talk()) -> PhoneCall:  # noqa: B008
        """Call `uri`; `caller` is a number for the From header. Returns when the INVITE is on its way."""
        before = len(self.calls)
        sender = None if caller is None else self.uri(caller)
        await self.command("dial", uri=uri, caller=sender, talk=to_wire(talk))
        return next(call for call in self.calls[before:] if call.event("dialled"))

    # The wire to the process

    async def command(self, do: str, **details: object) -> None:
        """Tell the process something and wait until it's done."""
        number = next(self._commands)
        await self._link.send({"id": number, "do": do, **details})
        async with self._news:
            while number not in self._answers:
                self._refuse_if_gone()
                await self._news.wait()
        error = self._answers.pop(number)
        if error is not None:
            raise PhoneError(f"{self.name} could not {do}: {error}")

    async def wait_until(self, happened: Callable[[], _T | None], timeout: float, what: str) -> _T:
        """Wait until `happened` returns something, asking it after each event of the phone."""
        try:
            async with asyncio.timeout(timeout), self._news:
                while True:
                    result = happened()
                    if result is not None:
                        return result
                    self._refuse_if_gone()
                    await self._news.wait()
        except TimeoutError:
            raise PhoneTimeoutError(f"no sign within {timeout} s of {what}") from None

    def _refuse_if_gone(self) -> None:
        fault = self._event("error")
        if fault is not None:
            raise PhoneError(f"the process of {self.name} failed: {fault.details['text']}")
        if self._gone:
            raise PhoneError(f"the process of {self.name} has ended: {self._link.last_words()}")

    async def _read(self) -> None:
        async for message in self._link.messages():
            async with self._news:
                self._take(message)
                self._news.notify_all()
        async with self._news:
            self._gone = True
            self._news.notify_all()

    def _take(self, message: dict[str, Any]) -> None:
        kind, at, number = message.pop("event"), message.pop("at"), message.pop("call", None)
        event = PhoneEvent(kind, at, message)
        if kind in ("done", "failed"):
            self._answers[message["id"]] = message.get("error")
        elif number is None:
            self.events.append(event)
        else:
            self._call(number).take(event)

    def _call(self, number: int) -> PhoneCall:
        for call in self.calls:
            if call.number == number:
                return call
        self.calls.append(PhoneCall(self, number, self.directory / f"{self.name}-call{number}.wav"))
        return self.calls[-1]

    async def _until_ready(self, registering: bool, time_limit: float) -> None:
        ready = await self.wait_until(lambda: self._event("ready"), time_limit, f"readiness of {self.name}")
        self.port = ready.details["port"]
        if registering:
            registered = await self.wait_until(
                lambda: self._event("registration"), time_limit, f"the registration of {self.name}"
            )
            if registered.details["status"] != 200:
                raise PhoneError(f"{self.name} was not registered: {registered.details}")

    def _event(self, kind: str) -> PhoneEvent | None:
        return next((event for event in self.events if event.kind == kind), None)

    async def _stop(self, reading: asyncio.Task[None], time_limit: float) -> None:
        # The process has the first word on how long it takes; the rest is for the library to go.
        await self._link.close(time_limit + 1)
        await reading


def _plans(plan: Plan | Sequence[Plan]) -> Any:
    plans = list(plan) if isinstance(plan, Sequence) else [plan]
    if not plans:
        raise ValueError("a phone needs a plan for the calls that come")
    return to_wire(plans)
