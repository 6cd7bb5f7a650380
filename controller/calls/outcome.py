"""How a call ended, in the codes of the wire API: one table for failed legs, one value for each other end.

Sources: stateCode 7.2, ulFailReason 7.3, Q.850 7.4 and the mapping 7.5 of the wire API document.
"""

from dataclasses import dataclass, replace
from typing import Self


@dataclass(frozen=True)
class Outcome:
    """The end of a call: `state_code` for the status push, the rest for the CDR."""

    state_code: int
    text: str
    cut_point: int
    """ulFailReason: where the call was cut."""
    sip_status: int = 0
    cause: int = 0
    """Q.850 cause of the leg that failed."""
    leg: str | None = None
    """The leg that ended the call; None if the platform did."""

    def on_leg(self, leg: str, sip_status: int = 0, cause: int = 0) -> Self:
        return replace(self, leg=leg, sip_status=sip_status, cause=cause)


NORMAL = Outcome(0, "The user releases the call.", 0)
NO_DIGITS = Outcome(8008, "No key was pressed in time.", 100)
SPEECH_FAILED = Outcome(8005, "Text-to-speech conversion failed.", 8005)
PROMPT_MISSING = Outcome(8006, "The prompt file is missing.", 524)
PLAY_FAILED = Outcome(8007, "Playing to the user failed.", 8007)
INTERNAL_ERROR = Outcome(8000, "Internal error.", 8000)
INTERRUPTED = Outcome(8000, "The platform was interrupted during the call.", 8000)
NODE_LOST = Outcome(8000, "The voice node was lost during the call.", 8000)
RING_TIMEOUT = Outcome(8003, "Ringing timed out.", 514)
CALL_TIMEOUT = Outcome(8001, "The called network did not answer.", 513)
STOPPED = Outcome(8017, "The call was ended by request.", 1003, cause=16)
CUT_OFF = Outcome(7108, "The account has spent what it may, or its calls were stopped.", 7108, cause=16)
MAX_DURATION = Outcome(8010, "The maximum duration is over.", 0, cause=16)
CALLER_GAVE_UP_FIRST = Outcome(8009, "The caller hung up before the callee was called.", 530, 487, 16, "a")
CALLER_GAVE_UP = Outcome(8009, "The caller hung up before the callee rang.", 553, 487, 16, "a")
CALLER_GAVE_UP_RINGING = Outcome(8009, "The caller hung up while the callee rang.", 552, 487, 16, "a")

_FAR_END_FAILED, _LOCAL_CALL_FAILED = 518, 519
"""Cut points of a second leg and of a first (or only) leg that failed."""

_BY_CAUSE = {
    1: (8100, "The called number does not exist."),
    3: (8100, "There is no route to the called number."),
    17: (8102, "Callee busy."),
    18: (8103, "The callee cannot be reached at present."),
    19: (8101, "The callee did not answer."),
    20: (8103, "The callee cannot be reached at present."),
    21: (8105, "The callee rejected the call."),
    22: (8100, "The called number has changed."),
    27: (8103, "The callee cannot be reached at present."),
    28: (8100, "The called number is not complete."),
}
_LINE_FAULT = (8001, "The line or the carrier failed.")

_BY_SIP_STATUS = {404: 1, 410: 22, 484: 28, 486: 17, 600: 17, 603: 21, 604: 1, 607: 21, 408: 19, 403: 21}
"""Where the SIP status says more than the cause that Asterisk makes of it."""

_UNSPECIFIC_CAUSES = {0, 16, 31, 127}

_TURNED_AWAY = {401, 403, 407}
"""SIP statuses by which a carrier refuses who calls, such as an address that it doesn't know."""


def is_trunk_failure(sip_status: int) -> bool:
    """Whether a leg that never rang failed at the trunk, so that another one may help; not at the person."""
    return 500 <= sip_status < 600


def speaks_against_trunk(outcome: Outcome) -> bool:
    """Whether a leg that never rang may have failed at the trunk as this node has it; not at the person."""
    status = outcome.sip_status
    return outcome.state_code == _LINE_FAULT[0] or is_trunk_failure(status) or status in _TURNED_AWAY


def failed_leg(leg: str, cause: int, sip_status: int, *, second_leg: bool = False) -> Outcome:
    """The outcome of a leg that the far end (or the trunk) did not let come about.

    `cause` is Asterisk's Q.850 cause, which is the far end's own if it sent a Reason header.
    """
    if cause in _UNSPECIFIC_CAUSES or (sip_status == 408 and cause in (3, 18)):
        cause = _BY_SIP_STATUS.get(sip_status, 19 if sip_status == 480 else cause)
    state_code, text = _BY_CAUSE.get(cause, _LINE_FAULT)
    if cause in (19,) or state_code == 8101:
        cut_point = 514
    else:
        cut_point = _FAR_END_FAILED if second_leg else _LOCAL_CALL_FAILED
    return Outcome(state_code, text, cut_point, sip_status, cause, leg)
