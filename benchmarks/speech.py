"""Speech: how soon a template is heard, and what synthesis costs other calls. Prints one JSON line.

(a) A template whose prompt is there already: from the callee's 200 OK to the first RTP packet that can be
heard; and a sound file that begins at once, which shows the platform's own share. (b) Notifications with a
sound file: from the request to the INVITE, by turns without synthesis and with a synthesiser that never
rests, as other calls keep asking for values that nobody has asked for yet.
"""

import asyncio
import json
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import uvloop

from benchmarks.listener import Listener
from benchmarks.load import milliseconds, run, until
from benchmarks.product import Product, Use, product
from benchmarks.services import NOTIFICATION, SHOWN, FarEnd, Service
from testbed.asterisk import AsteriskProgram, obtain_asterisk

_TEMPLATES = """
[[accounts.templates]]
id = "greeting"
text = "您好，${TXT_18}。"

[[accounts.templates]]
id = "parcel"
text = "您好，您的快递已到达东门，取件码是${NUM_8}，请尽快领取。"
"""

_HEARD_RATE, _HEARD_SECONDS = 10.0, 6.0
_FIRST_PROMPT_LIMIT = 120.0
_RATE, _BLOCK_SECONDS, _PAIRS = 30.0, 8.0, 4
_WAITING = 2
"""Prompts that are being made or wait for it, at any moment of a block with synthesis."""

_MOST_PROMPTS = 1000
_LOOK_EVERY = 0.1
_LAST_PROMPTS_LIMIT = 60.0


def _spoken(template: str, value: Callable[[str], str], media_port: int | None = None) -> Service:
    """A notification that speaks; the value in its template follows from the called number."""
    return replace(
        NOTIFICATION,
        request=lambda callee: {
            "displayNbr": SHOWN,
            "calleeNbr": callee,
            "playInfoList": [{"templateId": template, "templateParas": [value(callee)]}],
        },
        far_ends=(FarEnd("answer", media_port=media_port),),
    )


async def measure(directory: Path, program: AsteriskProgram) -> dict[str, object]:
    """All figures of one run."""
    async with Listener.start() as listener:
        heard_file = replace(NOTIFICATION, far_ends=(FarEnd("answer", media_port=listener.port),))
        uses = [
            Use(_spoken("greeting", lambda _callee: "快递到了", listener.port), traced=True),
            Use(heard_file, traced=True),
            Use(NOTIFICATION, traced=True),
            Use(_spoken("parcel", lambda callee: callee[-8:])),
        ]
        async with product(directory, program, uses, _TEMPLATES) as (greeting, file, others, parcel):
            return {
                "bench": "speech",
                **await _first_sound("first_sound", greeting, listener),
                **await _first_sound("first_sound_file", file, listener),
                **await _other_calls(others, parcel),
            }


async def _first_sound(name: str, side: Product, listener: Listener) -> dict[str, object]:
    """(a)"""
    await side.warm_up(_FIRST_PROMPT_LIMIT)
    began = time.time()
    trial = await run(side, _HEARD_RATE, _HEARD_SECONDS)
    _show(f"{name:18}{trial}")
    delays = listener.answer_to_sound(side.phones, since=began)
    return {
        **milliseconds(name, delays),
        f"{name}_calls": trial.calls,
        f"{name}_unheard": trial.calls - len(delays),
    }


async def _other_calls(others: Product, parcel: Product) -> dict[str, object]:
    """(b)"""
    without: list[float] = []
    during: list[float] = []
    faults: dict[str, float] = {}

    async def block(name: str, delays: list[float]) -> None:
        trial = await run(others, _RATE, _BLOCK_SECONDS)
        delays += others.invite_delays()
        for fault, much in trial.faults.items():
            faults[fault] = faults.get(fault, 0) + much
        _show(f"{name:18}{trial}")

    talker = _Talker(parcel)
    for _ in range(_PAIRS):
        await block("without", without)
        async with talker.talking():
            await block("synthesis", during)
    before, after = milliseconds("invite", without), milliseconds("invite", during)
    return {
        "invite_ms_p50": before["invite_ms_p50"],
        "invite_ms_p99": before["invite_ms_p99"],
        **{f"{name}_synthesis": value for name, value in after.items()},
        "ratio": round(after["invite_ms_p99"] / before["invite_ms_p99"], 2),
        "calls": len(without),
        "calls_synthesis": len(during),
        "faults": faults,
        "prompts_asked": talker.asked,
        "prompts_made": talker.made,
    }


class _Talker:
    """Asks for calls whose prompt is new, so that the synthesiser always has something to do."""

    def __init__(self, parcel: Product) -> None:
        self._parcel = parcel
        self.asked = 0
        parcel.prepare(_MOST_PROMPTS)

    @property
    def made(self) -> int:
        """Prompts made so far: a phone is called when its prompt is there."""
        return self._parcel.phones.called()

    @asynccontextmanager
    async def talking(self) -> AsyncIterator[None]:
        """Synthesis all through the block, and none after it."""
        asking = asyncio.create_task(self._keep_asking())
        try:
            yield
        finally:
            asking.cancel()
        await until(lambda: self.made >= self.asked, _LAST_PROMPTS_LIMIT)

    async def _keep_asking(self) -> None:
        while True:
            while self.asked - self.made < _WAITING:
                self._parcel.ask(self.asked)
                self.asked += 1
            await asyncio.sleep(_LOOK_EVERY)


def _show(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def main() -> None:
    program = obtain_asterisk(_show)
    with tempfile.TemporaryDirectory(prefix="vc-bench-speech-") as directory:
        print(json.dumps(uvloop.run(measure(Path(directory) / "product", program))))


if __name__ == "__main__":
    main()
