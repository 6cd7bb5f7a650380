"""What happens in a call, entry by entry: the source of status pushes, CDR, call details and recovery."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any


class Kind(StrEnum):
    """What can happen."""

    ACCEPTED = "accepted"
    TOO_OFTEN = "too_often"
    """The callee has been called more often than recommended; detail: the `windows`."""
    SPEECH = "speech"
    CALLOUT = "callout"
    FAILOVER = "failover"
    """A trunk failed at a leg; detail: the next one (`trunk`), and how the one before `failed`."""
    ALERTING = "alerting"
    ANSWER = "answer"
    PROMPT = "prompt"
    COLLECTED = "collected"
    RECORDING = "recording"
    DISCONNECT = "disconnect"
    UNKNOWN = "unknown"
    """What a newer version has written down: it keeps its place in the timeline, and says nothing."""

    @classmethod
    def _missing_(cls, value: object) -> "Kind":
        return cls.UNKNOWN


@dataclass(frozen=True, slots=True)
class Entry:
    """Something that happened; `leg` is "a", "b" or None, `detail` fits in JSON."""

    sequence: int
    at: datetime
    kind: Kind
    leg: str | None = None
    detail: dict[str, Any] = field(default_factory=dict)


@dataclass
class LegTimes:
    """When a leg was dialled, rang and was answered, and the trunk that carried it, if one did."""

    dialled: datetime | None = None
    ringing: datetime | None = None
    answered: datetime | None = None
    trunk: str | None = None
    """Not in records of earlier versions."""


class Timeline:
    """The entries of one call so far and what follows from them."""

    def __init__(self, entries: list[Entry] | None = None) -> None:
        self.entries: list[Entry] = []
        self.legs: dict[str, LegTimes] = {}
        self.collected: list[str] = []
        self.collection_started: datetime | None = None
        self.speech_seconds = 0.0
        self.spoken_plays = 0
        self.recording_started: datetime | None = None
        self._next_at_least = 0
        self.last_minute_told = False
        for entry in entries or []:
            self.add(entry)

    def add(self, entry: Entry) -> None:
        self.entries.append(entry)
        if entry.leg is not None:
            times = self.legs.setdefault(entry.leg, LegTimes())
            if entry.kind is Kind.CALLOUT:
                times.dialled = entry.at
                times.trunk = entry.detail.get("trunk")
            elif entry.kind is Kind.FAILOVER:
                times.trunk = entry.detail["trunk"]
            elif entry.kind is Kind.ALERTING:
                times.ringing = entry.at
            elif entry.kind is Kind.ANSWER:
                times.answered = entry.at
        if entry.kind is Kind.PROMPT and entry.detail.get("collects") and self.collection_started is None:
            self.collection_started = entry.at
        if entry.kind is Kind.SPEECH:
            self.speech_seconds += entry.detail["seconds"]
        if entry.kind is Kind.PROMPT and entry.detail.get("spoken"):
            self.spoken_plays += 1
        if entry.kind is Kind.PROMPT and entry.detail.get("last_minute"):
            self.last_minute_told = True
        if entry.kind is Kind.RECORDING:
            self.recording_started = entry.at
        if entry.kind is Kind.COLLECTED:
            self.collected.append(entry.detail["digits"])

    def leg(self, name: str) -> LegTimes:
        """The times of a leg; empty ones if it was never dialled."""
        return self.legs.get(name, LegTimes())

    @property
    def next_sequence(self) -> int:
        return max(self.entries[-1].sequence + 1 if self.entries else 0, self._next_at_least)

    def skip(self, numbers: int) -> None:
        """Leave a gap: entries that were told but not written had these numbers."""
        self._next_at_least = self.next_sequence + numbers
