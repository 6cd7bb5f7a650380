"""Words for what is said of calls and pushes: a kind of status, and a message."""

from typing import Final

from controller.console.words import N_
from controller.management.resources.live_calls import LiveCallView, Stage
from controller.pushes.receiver import Failure
from controller.store.recordings import RecordingState
from controller.store.tables import Service

Word = tuple[str, str]

GOES_ON: Final = ("progress", N_("goes on"))

RESULTS: Final[dict[int, Word]] = {
    0: ("success", N_("ended normally")),
    7108: ("fail", N_("spent or stopped")),
    8000: ("fail", N_("lost by the platform")),
    8001: ("fail", N_("line or carrier failed")),
    8003: ("warn", N_("rang too long")),
    8005: ("fail", N_("speech failed")),
    8006: ("fail", N_("prompt missing")),
    8007: ("fail", N_("prompt not played")),
    8008: ("warn", N_("no key pressed")),
    8009: ("neutral", N_("first phone gave up")),
    8010: ("success", N_("time limit reached")),
    8017: ("neutral", N_("ended by request")),
    8100: ("fail", N_("number can't be called")),
    8101: ("warn", N_("no answer")),
    8102: ("warn", N_("line busy")),
    8103: ("warn", N_("not reachable")),
    8105: ("warn", N_("call rejected")),
}
"""By stateCode."""

FAILURES: Final = {
    Failure.ADDRESS: N_("The address is refused: it is none, or none that pushes may go to."),
    Failure.DNS: N_("The host's name can't be resolved."),
    Failure.CONNECT: N_("Nobody answers at the address: the receiver is down or behind a firewall."),
    Failure.TLS: N_("No secure connection: the certificate is not trusted, expired or another host's."),
    Failure.TIMEOUT: N_("The receiver took too long to answer."),
    Failure.CLOSED: N_("The receiver ended the connection without an answer."),
    Failure.HTTP: N_("The receiver answered, but not that it took the push."),
    Failure.BUSY: N_("Not sent: too many pushes wait for this receiver already."),
    Failure.DISABLED: N_("Not sent: the receiver is disabled."),
}
"""Why a push was not taken."""

RECORDINGS: Final = {
    RecordingState.PENDING: ("progress", N_("being fetched")),
    RecordingState.FETCHED: ("success", N_("there")),
    RecordingState.STORED: ("success", N_("there")),
    RecordingState.PURGED: ("neutral", N_("its time is over")),
    RecordingState.FAILED: ("fail", N_("lost on its node")),
    RecordingState.DISCARD: ("neutral", N_("too short to be kept")),
    RecordingState.DISCARDED: ("neutral", N_("too short to be kept")),
}

_STAGES: Final = {
    Stage.ACCEPTED: ("neutral", N_("waits to be dialled")),
    Stage.DIALLING: ("progress", N_("is dialled")),
    Stage.RINGING: ("progress", N_("rings")),
    Stage.ANSWERED: ("success", N_("has answered")),
}
_LEGS: Final = {
    (Stage.DIALLING, "a"): ("progress", N_("A is dialled")),
    (Stage.RINGING, "a"): ("progress", N_("A rings")),
    (Stage.ANSWERED, "a"): ("progress", N_("A has answered")),
    (Stage.DIALLING, "b"): ("progress", N_("B is dialled")),
    (Stage.RINGING, "b"): ("progress", N_("B rings")),
    (Stage.ANSWERED, "b"): ("success", N_("both talk")),
}


def result(state_code: int | None) -> Word:
    """How a call ended, in a word or two."""
    if state_code is None:
        return GOES_ON
    return RESULTS.get(state_code, ("fail", str(state_code)))


def stage(call: LiveCallView) -> Word:
    """How far a call has come."""
    if call.service is Service.CALLBACK and call.leg is not None:
        return _LEGS[call.stage, call.leg]
    return _STAGES[call.stage]


def failure(kind: str | None) -> str:
    """Why a push was not taken."""
    try:
        return FAILURES[Failure(kind or "")]
    except ValueError:
        return kind or ""
