"""Causes in words: Q.850 causes, SIP statuses and ends of calls. The one table of these words."""

from typing import Final

_Q850: Final = {
    1: "unallocated number",
    2: "no route to the transit network",
    3: "no route to the destination",
    16: "normal clearing",
    17: "user busy",
    18: "no user responding",
    19: "no answer from the user",
    20: "subscriber absent",
    21: "call rejected",
    22: "number changed",
    26: "non-selected user clearing",
    27: "destination out of order",
    28: "number incomplete",
    29: "facility rejected",
    31: "normal, unspecified",
    34: "no circuit available",
    38: "network out of order",
    41: "temporary failure",
    42: "switching equipment congestion",
    44: "requested circuit not available",
    47: "resource unavailable",
    50: "facility not subscribed",
    55: "incoming calls barred",
    57: "bearer capability not authorised",
    58: "bearer capability not available",
    63: "service not available",
    65: "bearer capability not implemented",
    69: "facility not implemented",
    79: "service not implemented",
    87: "user not in the closed group",
    88: "incompatible destination",
    102: "recovery on timer expiry",
    111: "protocol error",
    127: "interworking, unspecified",
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
    7108: "The account had spent what it may, or its calls were stopped",
    8000: "The platform lost the call",
    8001: "The line or the carrier failed at {who}",
    8003: "{Who} did not answer",
    8005: "What was to be said could not be synthesised, so nobody was called",
    8006: "A prompt's file was missing",
    8007: "A prompt could not be played to {who}",
    8008: "{Who} pressed no key in time",
    8009: "A hung up before B answered",
    8010: "The maximum duration was over",
    8017: "The call was ended by request",
    8100: "{Who} has a number that does not exist or can't be reached",
    8101: "{Who} did not answer",
    8102: "{Who} was busy",
    8103: "{Who} could not be reached",
    8105: "{Who} rejected the call",
}


def q850(cause: int) -> str:
    """A Q.850 cause in words; "" for one that the table lacks, and for 0, which is none."""
    return _Q850.get(cause, "")


def sip(status: int) -> str:
    """A SIP status in words (RFC 3261 and others); "" for one that the table lacks."""
    return _SIP.get(status, "")


def end(state_code: int, who: str) -> str:
    """How a call ended that did not end normally; `who` is the side that it ended at."""
    text = _ENDS.get(state_code, f"The call ended with {state_code}")
    return text.format(who=who, Who=who[0].upper() + who[1:])
