"""Every field of every request, what each takes and what not. Source: wire API document, section 4."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from conformance.deployment import Deployment, url_of_length

REFUSED = "1010002"


@dataclass(frozen=True)
class Field:
    """A field: values that are taken, values that are not and with which code.

    Those of `maybe_...` are inferred: no document says what becomes of them.
    """

    taken: tuple[Any, ...]
    refused: tuple[Any, ...]
    required: bool = False
    code: str = REFUSED
    beside: Mapping[str, Any] = field(default_factory=dict)
    """Members without which the field means nothing."""
    maybe_taken: tuple[Any, ...] = ()
    maybe_refused: tuple[Any, ...] = ()


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
    return Field(
        ("true", "false", True, False), ("yes", 1, 0, [], "truefalse"), maybe_taken=("TRUE", "False", "")
    )


def integer(low: int, high: int, **more: Any) -> Field:
    refused = (low - 1, high + 1, 1.5, "x", [1], 10**30)
    maybe = (str(low), str(high), f"0{high}")
    return Field((low, high), refused, maybe_taken=maybe, maybe_refused=("", "1.0", True), **more)


def choice(*values: str, **more: Any) -> Field:
    return Field(values, ("x", 1, True, [values[0]], values[0].upper() + "x"), maybe_taken=("",), **more)


def sound(at: Deployment, **more: Any) -> Field:
    bad = ("nothing.wav", "../" + at.sound, "x" * 129, "a b.wav", "提示音.wav", 1, True, [at.sound])
    if more.get("required"):
        return Field((at.sound,), ("", *bad), **more)
    return Field((at.sound,), bad, maybe_taken=("",), **more)


def url() -> Field:
    other = base64.b64encode(b"ftp://127.0.0.1/x").decode()
    bare = base64.b64encode(b"127.0.0.1:9").decode()
    binary = base64.b64encode(b"\xff\xfe").decode()
    split = base64.b64encode(b"http://127.0.0.1/\r\nX: y").decode()
    bad = ("http://127.0.0.1:9/", "****", other, bare, binary, split, url_of_length(132), 1, True, [])
    return Field((url_of_length(32), url_of_length(128)), bad, maybe_taken=("",))


def user_data() -> Field:
    # Chinese is forbidden, and clients send it; an empty one is not, and length 0 stands with the CDR.
    return Field(
        ("x", "x" * 256, 'a\\b"c'),
        ("x" * 257, "{", "a}", 1, True, []),
        maybe_taken=("", "提货单"),
        maybe_refused=("\0", "\ud800"),
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
        "bindNbr": Field((at.display, None), (), maybe_taken=("", 1, {"x": []})),
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
    collects = {"collectInd": 1}
    return {
        # Not exactly one sound is an error; its code is inferred.
        "playInfoList": Field(
            ([item], [item] * 5),
            ([], [item] * 6, "x", item, [1], [[item]]),
            required=True,
            maybe_refused=([{}], [both], [{"notifyVoice": ""}]),
        ),
        "item.notifyVoice": Field((at.sound,), sound(at).refused, maybe_refused=("",)),
        "item.templateId": Field(
            (at.template,),
            (1, True, [at.template], "x" * 33),
            beside={"notifyVoice": None, "templateParas": ["东门"]},
            maybe_refused=("",),
        ),
        "item.templateParas": Field(
            (["东门"], [12], ["x" * 8]), ("东门", 1, {"0": "x"}), beside=spoken, maybe_taken=([""],)
        ),
        # Of the first version: text, or the name of a sound.
        "item.ttsContent": Field(
            ("您好", at.sound),
            (1, True, ["x"]),
            beside={"notifyVoice": None},
            maybe_refused=("", "nothing.wav"),
        ),
        "item.collectInd": integer(0, 32),
        "item.replayAfterCollection": flag(),
        "item.collectContentTriggerReplaying": Field(
            ("1", "1" * 32),
            ("1" * 33, True, [1]),
            beside=collects,
            maybe_taken=("", "*#0", 1),
            maybe_refused=("x",),
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
        # Every public example sends 2.
        "languageType": Field(
            (2,), ("zh", 1.5, []), required=True, maybe_taken=(1, "2", 99, 0), maybe_refused=(True,)
        ),
        "preTone": sound(at, required=True),
        "posTone": sound(at),
        "verifyCode": Field(
            ("12", "12345678", "0000"), ("1", "123456789", "12a", "", 1234, True, "１２３４"), True, "1010022"
        ),
        "times": integer(0, 9),
    }
