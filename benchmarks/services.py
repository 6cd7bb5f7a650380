"""The services that are measured: one description each, the same for the product and for bare Asterisk."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from testbed.client import CALLNOTIFY, CALLVERIFY, CLICK2CALL
from testbed.sounds import distinct_prompt

SHOWN = "+8657126880001"


@dataclass(frozen=True)
class FarEnd:
    """A phone of a call: a scenario of SIPp."""

    scenario: str
    talks: float = 0.0
    """Seconds after which a phone that hangs up does so."""
    echoes: bool = False
    """Sends back what it hears."""
    media_port: int | None = None
    """Where it wants its sound; none: at SIPp."""


@dataclass(frozen=True)
class Service:
    """What is asked for, who is called, and what bare Asterisk does in the product's place."""

    name: str
    path: str
    request: Callable[..., Mapping[str, Any]]
    """The body, without the addresses of pushes; it gets the number of each leg."""
    far_ends: tuple[FarEnd, ...]
    """One for each leg, in the order in which they are called."""
    status_pushes: int
    """How many belong to a call; the far ends answer without ringing."""
    dialplan: str
    """What bare Asterisk does when the first leg has answered; then it hangs up. `{sounds}` is a folder with
    the sound files of the account and the shipped prompts, `{second}` the address of the second leg."""


SOUNDS = {"prompt": distinct_prompt(1, 1.0), "tone": distinct_prompt(2, 0.3)}
"""Sound files of the account."""

NOTIFICATION = Service(
    name="notification",
    path=CALLNOTIFY,
    request=lambda callee: {
        "displayNbr": SHOWN,
        "calleeNbr": callee,
        "playInfoList": [{"notifyVoice": "prompt.wav"}],
    },
    far_ends=(FarEnd("answer"),),
    status_pushes=3,  # callout, answer, disconnect
    dialplan="Playback({sounds}/prompt)",
)

CALLBACK = Service(
    name="callback",
    path=CLICK2CALL,
    request=lambda caller, callee: {
        "displayNbr": SHOWN,
        "callerNbr": caller,
        "displayCalleeNbr": SHOWN,
        "calleeNbr": callee,
    },
    # A-law both ways: the caller plays, the callee sends it back and hangs up after a second of talk.
    far_ends=(FarEnd("answer_and_play"), FarEnd("answer_and_hang_up", talks=1.0, echoes=True)),
    status_pushes=5,  # callout and answer of both legs, disconnect
    dialplan="Dial(PJSIP/bench/{second})",
)

VERIFICATION = Service(
    name="verification",
    path=CALLVERIFY,
    request=lambda callee: {
        "displayNbr": SHOWN,
        "calleeNbr": callee,
        "languageType": 1,  # English, as in the dialplan below
        "preTone": "tone.wav",
        "verifyCode": "12",
        "times": 1,
    },
    far_ends=(FarEnd("answer"),),
    status_pushes=3,  # callout, answer, disconnect
    dialplan="Playback({sounds}/tone&{sounds}/en/digit_1&{sounds}/en/digit_2&{sounds}/silence_1s)",
)

SERVICES = {service.name: service for service in (NOTIFICATION, CALLBACK, VERIFICATION)}
