"""One call of a softphone as its parent sees it: what happened so far, waiting for more, and what to do."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from testbed.softphone_plan import Digits, Sound, to_wire

if TYPE_CHECKING:
    from testbed.softphone import Softphone


class PhoneError(Exception):
    """The phone's process died, or it could not do what it was told."""


class CallOverError(PhoneError):
    """The call ended before what was waited for happened."""


class PhoneTimeoutError(PhoneError, TimeoutError):
    """What was waited for did not happen in time."""


@dataclass(frozen=True, slots=True)
class PhoneEvent:
    """Something that happened at `at` (`time.monotonic()` of this machine, the same for all processes)."""

    kind: str
    at: float
    details: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class CallEnd:
    """How a call ended: the last SIP status, its phrase, the Reason header, and by whom."""

    status: int
    phrase: str
    reason: str
    by_phone: bool
    at: float


@dataclass(frozen=True, slots=True)
class HeardDigit:
    """An RFC 4733 digit that arrived: when it began and how long it says it was (None until its end)."""

    digit: str
    at: float
    seconds: float | None


class PhoneCall:
    """One call of a phone, incoming or outgoing."""

    def __init__(self, phone: "Softphone", number: int, recording: Path) -> None:
        self._phone = phone
        self.number = number
        self.recording = recording
        """Where the recording is (once `recorded` returned)."""
        self.caller = ""
        """The user part of the From header, as it came."""
        self.called = ""
        """The user part of the request URI, as it came."""
        self.call_id = ""
        self.headers: list[tuple[str, str]] = []
        """All headers of an incoming INVITE in their order."""
        self.events: list[PhoneEvent] = []

    def __repr__(self) -> str:
        return f"<PhoneCall {self.number} of {self._phone.name}: {[event.kind for event in self.events]}>"

    def event(self, kind: str) -> PhoneEvent | None:
        """The first event of that kind, if it has happened."""
        return next(iter(self.events_of(kind)), None)

    def events_of(self, kind: str) -> list[PhoneEvent]:
        """All events of that kind so far."""
        return [event for event in self.events if event.kind == kind]

    @property
    def digits(self) -> list[HeardDigit]:
        """The digits heard so far."""
        heard: list[HeardDigit] = []
        for event in self.events:
            if event.kind == "dtmf":
                heard.append(HeardDigit(event.details["digit"], event.at, None))
            elif event.kind == "dtmf_end":
                heard[-1] = dataclasses.replace(heard[-1], seconds=event.details["seconds"])
        return heard

    def take(self, event: PhoneEvent) -> None:
        """Note what the phone's process told about this call."""
        self.events.append(event)
        if event.kind in ("incoming", "dialled"):
            self.caller, self.called = event.details["caller"], event.details["called"]
            self.call_id = event.details["call_id"]
            self.headers = [(name, value) for name, value in event.details.get("headers", [])]

    # Waiting

    async def ringing(self, timeout: float = 10) -> PhoneEvent:
        """Wait until the phone rings (incoming) or hears that the far end does (outgoing)."""
        return await self._happened("ringing", timeout)

    async def answered(self, timeout: float = 10) -> PhoneEvent:
        """Wait until the call is answered and the answer acknowledged."""
        return await self._happened("answered", timeout)

    async def media_active(self, timeout: float = 10) -> PhoneEvent:
        """Wait until sound can flow, which may be before the answer."""
        return await self._happened("media_active", timeout)

    async def heard_digits(self, count: int = 1, timeout: float = 10) -> str:
        """Wait until `count` digits were heard in all; return all that were heard."""

        def heard() -> str | None:
            if len(self.digits) < count:
                self._refuse_if_over()
                return None
            return "".join(digit.digit for digit in self.digits)

        return await self._phone.wait_until(heard, timeout, f"{count} digits in {self!r}")

    async def ended(self, timeout: float = 10) -> CallEnd:
        """Wait until the call is over; a call to a `Silent` phone never is."""
        event = await self._phone.wait_until(
            lambda: self.event("disconnected"), timeout, f"the end of {self!r}"
        )
        details = event.details
        by_phone = details["by"] == "phone"
        return CallEnd(details["status"], details["phrase"], details["reason"], by_phone, event.at)

    async def recorded(self, timeout: float = 10) -> Path:
        """Wait until the call is over and its recording is complete."""
        end = await self._phone.wait_until(
            lambda: self.event("disconnected"), timeout, f"the end of {self!r}"
        )
        if not end.details["recorded"]:
            raise PhoneError(f"nothing was recorded in {self!r}")
        await self._phone.wait_until(
            lambda: self.event("recording_finished"), timeout, f"the recording of {self!r}"
        )
        return self.recording

    async def _happened(self, kind: str, timeout: float) -> PhoneEvent:
        def happened() -> PhoneEvent | None:
            event = self.event(kind)
            if event is None:
                self._refuse_if_over()
            return event

        return await self._phone.wait_until(happened, timeout, f"{kind} in {self!r}")

    def _refuse_if_over(self) -> None:
        end = self.event("disconnected")
        if end is not None:
            raise CallOverError(f"{self!r} ended with {end.details['status']} {end.details['phrase']}")

    # Doing

    async def send_digits(
        self, text: str, *, after: float = 0.0, length: float = 0.12, gap: float = 0.1
    ) -> None:
        """Send RFC 4733 digits, `after` seconds from now; returns when all were sent."""
        await self._command("digits", digits=to_wire(Digits(text, after, length, gap)))

    async def play(self, sound: Sound) -> None:
        """Play to the far end in place of what it hears now; returns when the sound is over or replaced."""
        if not sound.ends:
            raise ValueError(f"{sound} has no end: use start_sound")
        await self._command("play", sound=to_wire(sound))

    async def start_sound(self, sound: Sound) -> None:
        """Play to the far end in place of what it hears now; returns when the sound has begun."""
        await self._command("start_sound", sound=to_wire(sound))

    async def stop_sound(self) -> None:
        await self._command("stop_sound")

    async def respond(self, status: int = 200, reason: str | None = None) -> None:
        """Answer or reject by hand a call that rings."""
        await self._command("respond", status=status, reason=reason)

    async def hold(self, on: bool = True) -> None:
        """Put the far end on hold by a re-INVITE, or talk again."""
        await self._command("hold", on=on)

    async def hang_up(self, reason: str | None = None) -> None:
        """End the call (BYE, CANCEL or a final status, as its state asks for); no error if it's over.

        `reason` becomes the Reason header.
        """
        await self._command("hang_up", reason=reason)

    async def _command(self, do: str, **details: object) -> None:
        await self._phone.command(do, call=self.number, **details)
