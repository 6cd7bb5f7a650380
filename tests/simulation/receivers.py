"""The customers' receivers of pushes, of every kind of temper."""

import asyncio
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from random import Random
from typing import Any

from controller.pushes.receiver import Delivery, Failure

TIMEOUT = 5.0
"""Seconds that a push may take."""


class Temper(StrEnum):
    """How receivers take pushes."""

    KIND = "kind"
    SLOW = "slow"
    HANGS = "hangs"
    REFUSES = "refuses"
    FAILS = "fails"
    FORGETS = "forgets"
    """Takes the push, and the answer is lost."""


@dataclass(frozen=True)
class Received:
    """A push as it arrived, for one session."""

    at: float
    session: str
    kind: str
    sequence: int | None
    accepted: bool
    body: dict[str, Any]


class Receivers:
    """All receivers: a `Sender` without a network."""

    def __init__(self, random: Random) -> None:
        self.temper = Temper.KIND
        self.received: list[Received] = []
        self._random = random

    async def send(self, url: str, body: bytes, headers: Mapping[str, str]) -> Delivery:
        del url
        temper = self.temper
        if temper is Temper.REFUSES:
            return Delivery(None, Failure.CONNECT, "refused")
        slow = 2.0 if temper is Temper.SLOW else 0.02
        await asyncio.sleep(self._random.uniform(0.0005, slow))
        self._note(json.loads(body), headers, temper)
        if temper is Temper.FAILS:
            return Delivery(500)
        if temper in (Temper.HANGS, Temper.FORGETS):
            await asyncio.sleep(TIMEOUT)
            return Delivery(None, Failure.TIMEOUT, "no answer")
        return Delivery(200)

    def _note(self, message: dict[str, Any], headers: Mapping[str, str], temper: Temper) -> None:
        sequence = headers.get("X-Call-Sequence")
        infos = message["feeLst"] if message["eventType"] == "fee" else [message["statusInfo"]]
        for info in infos:
            self.received.append(
                Received(
                    asyncio.get_running_loop().time(),
                    info["sessionId"],
                    message["eventType"],
                    None if sequence is None else int(sequence),
                    temper in (Temper.KIND, Temper.SLOW),
                    info,
                )
            )


CALL_ID = re.compile(r"120[0-2]_\d+_\d+_\d+")
"""What of a log line is no secret whatever its digits."""
