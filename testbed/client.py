"""A customer's program: calls the API with X-AKSK, written from the API's description alone."""

import asyncio
import base64
import hashlib
import hmac
import json
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import aiohttp

CALLNOTIFY = "/rest/httpsessions/callnotify/v2.0"
CLICK2CALL = "/rest/httpsessions/click2Call/v2.0"
CALLVERIFY = "/rest/httpsessions/callVerify/v1.0"
CALLSTOP = "/rest/httpsessions/callStop/v2.0"
RECORDING = "/rest/provision/voice/record/v1.0"

OVERLOADED = "1010010"
"""The platform has too much to do."""


@dataclass(frozen=True)
class Answer:
    """What the API said."""

    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def body(self) -> dict[str, Any]:
        body = json.loads(self.text)
        assert isinstance(body, dict)
        return body

    @property
    def code(self) -> str:
        return str(self.body["resultcode"])

    @property
    def description(self) -> str:
        return str(self.body["resultdesc"])

    @property
    def session_id(self) -> str:
        return str(self.body["sessionId"])


def encoded_url(url: str) -> str:
    """An address as statusUrl and feeUrl carry it."""
    return base64.b64encode(url.encode()).decode()


def aksk_headers(
    app_key: str, secret: str, *, nonce: str | None = None, created: str | None = None
) -> dict[str, str]:
    """The headers of a request that is made now."""
    nonce = nonce or secrets.token_hex(16)
    created = created or datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    mac = hmac.new(secret.encode(), (nonce + created).encode(), hashlib.sha256).digest()
    digest = base64.b64encode(mac).decode()
    return {
        "Content-Type": "application/json;charset=UTF-8",
        "Authorization": 'AKSK realm="SDP",profile="UsernameToken",type="Appkey"',
        "X-AKSK": f'UsernameToken Username="{app_key}", PasswordDigest="{digest}", '
        f'Nonce="{nonce}", Created="{created}"',
    }


def wsse_headers(
    app_key: str, secret: str, *, of_hex_text: bool = False, nonce: str | None = None
) -> dict[str, str]:
    """The headers of the years 2019 to 2021; demos of that time encode the hex text of the digest."""
    nonce, created = nonce or secrets.token_hex(16), datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    digest = hashlib.sha256((nonce + created + secret).encode())
    encoded = base64.b64encode(digest.hexdigest().encode() if of_hex_text else digest.digest()).decode()
    return {
        "Content-Type": "application/json; charset=UTF-8",
        "Authorization": 'WSSE realm="SDP", profile="UsernameToken", type="Appkey"',
        "X-WSSE": f'UsernameToken Username="{app_key}",PasswordDigest="{encoded}",'
        f'Nonce="{nonce}",Created="{created}"',
    }


async def patiently(ask: Callable[[], Awaitable[Answer]]) -> Answer:
    """Ask; and again when it is time, for half a minute, if the platform has too much to do."""
    async with asyncio.timeout(30):
        while (answer := await ask()).code == OVERLOADED:  # noqa: ASYNC110 - it says when to ask again
            await asyncio.sleep(float(answer.headers["Retry-After"]))
    return answer


class ApiClient:
    """Requests of one application."""

    def __init__(self, http: aiohttp.ClientSession, app_key: str, secret: str) -> None:
        self._http = http
        self.app_key = app_key
        self.secret = secret

    @classmethod
    @asynccontextmanager
    async def open(cls, url: str, app_key: str, secret: str) -> AsyncIterator["ApiClient"]:
        """A client of the API at `url`."""
        timeout = aiohttp.ClientTimeout(total=15)
        async with aiohttp.ClientSession(url, timeout=timeout) as http:
            yield cls(http, app_key, secret)

    async def post(self, path: str, body: Any, headers: Mapping[str, str | None] | None = None) -> Answer:
        """Post `body` (bytes as they are, anything else as JSON); `headers` replace or (None) remove."""
        merged = {**aksk_headers(self.app_key, self.secret), **(headers or {})}
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        sent = {name: value for name, value in merged.items() if value is not None}
        async with self._http.post(path, data=data, headers=sent) as answer:
            return Answer(answer.status, dict(answer.headers), await answer.text())

    async def notify(self, body: Mapping[str, Any], **headers: str | None) -> Answer:
        """Ask for a voice notification."""
        return await self.post(CALLNOTIFY, body, headers)

    async def recording(self, name: str, domain: str = "voicecall") -> bytes | None:
        """The recording that a CDR names, over its signed link; None as long as there is none."""
        query = {"fileName": name, "recordDomain": domain}
        headers = aksk_headers(self.app_key, self.secret)
        async with self._http.get(RECORDING, params=query, headers=headers, allow_redirects=False) as answer:
            if answer.status != 301:
                return None
            link = answer.headers["Location"]
        async with self._http.get(link) as file:
            file.raise_for_status()
            return await file.read()
