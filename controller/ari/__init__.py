"""An asyncio client of the Asterisk REST Interface (ARI), version 22.10 or later.

It knows nothing of the program around it and can be used alone::

    address = ari.Address("http://127.0.0.1:8088", "user", "password")
    async with ari.Client(address, app="hello") as asterisk:
        with asterisk.listen("channel:my-call") as events:
            channel = await asterisk.channels.create("PJSIP/100", channel_id="my-call")
            await asterisk.channels.dial("my-call", timeout=30)
            async for event in events: ...

Events and REST share one WebSocket; only binary answers (recorded files) go over HTTP. When the socket
is lost the client connects again, takes a snapshot of Asterisk and tells every listener what became of
its objects (`ObjectPresent`, `ObjectGone`), since Asterisk does not repeat the events of the gap.
"""

from controller.ari.client import Client
from controller.ari.connection import Address, Connection, Permission, RetryDecision, retry_unless_refused
from controller.ari.errors import (
    AriError,
    Conflict,
    ConnectionLost,
    InvalidRequest,
    ListenerOverflow,
    NotConnected,
    NotFound,
    OwnershipLost,
    ProtocolError,
    RequestTimeout,
    ResponseError,
    ServerError,
)
from controller.ari.events import (
    ChannelDestroyed,
    ChannelDtmfReceived,
    ChannelHangupRequest,
    ChannelStateChange,
    ChannelTalkingFinished,
    ChannelTalkingStarted,
    Dial,
    Event,
    ObjectGone,
    ObjectPresent,
    PlaybackFinished,
    PlaybackStarted,
    RecordingFailed,
    RecordingFinished,
    StasisEnd,
    StasisStart,
)
from controller.ari.models import AsteriskInfo, Bridge, Channel, LiveRecording, Playback, Snapshot
from controller.ari.resources import Variables
from controller.ari.streams import EventStream

__all__ = [
    "Address",
    "AriError",
    "AsteriskInfo",
    "Bridge",
    "Channel",
    "ChannelDestroyed",
    "ChannelDtmfReceived",
    "ChannelHangupRequest",
    "ChannelStateChange",
    "ChannelTalkingFinished",
    "ChannelTalkingStarted",
    "Client",
    "Conflict",
    "Connection",
    "ConnectionLost",
    "Dial",
    "Event",
    "EventStream",
    "InvalidRequest",
    "ListenerOverflow",
    "LiveRecording",
    "NotConnected",
    "NotFound",
    "ObjectGone",
    "ObjectPresent",
    "OwnershipLost",
    "Permission",
    "Playback",
    "PlaybackFinished",
    "PlaybackStarted",
    "ProtocolError",
    "RecordingFailed",
    "RecordingFinished",
    "RequestTimeout",
    "ResponseError",
    "RetryDecision",
    "ServerError",
    "Snapshot",
    "StasisEnd",
    "StasisStart",
    "Variables",
    "retry_unless_refused",
]
