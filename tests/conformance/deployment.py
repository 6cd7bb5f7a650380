"""The deployment under test, as a customer knows it: an address, apps, numbers, and what it pushes.

Everything comes from the environment; the defaults are those of declaration.toml.
"""

import asyncio
import base64
import json
import os
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any

import aiohttp
from jsonschema import Draft202012Validator

from testbed.client import (
    CALLNOTIFY,
    CALLSTOP,
    CALLVERIFY,
    CLICK2CALL,
    Answer,
    aksk_headers,
    encoded_url,
)
from testbed.push_receiver import PushReceiver, StatusPush

PATHS = {"callnotify": CALLNOTIFY, "click2Call": CLICK2CALL, "callVerify": CALLVERIFY, "callStop": CALLSTOP}
_TLS_GOODBYE = 0.1
"""Seconds in which closed TLS connections end; the client's library tells nobody when."""

NO_PROOF: Mapping[str, str | None] = {"X-AKSK": None, "Authorization": None, "Content-Type": None}


@dataclass(frozen=True)
class Deployment:
    """Each field is the environment's CONFORMANCE_<FIELD>, but for `url`, which is VOICECALL_URL."""

    url: str
    notification_key: str = "conformance-notification"
    callback_key: str = "conformance-callback"
    verification_key: str = "conformance-verification"
    unrecorded_key: str = "conformance-unrecorded"
    """A callback app that may not record."""
    inactive_key: str = "conformance-inactive"
    small_key: str = "conformance-small"
    """A notification app that may have one call at a time."""
    elsewhere_key: str = "conformance-elsewhere"
    """A notification app that takes no requests from here."""
    slow_key: str = "conformance-slow"
    """A notification app that may have one call a second."""
    off_key: str = "conformance-off"
    """A notification app of an account that is switched off."""
    full_key: str = "conformance-full"
    """A notification app of an account that may have no call at a time."""
    limited_key: str = "conformance-limited"
    """A notification app whose account has lists, and lets a callee be called once an hour."""
    limited_callback_key: str = "conformance-limited-callback"
    """A callback app of the same account."""
    secret: str = "conformance-secret"
    """Of all apps."""
    signing: str = "newline"
    """Form in which pushes carry X-AKSK: newline, concatenated or off (`pushes.signing`)."""
    webhook_secrets: str = "whsec_Y29uZm9ybWFuY2U6IHRoZSBvbGQgb25l whsec_Y29uZm9ybWFuY2U6IHRoZSBuZXcgb25l"
    """Of the notification app, with blanks between them; empty if the deployment has no Standard Webhooks."""
    login_user: str = "conformance+user="
    """With which, and the password, the notification app logs in."""
    login_password: str = "raw password+="
    display: str = "+8657126880091"
    second_display: str = "+8657126880092"
    full_display: str = "+8657126880093"
    """Of the account that may have no call."""
    limited_display: str = "+8657126880094"
    busy_display: str = "+8657126880095"
    """That no call may show."""
    foreign_display: str = "+8657126880999"
    """A number that is not the account's."""
    sound: str = "conformance.wav"
    template: str = "conformance-parcel"
    """One variable of up to eight characters."""
    number_template: str = "conformance-number"
    """One variable of up to four digits."""
    draft_template: str = "conformance-draft"
    simulated: str = "+999"
    """Prefix of callees without a phone."""
    push_address: str = "127.0.0.1"
    """Where the suite takes pushes; the deployment must reach it."""

    @classmethod
    def of_environment(cls, **given: str) -> "Deployment":
        told = {name: os.environ.get(f"CONFORMANCE_{name.upper()}") for name in cls._names()}
        return cls(**{name: value for name, value in told.items() if value is not None}, **given)

    @classmethod
    def _names(cls) -> list[str]:
        return [each.name for each in fields(cls) if each.name != "url"]

    def callee(self, behaviour: str = "017 00 000") -> str:
        """A simulated callee that nobody else calls; `behaviour` is what stands behind the prefix.

        One that is busy at once unless told otherwise: a request is accepted, and its call costs nothing.
        """
        digits = behaviour.replace(" ", "")
        if digits.startswith("016"):
            return f"{self.simulated}{digits}"
        return f"{self.simulated}{digits}{secrets.randbelow(10**9):09}"

    def key_of(self, operation: str) -> str:
        """The app that may ask for it."""
        keys = {"click2Call": self.callback_key, "callVerify": self.verification_key}
        return keys.get(operation, self.notification_key)

    def request(self, operation: str) -> dict[str, Any]:
        """The smallest request that is accepted."""
        numbers = {"displayNbr": self.display, "calleeNbr": self.callee()}
        match operation:
            case "callnotify":
                return {**numbers, "playInfoList": [{"notifyVoice": self.sound}]}
            case "click2Call":
                return {**numbers, "callerNbr": self.callee(), "displayCalleeNbr": self.second_display}
            case "callVerify":
                return {**numbers, "languageType": 2, "preTone": self.sound, "verifyCode": "4829"}
            case _:
                return {"sessionid": "1200_1_1_20240506070809@nowhere.example", "signal": "call_stop"}


@dataclass
class Customer:
    """A customer's program and its push server."""

    at: Deployment
    http: aiohttp.ClientSession
    receiver: PushReceiver

    @classmethod
    @asynccontextmanager
    async def of(cls, deployment: Deployment) -> AsyncIterator["Customer"]:
        connector = aiohttp.TCPConnector(ssl=False)
        async with (
            aiohttp.ClientSession(deployment.url, connector=connector) as http,
            PushReceiver.start(address=deployment.push_address) as receiver,
        ):
            yield cls(deployment, http, receiver)
        if deployment.url.startswith("https:"):
            await asyncio.sleep(_TLS_GOODBYE)

    async def send(
        self,
        method: str,
        path: str,
        body: Any = None,
        headers: Mapping[str, str | None] | None = None,
        *,
        key: str | None = None,
    ) -> Answer:
        """One request, signed for an app; `headers` replace or (None) remove."""
        signed = aksk_headers(key or self.at.notification_key, self.at.secret)
        sent = {name: it for name, it in {**signed, **(headers or {})}.items() if it is not None}
        data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        async with self.http.request(
            method, path, data=data, headers=sent, allow_redirects=False, skip_auto_headers=["Content-Type"]
        ) as answer:
            return Answer(answer.status, dict(answer.headers), await answer.text())

    async def ask(self, operation: str, body: Any, *, key: str | None = None) -> Answer:
        """Ask for an operation with the app whose service it is."""
        return await self.send("POST", PATHS[operation], body, key=key or self.at.key_of(operation))

    def pushed(self) -> dict[str, str]:
        """The members of a request that have its pushes sent here."""
        return {
            "statusUrl": encoded_url(self.receiver.url("/s")),
            "feeUrl": encoded_url(self.receiver.url("/f")),
        }

    async def call(self, operation: str, **members: Any) -> str:
        """A call that must be accepted and pushes here; returns its sessionId."""
        answer = await self.ask(operation, {**self.at.request(operation), **self.pushed(), **members})
        assert (answer.status, answer.code) == (200, "0"), answer.text
        return answer.session_id

    async def over(self, session_id: str, timeout: float = 30) -> tuple[list[StatusPush], dict[str, Any]]:
        """All status pushes and the one CDR of a call."""
        cdr = await self.receiver.wait_cdr(session_id, timeout)
        await self.receiver.wait_status(session_id, "disconnect", timeout)
        assert len(self.receiver.cdrs(session_id)) == 1
        return self.receiver.statuses(session_id), cdr


def url_of_length(characters: int) -> str:
    """A statusUrl of so many characters in its Base64 form."""
    text = "http://127.0.0.1:9/" + "x" * (characters * 3 // 4 - 19)
    made = base64.b64encode(text.encode()).decode()
    assert len(made) == characters
    return made


@cache
def document() -> dict[str, Any]:
    """The API as it is documented."""
    path = Path(__file__).parents[2] / "docs/reference/openapi.json"
    made = json.loads(path.read_text("utf-8"))
    assert isinstance(made, dict)
    return made


def check_push(name: str, message: Any) -> None:
    """Hold a push against its schema. Raises jsonschema.ValidationError."""
    schema = document()["webhooks"][name]["post"]["requestBody"]["content"]["application/json"]["schema"]
    Draft202012Validator({**schema, "components": document()["components"]}).validate(message)
