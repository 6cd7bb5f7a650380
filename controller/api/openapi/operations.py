"""The operations of the wire API: what each is for, what it takes, which codes it can answer, an example."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from controller.api.wire.body import WireModel
from controller.api.wire.requests import (
    CallNotifyRequest,
    CallStopRequest,
    CallVerifyRequest,
    Click2CallRequest,
)
from controller.api.wire.results import RESULTS

_AUTHENTICATION = {code for code in RESULTS if code.startswith("10230")} | {
    "1010001",
    "1010002",
    "1010003",
    "1010004",
    "1010005",
    "1010006",
    "1010008",
    "1010013",
    "1020166",
    "1020176",
}
_OF_ONE = {
    "1010009": "refresh",
    "1010022": "callVerify",
    "1010024": "click2Call",
    "1012002": "callnotify",
    "1012003": "callnotify",
    "1012004": "callnotify",
    "1012005": "callnotify",
    "1012012": "click2Call",
    "1013010": "click2Call",
    "1016002": "record",
    "1020152": "callStop",
}
"""Codes that one operation alone answers."""


@dataclass(frozen=True)
class Operation:
    """One path of the API."""

    name: str
    method: str
    path: str
    summary: str
    text: str
    body: type[WireModel] | None = None
    example: Mapping[str, Any] | None = None
    query: Mapping[str, str] = field(default_factory=dict)
    """Parameter -> what it is; all must be there."""
    starts_call: bool = False
    tokens: bool = False
    """Part of the token API: it has answers and proofs of its own."""

    def codes(self) -> list[str]:
        """The result codes that it can answer, 0 apart."""
        common = set(RESULTS) - {"0", *_OF_ONE} if self.starts_call else _AUTHENTICATION
        own = {code for code, name in _OF_ONE.items() if name == self.name}
        return sorted(code for code in common | own if code in RESULTS)


_SHOWN, _CALLEE = "+8657126880001", "+99901601003"
_SESSIONS = "/rest/httpsessions"

OPERATIONS = (
    Operation(
        "callnotify",
        "post",
        f"{_SESSIONS}/callnotify/{{version}}",
        "Voice notification",
        "Calls one phone, plays sound files and spoken templates, and collects digits. Both versions are the "
        "same.",
        CallNotifyRequest,
        {
            "displayNbr": _SHOWN,
            "calleeNbr": f"{_CALLEE}1",
            "playInfoList": [{"notifyVoice": "welcome.wav", "collectInd": 1}],
            "userData": "order-77",
        },
        starts_call=True,
    ),
    Operation(
        "click2Call",
        "post",
        f"{_SESSIONS}/click2Call/v2.0",
        "Voice callback",
        "Calls A, then B, and joins them. Neither sees the other's number.",
        Click2CallRequest,
        {
            "displayNbr": _SHOWN,
            "callerNbr": "+99901601000",
            "displayCalleeNbr": _SHOWN,
            "calleeNbr": _CALLEE,
            "maxDuration": 30,
            "partyTypeRequiredInDisconnect": "true",
            "userData": "order-78",
        },
        starts_call=True,
    ),
    Operation(
        "callVerify",
        "post",
        f"{_SESSIONS}/callVerify/v1.0",
        "Voice verification code",
        "Calls one phone and reads out a code, digit by digit.",
        CallVerifyRequest,
        {
            "displayNbr": _SHOWN,
            "calleeNbr": _CALLEE,
            "languageType": 2,
            "preTone": "welcome.wav",
            "verifyCode": "482913",
            "times": 2,
            "returnIdlePort": "true",
        },
        starts_call=True,
    ),
    Operation(
        "callStop",
        "post",
        f"{_SESSIONS}/callStop/v2.0",
        "End a call",
        "Ends a call of the same app at any stage; 1020152 if it is over already.",
        CallStopRequest,
        {
            "sessionid": "1200_1_4294967295_20261124070810@callenabler1.voicecall.example",
            "signal": "call_stop",
        },
    ),
    Operation(
        "record",
        "get",
        "/rest/provision/voice/record/v1.0",
        "Where a recording can be downloaded",
        "Answers 301 with a signed link in `Location` that expires. There is a body only when it is refused.",
        query={
            "fileName": "`recordObjectName` of the CDR, 1 to 128 characters",
            "recordDomain": "`recordDomain` of the CDR, 1 to 128 characters",
        },
    ),
    Operation(
        "fastlogin",
        "post",
        "/rest/fastlogin/v1.0",
        "Log in (old clients)",
        "Gives an access token; the one before is void. The raw password stands in `Authorization`.",
        query={"app_key": "the app", "username": "the app's login"},
        tokens=True,
    ),
    Operation(
        "refresh",
        "post",
        "/omp/oauth/refresh",
        "Renew a token (old clients)",
        "Gives a new access token; the one before is void. Parameters stand in the query or in a form body.",
        query={
            "app_key": "the app",
            "app_secret": "its secret",
            "grant_type": "`refresh_token`",
            "refresh_token": "from the last login or refresh",
        },
        tokens=True,
    ),
    Operation(
        "logout",
        "post",
        "/rest/logout/v1.0",
        "Give a token back (old clients)",
        "The token is void from now on.",
        query={"access_token": "the token"},
    ),
    Operation(
        "refreshkey",
        "post",
        "/rest/refreshkey/v2.0",
        "Renew a key of object storage (old clients)",
        "There is no such key here; the answer is that of success.",
        query={"access_token": "the token"},
    ),
)
