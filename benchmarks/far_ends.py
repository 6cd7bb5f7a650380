"""The phones of the calls: one SIPp for each leg, the same for the product and for bare Asterisk."""

import re
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.services import FarEnd, Service
from controller.prompts import wav
from testbed.sip_message import SipMessage
from testbed.sipp import SCENARIOS, Sipp, TracedMessage
from testbed.sounds import distinct_prompt

_TIMEWAIT = re.compile("<timewait .*/>")
_STATISTICS_EVERY = 0.2


@dataclass(frozen=True)
class FarEnds:
    """Phones for every call; leg 0 is called first."""

    sipps: Sequence[Sipp]
    prefixes: Sequence[str]

    @property
    def pids(self) -> list[int]:
        return [sipp.pid for sipp in self.sipps]

    def numbers(self, call: int) -> list[str]:
        """The numbers of a call's legs."""
        return [f"{prefix}{call:07}" for prefix in self.prefixes]

    def uris(self, call: int) -> list[str]:
        return [sipp.uri(number) for sipp, number in zip(self.sipps, self.numbers(call), strict=True)]

    def called(self) -> int:
        """Calls that have come so far."""
        return min(sipp.statistics().created for sipp in self.sipps)

    def over(self) -> int:
        """Calls that have ended well so far."""
        return min(sipp.statistics().successful for sipp in self.sipps)

    def failed(self) -> int:
        return sum(sipp.statistics().failed for sipp in self.sipps)

    def messages(self, since: float) -> list[tuple[TracedMessage, SipMessage]]:
        """What was said from a moment on (wall clock), and its parts; only of far ends that are `traced`."""
        return [
            (traced, SipMessage(traced.text))
            for sipp in self.sipps
            for traced in sipp.messages()
            if traced.at >= since
        ]

    def invited_at(self, since: float) -> dict[str, float]:
        """Called number -> wall-clock time of its INVITE."""
        # An INVITE that is repeated doesn't come later.
        return {
            message.request_user: traced.at
            for traced, message in reversed(self.messages(since))
            if traced.received and message.opens_dialog
        }


@asynccontextmanager
async def far_ends(
    service: Service, directory: Path, command: Sequence[str], *, prefix: str, traced: bool = False
) -> AsyncIterator[FarEnds]:
    """Far ends below `directory`, whose numbers begin with `prefix`; those that are `traced` write down every
    message, which costs time."""
    async with AsyncExitStack() as stack:
        sipps = []
        for index, far_end in enumerate(service.far_ends):
            own = directory / f"leg{index}"
            own.mkdir(parents=True)
            (own / "sound.alaw").write_bytes(wav.read(distinct_prompt(2, 1.0)))
            sipp = Sipp.start(
                _scenario(far_end, own),
                directory=own,
                command=command,
                talking=far_end.talks,
                echo=far_end.echoes,
                statistics_every=_STATISTICS_EVERY,
                trace_messages=traced,
            )
            sipps.append(await stack.enter_async_context(sipp))
        yield FarEnds(sipps, [f"{prefix}{index}" for index in range(len(sipps))])


def _scenario(far_end: FarEnd, directory: Path) -> Path:
    """A scenario whose calls count as over when they are, not when repeated messages can no longer come."""
    path = directory / f"{far_end.scenario}.xml"
    text = _TIMEWAIT.sub("", (SCENARIOS / path.name).read_text("utf-8"))
    if far_end.media_port is not None:
        text = text.replace("[media_port]", str(far_end.media_port))
    path.write_text(text, "utf-8")
    return path
