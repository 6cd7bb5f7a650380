"""Causes in words: of Q.850, of SIP, of ends of calls, of failed pushes. The one table of these words."""

from typing import Final

from controller.wording import N_, Say, english

_Q850: Final = {
    1: N_("unallocated number"),
    2: N_("no route to the transit network"),
    3: N_("no route to the destination"),
    16: N_("normal clearing"),
    17: N_("user busy"),
    18: N_("no user responding"),
    19: N_("no answer from the user"),
    20: N_("subscriber absent"),
    21: N_("call rejected"),
    22: N_("number changed"),
    26: N_("non-selected user clearing"),
    27: N_("destination out of order"),
    28: N_("number incomplete"),
    29: N_("facility rejected"),
    31: N_("normal, unspecified"),
    34: N_("no circuit available"),
    38: N_("network out of order"),
    41: N_("temporary failure"),
    42: N_("switching equipment congestion"),
    44: N_("requested circuit not available"),
    47: N_("resource unavailable"),
    50: N_("facility not subscribed"),
    55: N_("incoming calls barred"),
    57: N_("bearer capability not authorised"),
    58: N_("bearer capability not available"),
    63: N_("service not available"),
    65: N_("bearer capability not implemented"),
    69: N_("facility not implemented"),
    79: N_("service not implemented"),
    87: N_("user not in the closed group"),
    88: N_("incompatible destination"),
    102: N_("recovery on timer expiry"),
    111: N_("protocol error"),
    127: N_("interworking, unspecified"),
}

_SIP: Final = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    407: "Proxy Authentication Required",
    408: "Request Timeout",
    410: "Gone",
    415: "Unsupported Media Type",
    420: "Bad Extension",
    480: "Temporarily Unavailable",
    481: "Call Does Not Exist",
    482: "Loop Detected",
    483: "Too Many Hops",
    484: "Address Incomplete",
    485: "Ambiguous",
    486: "Busy Here",
    487: "Request Terminated",
    488: "Not Acceptable Here",
    500: "Server Internal Error",
    501: "Not Implemented",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Server Time-out",
    513: "Message Too Large",
    600: "Busy Everywhere",
    603: "Decline",
    604: "Does Not Exist Anywhere",
    606: "Not Acceptable",
    607: "Unwanted",
}

_ENDS: Final = {
    7108: N_("The account had spent what it may, or its calls were stopped"),
    8000: N_("The platform lost the call"),
    8001: N_("The line or the carrier failed at %(who)s"),
    8003: N_("%(Who)s did not answer"),
    8005: N_("What was to be said could not be synthesised, so nobody was called"),
    8006: N_("A prompt's file was missing"),
    8007: N_("A prompt could not be played to %(who)s"),
    8008: N_("%(Who)s pressed no key in time"),
    8009: N_("A hung up before B answered"),
    8010: N_("The maximum duration was over"),
    8017: N_("The call was ended by request"),
    8100: N_("%(Who)s has a number that does not exist or can't be reached"),
    8101: N_("%(Who)s did not answer"),
    8102: N_("%(Who)s was busy"),
    8103: N_("%(Who)s could not be reached"),
    8105: N_("%(Who)s rejected the call"),
}

TOLD: Final = (
    N_("The user releases the call."),
    N_("No key was pressed in time."),
    N_("Text-to-speech conversion failed."),
    N_("The prompt file is missing."),
    N_("Playing to the user failed."),
    N_("Internal error."),
    N_("The platform was interrupted during the call."),
    N_("The voice node was lost during the call."),
    N_("Ringing timed out."),
    N_("The called network did not answer."),
    N_("The call was ended by request."),
    N_("The account has spent what it may, or its calls were stopped."),
    N_("The maximum duration is over."),
    N_("The caller hung up before the callee was called."),
    N_("The caller hung up before the callee rang."),
    N_("The caller hung up while the callee rang."),
    N_("The called number does not exist."),
    N_("There is no route to the called number."),
    N_("Callee busy."),
    N_("The callee cannot be reached at present."),
    N_("The callee did not answer."),
    N_("The callee rejected the call."),
    N_("The called number has changed."),
    N_("The called number is not complete."),
    N_("The line or the carrier failed."),
)
"""What status pushes say of ends, in English (`controller/calls/outcome.py`); here for those who read."""


_NOT_PUSHED: Final = {
    "address": N_("address refused"),
    "dns": N_("host unknown"),
    "connect": N_("nobody answers"),
    "tls": N_("no secure connection"),
    "timeout": N_("no answer in time"),
    "closed": N_("connection ended without an answer"),
    "http": N_("not the right answer"),
    "busy": N_("not sent, too many wait"),
    "disabled": N_("not sent, receiver disabled"),
}
"""Why a push was not taken, by the kind of failure."""


def not_pushed(failure: str, say: Say = english) -> str:
    """A kind of failure in words; itself if there are none."""
    return say(_NOT_PUSHED[failure]) if failure in _NOT_PUSHED else failure


def q850(cause: int, say: Say = english) -> str:
    """A Q.850 cause in words; "" for one that the table lacks, and for 0, which is none."""
    return say(_Q850[cause]) if cause in _Q850 else ""


def sip(status: int) -> str:
    """A SIP status in words, which are those of the protocol (RFC 3261 and others); "" for an unknown one."""
    return _SIP.get(status, "")


def end(state_code: int, who: str, say: Say = english) -> str:
    """How a call ended that did not end normally; `who` is the side that it ended at."""
    if state_code not in _ENDS:
        return say("The call ended with %(code)s") % {"code": state_code}
    return say(_ENDS[state_code]) % {"who": who, "Who": who[0].upper() + who[1:]}
