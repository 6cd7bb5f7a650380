"""`voicecall phone`: a softphone for people who have none at hand."""

import asyncio
import os
from dataclasses import dataclass
from pathlib import Path

import typer

from controller.cli import stop_signal
from testbed.softphone import PhoneCall, PhoneError, Registration, Softphone
from testbed.softphone_plan import Answer, Digits, Play
from testbed.sounds import as_pcm

__all__ = ["PhoneError", "PhoneHabits", "Registration", "run_phone"]

_LONGEST_CALL = 24 * 3600.0
"""Seconds."""


@dataclass(frozen=True)
class PhoneHabits:
    """What the phone does once it has answered; times in seconds."""

    press: str = ""
    press_after: float = 5.0
    say: Path | None = None
    """A WAV file."""
    say_after: float = 0.0
    hang_up_after: float | None = None

    def plan(self, directory: Path) -> Answer:
        """The plan of every call; what is said is made fit for the phone in `directory`."""
        play = None
        if self.say is not None:
            play = Play(str(as_pcm(self.say, directory / "says", silence=self.say_after)))
        digits = (Digits(self.press, after=self.press_after),) if self.press else ()
        return Answer(after=1.0, digits=digits, play=play, hang_up_after=self.hang_up_after)


async def run_phone(
    address: str, port: int, habits: PhoneHabits, directory: Path, registration: Registration | None = None
) -> None:
    """Answer calls until SIGTERM or Ctrl-C, saying what happens.

    Raises PhoneError if it can't be registered.
    """
    stop, directory = stop_signal(), directory.absolute()
    directory.mkdir(parents=True, exist_ok=True)
    plan = habits.plan(directory)
    async with Softphone.start(
        plan=plan, directory=directory, address=address, port=port, register=registration
    ) as phone:
        known = f", registered as {registration.user} at {registration.registrar}" if registration else ""
        typer.echo(f"The phone is at {phone.contact}{known}. Ctrl-C ends it.")
        answering = asyncio.create_task(_answer(phone))
        await stop.asked.wait()
        answering.cancel()


async def _answer(phone: Softphone) -> None:
    calls: set[asyncio.Task[None]] = set()
    while True:
        call = await phone.next_call(timeout=_LONGEST_CALL)
        task = asyncio.create_task(_follow(call))
        calls.add(task)
        task.add_done_callback(calls.discard)


async def _follow(call: PhoneCall) -> None:
    typer.echo(f"rings: {call.caller} calls {call.called}")
    await call.answered(timeout=60)
    typer.echo("answered")
    end = await call.ended(timeout=_LONGEST_CALL)
    recording = os.path.relpath(await call.recorded())
    typer.echo(f"{'hung up' if end.by_phone else 'the platform hung up'}; what was heard is in {recording}")
