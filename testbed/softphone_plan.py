"""What a softphone does with a call, said beforehand: the parent writes it, its process follows."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast


@dataclass(frozen=True, slots=True)
class Play:
    """A WAV file with 16-bit PCM, mono; the path must be absolute."""

    path: str
    repeat: bool = False

    @property
    def ends(self) -> bool:
        return not self.repeat


@dataclass(frozen=True, slots=True)
class Tone:
    """A sine, or two at once; without `seconds` it sounds until it is stopped or the call ends.

    With `silence` it has a cadence: `sound` seconds of tone, then as many of silence, over and over.
    """

    frequency: int
    second_frequency: int = 0
    seconds: float | None = None
    sound: float = 1.0
    silence: float = 0.0

    @property
    def ends(self) -> bool:
        return self.seconds is not None


Sound = Play | Tone


@dataclass(frozen=True, slots=True)
class Digits:
    """RFC 4733 digits, `after` seconds after the step before (answer, or the digits before these).

    `length` is the tone of one digit and `gap` the pause behind it, in seconds. The end of a tone is told
    three times over 60 ms, so a gap below that makes the digits run together.
    """

    text: str
    after: float = 0.0
    length: float = 0.12
    gap: float = 0.1


@dataclass(frozen=True, slots=True)
class Talk:
    """What the phone does once the call is answered; `hang_up_after` counts from the answer."""

    play: Sound | None = None
    digits: tuple[Digits, ...] = ()
    hang_up_after: float | None = None
    record: bool = True


@dataclass(frozen=True, slots=True)
class Answer(Talk):
    """Ring for `after` seconds, then answer; without `ring` there is no 180 before the 200."""

    after: float = 0.0
    ring: bool = True


@dataclass(frozen=True, slots=True)
class RingOnly:
    """180 and nothing else until the caller gives up."""


@dataclass(frozen=True, slots=True)
class Reject:
    """Any final status from 300 on, after `after` seconds (of ringing if `ring`).

    `reason` becomes the Reason header, for example "Q.850;cause=17".
    """

    status: int = 486
    after: float = 0.0
    ring: bool = False
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class EarlyMedia:
    """183 with sound, for `seconds` or until a file that doesn't repeat is over; then `then`.

    With `ring_after` it sends 180 too, so many seconds after the 183.
    """

    play: Sound
    then: Answer | Reject | None = None
    seconds: float | None = None
    ring_after: float | None = None


@dataclass(frozen=True, slots=True)
class Silent:
    """No SIP answer at all, not even 100, as if the datagrams were lost."""


Plan = Answer | RingOnly | Reject | EarlyMedia | Silent
_KINDS = {
    kind.__name__: kind for kind in (Play, Tone, Digits, Talk, Answer, RingOnly, Reject, EarlyMedia, Silent)
}


def to_wire(part: object) -> Any:
    """Turn a plan into what JSON can carry."""
    if isinstance(part, tuple | list):
        return [to_wire(item) for item in part]
    if dataclasses.is_dataclass(part) and not isinstance(part, type):
        fields = {field.name: to_wire(getattr(part, field.name)) for field in dataclasses.fields(part)}
        return {"kind": type(part).__name__, **fields}
    return part


def from_wire(wire: Any) -> Any:
    """Turn what `to_wire` made back into a plan."""
    if isinstance(wire, list):
        return tuple(from_wire(item) for item in wire)
    if isinstance(wire, Mapping):
        fields = dict(cast(Mapping[str, Any], wire))
        kind = _KINDS[fields.pop("kind")]
        return kind(**{name: from_wire(value) for name, value in fields.items()})
    return wire
