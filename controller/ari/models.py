"""Objects of ARI as it sends them. Only the fields that have a use are read; the rest is skipped unparsed.

Source: Asterisk's own `rest-api/*.json`, version 22.10.
"""

from msgspec import Struct, field


class CallerId(Struct, frozen=True):
    """A name and a number as Asterisk shows them."""

    name: str = ""
    number: str = ""


class Channel(Struct, frozen=True):
    """One leg between Asterisk and a phone.

    `state` is one of Asterisk's words: Down, Rsrved, OffHook, Dialing, Ring, Ringing, Up, Busy, ...
    """

    id: str
    name: str = ""
    state: str = "Down"
    protocol_id: str = ""
    """Call-ID of a SIP channel; "" of others."""
    creationtime: str = ""
    caller: CallerId = CallerId()
    channelvars: dict[str, str] = {}


class Bridge(Struct, frozen=True):
    """What joins channels; `channels` are their ids."""

    id: str
    technology: str = ""
    channels: list[str] = []


class Playback(Struct, frozen=True):
    """A prompt on its way to a channel or bridge; `target_uri` is `channel:ID` or `bridge:ID`."""

    id: str
    target_uri: str = ""
    media_uri: str = ""
    state: str = ""


class LiveRecording(Struct, frozen=True):
    """A recording under way. `duration` and `talking_duration` are in seconds."""

    name: str
    target_uri: str = ""
    state: str = ""
    format: str = ""
    cause: str = ""
    duration: int | None = None


class RtpStatistics(Struct, frozen=True):
    """What has gone over a channel's RTP so far: packets received and sent."""

    rxcount: int = 0
    txcount: int = 0


class VariableValue(Struct, frozen=True):
    """What a variable or function of a channel says."""

    value: str = ""


class _Status(Struct, frozen=True):
    startup_time: str = ""


class _System(Struct, frozen=True):
    version: str = ""
    entity_id: str = ""


class AsteriskInfo(Struct, frozen=True):
    """What Asterisk says of itself."""

    system: _System = _System()
    status: _Status = _Status()

    @property
    def version(self) -> str:
        return self.system.version

    @property
    def entity_id(self) -> str:
        """Tells it from others, if they are on other machines: as a rule it is made of a MAC address."""
        return self.system.entity_id

    @property
    def startup_time(self) -> str:
        """Changes when Asterisk is restarted: every call from before is over."""
        return self.status.startup_time


class Endpoint(Struct, frozen=True):
    """A phone or trunk; `state` is "online", "offline" or "unknown"."""

    technology: str
    resource: str
    state: str = "unknown"
    channel_ids: list[str] = []


class Application(Struct, frozen=True):
    """A Stasis application and what it is subscribed to."""

    name: str
    channel_ids: list[str] = []
    bridge_ids: list[str] = []


class Snapshot(Struct, frozen=True):
    """All that Asterisk has at one moment."""

    startup_time: str
    channels: dict[str, Channel] = field(default_factory=dict)
    bridges: dict[str, Bridge] = field(default_factory=dict)
    entity_id: str = ""
