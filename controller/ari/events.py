"""Events of ARI, typed. Names and fields are Asterisk's own; events of other types arrive as `Event`.

The last two are ours: they tell a listener, after the socket was lost and regained, what became of the
object it listens to.
"""

from msgspec import Struct

from controller.ari.models import Bridge, Channel, LiveRecording, Playback


class Event(Struct, frozen=True, kw_only=True):
    """What all events have; `timestamp` is Asterisk's clock, ISO 8601 with milliseconds and zone."""

    type: str
    timestamp: str = ""


class StasisStart(Event, frozen=True):
    """A channel has entered the application."""

    channel: Channel
    args: list[str] = []


class StasisEnd(Event, frozen=True):
    """A channel has left the application."""

    channel: Channel


class ChannelStateChange(Event, frozen=True):
    """`channel.state` has changed."""

    channel: Channel


class Dial(Event, frozen=True):
    """Progress of a dial: `dialstatus` is "", RINGING, PROGRESS, ANSWER, BUSY, NOANSWER, CANCEL, ..."""

    peer: Channel
    dialstatus: str = ""
    caller: Channel | None = None


class ChannelDtmfReceived(Event, frozen=True):
    """A key was pressed and released."""

    channel: Channel
    digit: str
    duration_ms: int = 0


class ChannelTalkingStarted(Event, frozen=True):
    """Sound comes from the far end; told where the channel's TALK_DETECT is set."""

    channel: Channel


class ChannelTalkingFinished(Event, frozen=True):
    """No sound has come for the time given to TALK_DETECT."""

    channel: Channel


class ChannelHangupRequest(Event, frozen=True):
    """The far end wants to hang up. `tech_cause` is the SIP status, if a SIP failure is the reason."""

    channel: Channel
    cause: int = 0
    tech_cause: int = 0


class ChannelDestroyed(Event, frozen=True):
    """The channel is no more. `cause` is of Q.850; `tech_cause` the SIP status, if that was the reason."""

    channel: Channel
    cause: int
    cause_txt: str = ""
    tech_cause: int = 0


class ChannelEnteredBridge(Event, frozen=True):
    """A channel has joined a bridge."""

    bridge: Bridge
    channel: Channel


class ChannelLeftBridge(Event, frozen=True):
    """A channel has left a bridge."""

    bridge: Bridge
    channel: Channel


class BridgeDestroyed(Event, frozen=True):
    """The bridge is no more."""

    bridge: Bridge


class PlaybackStarted(Event, frozen=True):
    """The first sample is on its way."""

    playback: Playback


class PlaybackFinished(Event, frozen=True):
    """`playback.state` is "done", or "failed" when the sound could not be played."""

    playback: Playback


class RecordingStarted(Event, frozen=True):
    """A recording has begun."""

    recording: LiveRecording


class RecordingFinished(Event, frozen=True):
    """A recording is complete and stored."""

    recording: LiveRecording


class RecordingFailed(Event, frozen=True):
    """A recording came to nothing; `recording.cause` says why."""

    recording: LiveRecording


class ApplicationReplaced(Event, frozen=True):
    """Another connection took over the application."""


class ObjectPresent(Event, frozen=True):
    """After a gap: the object is still there; events of the gap are lost. `channel` is its state now."""

    key: str
    channel: Channel | None = None


class ObjectGone(Event, frozen=True):
    """After a gap: the object is no longer there; how it ended was not heard."""

    key: str


EVENT_TYPES: dict[str, type[Event]] = {
    kind.__name__: kind
    for kind in (
        StasisStart,
        StasisEnd,
        ChannelStateChange,
        Dial,
        ChannelDtmfReceived,
        ChannelTalkingStarted,
        ChannelTalkingFinished,
        ChannelHangupRequest,
        ChannelDestroyed,
        ChannelEnteredBridge,
        ChannelLeftBridge,
        BridgeDestroyed,
        PlaybackStarted,
        PlaybackFinished,
        RecordingStarted,
        RecordingFinished,
        RecordingFailed,
        ApplicationReplaced,
    )
}
