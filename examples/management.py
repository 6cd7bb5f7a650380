"""An operator's program: works with the management API. Python's standard library alone."""

import json
import secrets
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any


class Refused(Exception):
    """The API refused; the text says why, `problem` is its whole answer."""

    def __init__(self, problem: Mapping[str, Any]) -> None:
        super().__init__(problem["detail"])
        self.problem = problem


class Management:
    """The management API, as the owner of a token sees it."""

    def __init__(self, url: str, token: str) -> None:
        self._url = f"{url}/api/v1"
        self._token = token

    @classmethod
    def log_in(cls, url: str, login: str, password: str) -> "Management":
        """Log in, make a token for a day, and go on with that. Raises Refused."""
        credentials = json.dumps({"login": login, "password": password}).encode()
        headers = {"Content-Type": "application/json"}
        begun, cookie = _ask("POST", f"{url}/api/v1/session", credentials, headers)
        headers |= {"Cookie": cookie["Set-Cookie"].partition(";")[0], "X-CSRF-Token": begun["csrf_token"]}
        wanted = {"name": "examples/management.py", "role": begun["role"], "days": 1}
        made, _headers = _ask("POST", f"{url}/api/v1/tokens", json.dumps(wanted).encode(), headers)
        return cls(url, made["token"])

    def get(self, path: str) -> dict[str, Any]:
        """What is there. Raises Refused."""
        return self._ask("GET", path)[0]

    def post(self, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Create something, or take a step. Raises Refused."""
        return self._ask("POST", path, body, {"Idempotency-Key": secrets.token_hex(16)})[0]

    def change(self, path: str, **fields: Any) -> dict[str, Any]:
        """Change fields of what is there, unless somebody else changed it meanwhile. Raises Refused."""
        _present, headers = self._ask("GET", path)
        return self._ask("PATCH", path, fields, {"If-Match": headers["ETag"]})[0]

    def _ask(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, more: Mapping[str, str] = {}
    ) -> tuple[dict[str, Any], Mapping[str, str]]:
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json", **more}
        return _ask(
            method, self._url + path, json.dumps(body).encode() if body is not None else None, headers
        )


def _ask(
    method: str, url: str, data: bytes | None, headers: Mapping[str, str]
) -> tuple[dict[str, Any], Mapping[str, str]]:
    request = urllib.request.Request(url, data, dict(headers), method=method)
    try:
        with urllib.request.urlopen(request, timeout=15) as answer:
            return json.load(answer), answer.headers
    except urllib.error.HTTPError as refusal:
        with refusal:
            raise Refused(json.load(refusal)) from None
