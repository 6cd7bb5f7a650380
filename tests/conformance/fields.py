"""Every field of every request, what each takes and what not. Source: wire API document, section 4."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from conformance.deployment import Deployment, url_of_length

REFUSED = "1010002"


@dataclass(frozen=True)
class Field:
    """A field: where it stands, values that are taken, values that are not and with which code."""

    taken: tuple[Any, ...]
    refused: tuple[Any, ...]
    required: bool = False
    code: str = REFUSED
    beside: Mapping[str, Any] = field(default_factory=dict)
    """Members without which the field means nothing."""


def number(at: Deployment, *good: str) -> Field:
    """A telephone number, 4 to 31 characters."""
    bad = ["", "13900001111", "+8", "+86 139", "+86a", "+０８６", "+86" + "1" * 29, "+8613900001111\n"]
    return Field(good, (*bad, 13900001111, True, [good[0]], {"n": 1}), required=True)


def shown(at: Deployment) -> Field:
    return number(at, at.display, at.second_display)


def callee(at: Deployment) -> Field:
    longest = at.simulated + "01700000"
    return number(at, at.callee(), longest + "0" * (31 - len(longest)))


def flag() -> Field:
    return Field(("true", "false", True, False, "TRUE"), ("yes", "", 1, 0, [], "truefalse"))


def integer(low: int, high: int, **more: Any) -> Field:
    taken = (low, high, str(low), str(high), f"0{high}")
    return Field(taken, (low - 1, high + 1, 1.5, "x", "", "1.0", True, [1], 10**30), **more)


def choice(*values: str, **more: Any) -> Field:
    return Field(values, ("x", "", 1, True, [values[0]], values[0].upper() + "x"), **more)


def sound(at: Deployment, **more: Any) -> Field:
    bad = ("", "nothing.wav", "../" + at.sound, "x" * 129, "a b.wav", "提示音.wav", 1, True, [at.sound])
    return Field((at.sound,), bad, **more)


def url() -> Field:
    other = base64.b64encode(b"ftp://127.0.0.1/x").decode()
    bare = base64.b64encode(b"127.0.0.1:9").decode()
    binary = base64.b64encode(b"\xff\xfe").decode()
    split = base64.b64encode(b"http://127.0.0.1/\r\nX: y").decode()
    bad = ("", "http://127.0.0.1:9/", "****", other, bare, binary, split, url_of_length(132), 1, True, [])
    return Field((url_of_length(32), url_of_length(128)), bad)


def user_data() -> Field:
    return Field(
        ("x", "x" * 256, "提货单", 'a\\b"c'), ("", "x" * 257, "{", "a}", 1, True, [], "\0", "\ud800")
    )


def _every_start(at: Deployment) -> dict[str, Field]:
    return {
        "displayNbr": shown(at),
        "calleeNbr": callee(at),
        "statusUrl": url(),
        "feeUrl": url(),
        "returnIdlePort": flag(),
        "userData": user_data(),
        # Of old clients; nothing is done with it.
        "bindNbr": Field((at.display, "", 1, None, {"x": []}), ()),
    }


def fields(at: Deployment, operation: str) -> dict[str, Field]:
    """The fields of a request by name; those of the first item of a notification begin with `item.`."""
    match operation:
        case "callnotify":
            return {**_every_start(at), **_of_notification(at)}
        case "click2Call":
            return {**_every_start(at), **_of_callback(at)}
        case "callVerify":
            return {**_every_start(at), **_of_code(at)}
        case _:
            session = Field((), ("", "x" * 257, 1, True, []), required=True)
            return {"sessionid": session, "signal": Field((), ("stop", "", 1, True), required=True)}


def _of_notification(at: Deployment) -> dict[str, Field]:
    item = {"notifyVoice": at.sound}
    spoken = {"notifyVoice": None, "templateId": at.template}
    both = {**item, "templateId": at.template}
    return {
        "playInfoList": Field(
            ([item], [item] * 5), ([], [item] * 6, "x", item, [1], [{}], [both], [[item]]), required=True
        ),
        "item.notifyVoice": sound(at),
        "item.templateParas": Field((["东门"], [12], ["x" * 8]), ("东门", 1, {"0": "x"}), beside=spoken),
        "item.collectInd": integer(0, 32),
        "item.replayAfterCollection": flag(),
        "item.collectContentTriggerReplaying": Field(
            ("1", "*#0", "1" * 32), ("", "1" * 33, "x", 1, True), beside={"collectInd": 1}
        ),
        "item.unknown": Field((1, "x", {"deep": [1]}), ()),
    }


def _of_callback(at: Deployment) -> dict[str, Field]:
    limited, before = {"maxDuration": 2}, {"playPreVoice": "true"}
    return {
        "callerNbr": callee(at),
        "displayCalleeNbr": shown(at),
        "maxDuration": integer(0, 1440),
        "lastMinVoice": sound(at, beside=limited),
        "lastMinToUE": choice("toa", "tob", "both", beside=limited),
        "playPreVoice": flag(),
        "preVoice": sound(at, beside=before),
        "waitVoice": sound(at),
        "calleeMedia": choice("all", "none", "fail"),
        "recordFlag": flag(),
        "recordHintTone": sound(at, beside={"recordFlag": "true"}),
        "partyTypeRequiredInDisconnect": flag(),
    }


def _of_code(at: Deployment) -> dict[str, Field]:
    return {
        "languageType": Field((1, 2, "2", 99, 0), ("zh", 1.5, True, []), required=True),
        "preTone": sound(at, required=True),
        "posTone": sound(at),
        "verifyCode": Field(
            ("12", "12345678", "0000"), ("1", "123456789", "12a", "", 1234, True, "１２３４"), True, "1010022"
        ),
        "times": integer(0, 9),
    }
