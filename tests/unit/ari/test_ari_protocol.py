"""The protocol without I/O: tables."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.ari import Channel, Conflict, InvalidRequest, NotFound, ProtocolError, ServerError
from controller.ari.errors import ResponseError, response_error
from controller.ari.events import EVENT_TYPES, ChannelDestroyed, Dial, Event, PlaybackFinished
from controller.ari.models import AsteriskInfo
from controller.ari.protocol import decode_body, decode_event, decode_message, encode_request

CHANNEL = {"id": "c1", "name": "PJSIP/trunk-00000001", "state": "Up", "channelvars": {"VOICECALL": "call-1"}}
BRIDGE = {"id": "b1", "technology": "simple_bridge", "channels": ["c1"]}
PLAYBACK = {"id": "p1", "target_uri": "channel:c1", "media_uri": "sound:hello", "state": "done"}
RECORDING = {"name": "r1", "target_uri": "bridge:b1", "state": "done", "format": "alaw"}
OBJECTS = {
    "channel": CHANNEL,
    "peer": CHANNEL,
    "bridge": BRIDGE,
    "playback": PLAYBACK,
    "recording": RECORDING,
    "cause": 16,
    "digit": "1",
}


def wire(kind: str, **fields: Any) -> bytes:
    return json.dumps({"type": kind, "application": "app", "asterisk_id": "x", **fields}).encode()


@pytest.mark.parametrize(
    ("parameters", "body", "expected"),
    [
        ({}, None, {}),
        ({"a": None}, None, {}),
        ({"a": "x"}, None, {"query_strings": [{"name": "a", "value": "x"}]}),
        ({"a": 7}, None, {"query_strings": [{"name": "a", "value": "7"}]}),
        ({"a": True, "b": False}, None, {"query_strings": [
            {"name": "a", "value": "true"}, {"name": "b", "value": "false"},
        ]}),
        ({}, {"variables": {"号": "1"}}, {
            "content_type": "application/json", "message_body": '{"variables":{"号":"1"}}',
        }),
    ],
)  # fmt: skip
def test_given_a_request_when_encoded_then_it_is_as_asterisk_reads_it(
    parameters: Any, body: Any, expected: dict[str, Any]
) -> None:
    sent = json.loads(encode_request("7", "POST", "channels/create", parameters, body))
    assert sent == {
        "type": "RESTRequest",
        "transaction_id": "7",
        "request_id": "7",
        "method": "POST",
        "uri": "channels/create",
        **expected,
    }


@pytest.mark.parametrize(
    ("message", "keys"),
    [
        (wire("StasisStart", channel=CHANNEL), ["channel:c1"]),
        (wire("Dial", peer=CHANNEL), ["channel:c1"]),
        (wire("Dial", peer=CHANNEL, caller={"id": "c0"}), ["channel:c1"]),
        (wire("ChannelEnteredBridge", channel=CHANNEL, bridge=BRIDGE), ["channel:c1", "bridge:b1"]),
        (wire("PlaybackStarted", playback=PLAYBACK), ["channel:c1", "playback:p1"]),
        (wire("RecordingFinished", recording=RECORDING), ["bridge:b1", "recording:r1"]),
        (wire("ApplicationReplaced"), []),
        (wire("SomethingNew", gadget={"id": "g1"}), []),
    ],
)
def test_given_an_event_when_read_for_its_addresses_then_all_it_concerns_are_named(
    message: bytes, keys: list[str]
) -> None:
    read = decode_message(message)
    assert not read.is_response
    assert list(read.keys()) == keys


def test_given_an_answer_without_a_body_when_read_then_the_body_is_empty() -> None:
    answer = decode_message(b'{"type":"RESTResponse","request_id":"3","status_code":204,"reason_phrase":"x"}')
    assert answer.is_response
    assert (answer.request_id, answer.status_code, answer.message_body) == ("3", 204, "")


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"not json",
        b'{"type":"StasisStart","channel":{"id":"c1"',
        b"[]",
        b"null",
        b"{}",
        b'{"type":7}',
        b'{"type":"Dial","peer":"c1"}',
        b'{"type":"Dial","peer":{}}',
        b'{"type":"RESTResponse","status_code":"200"}',
        b'{"type":"\xff\xfe"}',
    ],
)
def test_given_what_is_not_ari_when_read_then_protocol_error(raw: bytes) -> None:
    with pytest.raises(ProtocolError):
        decode_message(raw)


@given(st.binary(max_size=200))
def test_given_any_bytes_when_read_then_nothing_but_protocol_error_comes_out(raw: bytes) -> None:
    try:
        message = decode_message(raw)
        list(message.keys())
        decode_event(raw, message.type)
    except ProtocolError:
        pass


@given(st.integers(min_value=0, max_value=len(wire("Dial", **OBJECTS)) - 1))
def test_given_an_event_that_is_cut_off_when_read_then_protocol_error(length: int) -> None:
    with pytest.raises(ProtocolError):
        decode_message(wire("Dial", **OBJECTS)[:length])


@pytest.mark.parametrize("kind", sorted(EVENT_TYPES))
def test_given_each_type_of_event_when_decoded_then_it_has_its_own_class(kind: str) -> None:
    event = decode_event(wire(kind, timestamp="2026-11-23T04:44:36.046+0000", **OBJECTS), kind)
    assert type(event) is EVENT_TYPES[kind]
    assert (event.type, event.timestamp) == (kind, "2026-11-23T04:44:36.046+0000")


def test_given_a_type_that_nobody_knows_when_decoded_then_it_is_a_plain_event() -> None:
    event = decode_event(wire("SomethingNew", gadget=1), "SomethingNew")
    assert type(event) is Event
    assert event.type == "SomethingNew"


def test_given_events_when_decoded_then_their_fields_are_there() -> None:
    dial = decode_event(wire("Dial", dialstatus="RINGING", forward="", peer=CHANNEL), "Dial")
    assert isinstance(dial, Dial)
    assert (dial.dialstatus, dial.peer.id, dial.caller) == ("RINGING", "c1", None)

    end = wire("ChannelDestroyed", cause=17, cause_txt="User busy", tech_cause=486, channel=CHANNEL)
    destroyed = decode_event(end, "ChannelDestroyed")
    assert isinstance(destroyed, ChannelDestroyed)
    assert (destroyed.cause, destroyed.cause_txt, destroyed.tech_cause) == (17, "User busy", 486)
    assert destroyed.channel.channelvars == {"VOICECALL": "call-1"}

    finished = decode_event(wire("PlaybackFinished", playback=PLAYBACK), "PlaybackFinished")
    assert isinstance(finished, PlaybackFinished)
    assert (finished.playback.id, finished.playback.state) == ("p1", "done")


@pytest.mark.parametrize(
    "raw",
    [
        wire("ChannelDestroyed", channel=CHANNEL),
        wire("ChannelDestroyed", channel=CHANNEL, cause="17"),
        wire("ChannelDtmfReceived", channel=CHANNEL),
        wire("StasisStart"),
        wire("StasisStart", channel={"name": "no id"}),
    ],
)
def test_given_an_event_without_what_its_type_must_have_when_decoded_then_protocol_error(raw: bytes) -> None:
    with pytest.raises(ProtocolError):
        decode_event(raw, json.loads(raw)["type"])


def test_given_a_body_when_decoded_then_only_what_has_a_use_is_kept() -> None:
    info = decode_body(
        '{"build":{"os":"Linux"},"system":{"version":"22.10.1","entity_id":"x"},'
        '"status":{"startup_time":"2026-11-23T04:44:04.639+0000"}}',
        AsteriskInfo,
    )
    assert (info.version, info.startup_time) == ("22.10.1", "2026-11-23T04:44:04.639+0000")


@pytest.mark.parametrize("body", ["", "null", "{}", "[", '{"id":7}'])
def test_given_a_body_that_is_not_what_was_asked_for_when_decoded_then_protocol_error(body: str) -> None:
    with pytest.raises(ProtocolError):
        decode_body(body, Channel)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, InvalidRequest),
        (403, InvalidRequest),
        (404, NotFound),
        (405, InvalidRequest),
        (406, InvalidRequest),
        (409, Conflict),
        (412, Conflict),
        (422, InvalidRequest),
        (500, ServerError),
        (503, ServerError),
    ],
)
def test_given_a_status_when_made_an_error_then_it_has_the_class_of_the_table(
    status: int, kind: type[ResponseError]
) -> None:
    error = response_error("channels.play", status, '{"message":"Channel not found"}')
    assert type(error) is kind
    assert (error.operation, error.status) == ("channels.play", status)
    assert str(error) == f'channels.play: {status} {{"message":"Channel not found"}}'
