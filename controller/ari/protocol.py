"""The protocol without I/O: bytes to messages and back.

A message is read twice at most: once for its kind and addresses, skipping everything else, and only if
somebody listens a second time for the whole typed event. Most events are never read a second time.
"""

from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from controller.ari.errors import ProtocolError
from controller.ari.events import EVENT_TYPES, Event

Parameters = Mapping[str, str | int | bool | None]


class _Id(Struct, frozen=True):
    id: str


class _Target(Struct, frozen=True):
    target_uri: str = ""
    id: str = ""
    name: str = ""


class Message(Struct, frozen=True):
    """The outside of a message: its type and either a REST answer or the objects an event is about."""

    type: str
    request_id: str = ""
    status_code: int = 0
    reason_phrase: str = ""
    message_body: str = ""
    eventname: str = ""
    channel: _Id | None = None
    peer: _Id | None = None
    bridge: _Id | None = None
    playback: _Target | None = None
    recording: _Target | None = None

    @property
    def is_response(self) -> bool:
        return self.type == "RESTResponse"

    def keys(self) -> Iterator[str]:
        """Addresses of the objects that the event is about, such as `channel:ID`.

        Playbacks and recordings also count as news of the channel or bridge that they belong to, so that
        a listener of that channel gets all that concerns it, in order.
        """
        if self.channel is not None:
            yield f"channel:{self.channel.id}"
        if self.peer is not None:
            yield f"channel:{self.peer.id}"
        if self.bridge is not None:
            yield f"bridge:{self.bridge.id}"
        if self.playback is not None:
            yield self.playback.target_uri
            yield f"playback:{self.playback.id}"
        if self.recording is not None:
            yield self.recording.target_uri
            yield f"recording:{self.recording.name}"


class _QueryString(Struct, frozen=True):
    name: str
    value: str


class _Request(Struct, frozen=True, omit_defaults=True):
    type: str
    transaction_id: str
    request_id: str
    method: str
    uri: str
    query_strings: list[_QueryString] = []
    content_type: str = ""
    message_body: str = ""


_T = TypeVar("_T")

_encoder = msgspec.json.Encoder()
_message_decoder = msgspec.json.Decoder(Message)
_event_decoders = {name: msgspec.json.Decoder(kind) for name, kind in EVENT_TYPES.items()}
_other_decoder = msgspec.json.Decoder(Event)


def encode_request(
    request_id: str, method: str, uri: str, parameters: Parameters, body: Mapping[str, Any] | None
) -> bytes:
    """A REST request as it goes over the WebSocket; parameters that are None are left out."""
    return _encoder.encode(
        _Request(
            type="RESTRequest",
            transaction_id=request_id,
            request_id=request_id,
            method=method,
            uri=uri,
            query_strings=[
                _QueryString(name, _text(value)) for name, value in parameters.items() if value is not None
            ],
            content_type="application/json" if body else "",
            message_body=_encoder.encode(body).decode() if body else "",
        )
    )


def _text(value: str | int | bool | None) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def decode_message(raw: str | bytes) -> Message:
    """The outside of what came over the socket. Raises ProtocolError."""
    try:
        return _message_decoder.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ProtocolError(f"not an ARI message: {error}") from None


def decode_event(raw: str | bytes, kind: str) -> Event:
    """The whole event. Raises ProtocolError when a field that its type must have is missing or wrong."""
    try:
        return _event_decoders.get(kind, _other_decoder).decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ProtocolError(f"not a valid {kind}: {error}") from None


def decode_body(body: str, kind: type[_T]) -> _T:
    """The body of a REST answer. Raises ProtocolError."""
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.DecodeError as error:
        raise ProtocolError(f"not an answer of this request: {error}") from None
