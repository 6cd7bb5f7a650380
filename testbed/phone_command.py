"""`voicecall phone`: a softphone for people who have none at hand."""

import asyncio
import os
from pathlib import Path

import typer

from controller.cli import stop_signal
from testbed.softphone import PhoneCall, Softphone
from testbed.softphone_plan import Answer, Digits

_LONGEST_CALL = 24 * 3600.0
"""Seconds."""


async def run_phone(port: int, press: str, after: float, directory: Path) -> None:
    """Answer calls until SIGTERM or Ctrl-C, saying what happens."""
    stop = stop_signal()
    plan = Answer(after=1.0, digits=(Digits(press, after=after),) if press else ())
    async with Softphone.start(plan=plan, directory=directory.absolute(), port=port) as phone:
        typer.echo(f"The phone is at {phone.contact}. Ctrl-C ends it.")
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
