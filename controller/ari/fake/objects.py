"""The things inside a fake Asterisk, and their JSON as Asterisk 22.10 sends it."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]


@dataclass(eq=False)
class FakeChannel:
    """A leg. `variables` are all that were set, `reported` the names of those that ride in events."""

    id: str
    name: str
    app: str
    app_args: list[str]
    endpoint: str
    creationtime: str
    variables: dict[str, str] = field(default_factory=dict)
    reported: set[str] = field(default_factory=set)
    state: str = "Down"
    in_stasis: bool = False
    dialled: bool = False
    originated: bool = False
    """Enters its application when the phone answers, not when it is made."""
    sounds_since: float | None = None
    """When the phone began to send sound, on the loop's clock."""
    bridge: "FakeBridge | None" = None
    playbacks: "list[FakePlayback]" = field(default_factory=list)
    timers: list[asyncio.TimerHandle] = field(default_factory=list)

    @property
    def uri(self) -> str:
        return f"channel:{self.id}"

    def cancel_timers(self) -> None:
        for timer in self.timers:
            timer.cancel()
        self.timers.clear()

    def _variable(self, function: str) -> str:
        """The value of `function` in whichever of its spellings, such as `CONNECTEDLINE(num,i)`."""
        found = [value for name, value in self.variables.items() if name.startswith(f"{function}(num")]
        return found[-1] if found else ""

    def to_json(self) -> Json:
        body: Json = {
            "id": self.id,
            "name": self.name,
            "state": self.state,
            "protocol_id": f"{self.id}@fake",
            "caller": {"name": "", "number": self._variable("CALLERID")},
            "connected": {"name": "", "number": self._variable("CONNECTEDLINE")},
            "accountcode": "",
            "dialplan": {
                "context": "from-trunk",
                "exten": "s",
                "priority": 1,
                "app_name": "Stasis" if self.in_stasis else "",
                "app_data": self.app if self.in_stasis else "",
            },
            "creationtime": self.creationtime,
            "language": "en",
        }
        if self.reported:
            body["channelvars"] = {name: self.variables.get(name, "") for name in sorted(self.reported)}
        return body


@dataclass(eq=False)
class FakeBridge:
    """What joins channels. `apps` get its events: those of the channels that were put into it."""

    id: str
    kind: str
    creationtime: str
    channels: list[FakeChannel] = field(default_factory=list)
    apps: set[str] = field(default_factory=set)
    playbacks: "list[FakePlayback]" = field(default_factory=list)

    @property
    def uri(self) -> str:
        return f"bridge:{self.id}"

    def to_json(self) -> Json:
        return {
            "id": self.id,
            "technology": "simple_bridge" if len(self.channels) < 2 else "softmix",
            "bridge_type": self.kind,
            "bridge_class": "stasis",
            "creator": "Stasis",
            "name": "",
            "channels": [channel.id for channel in self.channels],
            "creationtime": self.creationtime,
            "video_mode": "talker",
        }


Target = FakeChannel | FakeBridge


@dataclass(eq=False)
class FakePlayback:
    """Prompts on their way, one after the other; the first of `media` is the one that plays or will.

    `stopped` while it still waits for its turn: it will end without having begun.
    """

    id: str
    media: list[str]
    target: Target
    language: str = "en"
    state: str = "queued"
    stopped: bool = False
    timer: asyncio.Handle | None = None

    def to_json(self) -> Json:
        body = {
            "id": self.id,
            "media_uri": self.media[0],
            "target_uri": self.target.uri,
            "language": self.language,
            "state": self.state,
        }
        if len(self.media) > 1:
            body["next_media_uri"] = self.media[1]
        return body


@dataclass(eq=False)
class FakeRecording:
    """A recording under way; `started` is on the loop's clock."""

    name: str
    target: Target
    format: str
    started: float
    state: str = "queued"
    duration: int | None = None

    def to_json(self) -> Json:
        body: Json = {
            "name": self.name,
            "format": self.format,
            "state": self.state,
            "target_uri": self.target.uri,
        }
        if self.duration is not None:
            body["duration"] = self.duration
        return body
