"""Result codes of the wire API: code, HTTP status and text, in one table; and which error gets which.

Source: wire API document 7.1. Statuses outside the 400 block and the start of the 403 block are inferred.
"""

import json
import math
from dataclasses import dataclass
from datetime import timedelta
from typing import Any


@dataclass(frozen=True)
class Result:
    """One row of the result table."""

    code: str
    status: int
    text: str


_ROWS = (
    ("0", 200, "Success"),
    ("1010001", 500, "Internal system error."),
    ("1010002", 403, "Invalid request."),
    ("1010003", 403, "Invalid app_key."),
    ("1010004", 403, "Invalid access_token."),
    ("1010005", 403, "The access_token has expired."),
    ("1010006", 403, "Invalid Rest API."),
    ("1010007", 403, "The ativeState of User is not ACTIVATING."),
    ("1010008", 403, "The status of the app_key is unavailable."),
    ("1010009", 403, "No more APIs can be invoked."),
    ("1010010", 403, "The flow control upper limit is reached on the platform."),
    ("1010013", 401, "Time out limit."),
    ("1010022", 403, "Invalid verification code."),
    ("1010023", 403, "Display number invalid."),
    ("1010024", 403, "Invalid caller number."),
    ("1010040", 403, "The app_key is not allowed to invoke the API."),
    ("1012002", 403, "The template ID is not approved."),
    ("1012003", 403, "The template ID does not exist."),
    # The cloud's own text; it means: more or fewer templateParas than the template has variables.
    ("1012004", 403, "The template ID does not exist."),
    ("1012005", 403, "%s of templateParas does not meet template requirements."),
    ("1012012", 403, "Application does not open recording function."),
    ("1013001", 403, "Calls exceed the SP limit."),
    ("1013002", 403, "Calls exceed the APP limit."),
    ("1013003", 403, "Calls exceed the display number limit."),
    ("1013004", 403, "Callee in blacklist."),
    ("1013010", 403, "Caller in blacklist."),
    ("1013011", 403, "Callee is not on the whitelist."),
    ("1013112", 403, "International callout is forbidden."),
    # The cloud's text is not known.
    ("1013117", 403, "The call frequency of the callee exceeds the limit."),
    ("1013121", 403, "Call black time forbidden."),
    ("1016002", 403, "The record does not exist."),
    ("1020152", 403, "Invalid Call SessionId."),
    ("1020165", 403, "The appkey call port of using exceeds the limited."),
    ("1020166", 403, "The app client ip is not in ip white list."),
    ("1020176", 403, "Authentication failed, try again later."),
    ("1023006", 400, "Authorization not contained in the HTTP header."),
    ("1023007", 400, "realm not contained in Authorization."),
    ("1023008", 400, "profile not contained in Authorization."),
    ("1023009", 400, "The value of realm in Authorization must be SDP."),
    ("1023010", 400, "The value of profile in Authorization must be UsernameToken."),
    ("1023011", 400, "The value of type in Authorization must be app_key."),
    ("1023012", 400, "type not contained in Authorization."),
    ("1023013", 400, "WSSE not contained in Authorization."),
    ("1023026", 400, "X-WSSE not contained in the HTTP header."),
    ("1023027", 400, "Username not contained in X-WSSE."),
    ("1023028", 400, "Nonce not contained in X-WSSE."),
    ("1023029", 400, "Created not contained in X-WSSE."),
    ("1023030", 400, "PasswordDigest not contained in X-WSSE."),
    ("1023031", 400, "UsernameToken not contained in X-WSSE."),
    ("1023033", 400, "HTTP header not found X-AKSK field."),
    ("1023034", 400, "UserName not contained in X-AKSK."),
    ("1023035", 400, "Nonce not contained in X-AKSK."),
    ("1023036", 400, "Created not contained in X-AKSK."),
    ("1023037", 400, "PasswordDigest not contained in X-AKSK."),
    ("1023038", 400, "UsernameToken not contained in X-AKSK."),
)

RESULTS = {code: Result(code, status, text) for code, status, text in _ROWS}


class WireError(Exception):
    """A request is refused with a row of the table.

    `detail` takes the place of %s in the text, else it follows the text, without a space between.

    `status` overrides the row's HTTP status where the kind of trouble is known better than its code;
    `passes_in` is when the same request may succeed, if that comes by itself.
    """

    def __init__(
        self, code: str, detail: str = "", *, status: int | None = None, passes_in: timedelta | None = None
    ) -> None:
        self.result = RESULTS[code]
        self.status = status or self.result.status
        self.detail = detail
        self.passes_in = passes_in
        text = self.result.text
        self.text = text.replace("%s", detail) if "%s" in text else f"{text}{detail}"
        super().__init__(f"{code} {self.text}")

    @property
    def body(self) -> dict[str, Any]:
        return {"resultcode": self.result.code, "resultdesc": self.text[:128]}

    @property
    def headers(self) -> dict[str, str]:
        if self.passes_in is None:
            return {}
        # In whole seconds, and never too early.
        return {"Retry-After": str(math.ceil(self.passes_in.total_seconds()))}


def written(body: Any) -> str:
    """The text of an answer as the cloud writes it, without spaces: some programs look for text in it."""
    return json.dumps(body, separators=(",", ":"))


def invalid_request(detail: str) -> WireError:
    """1010002 with the parameter and what is wrong with it."""
    return WireError("1010002", detail)
