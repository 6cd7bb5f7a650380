"""What integration tests work with."""

import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from controller.settings import CallSettings
from controller.wiring import Controller
from testbed.client import (
    CALLSTOP,
    CALLVERIFY,
    CLICK2CALL,
    Answer,
    ApiClient,
    aksk_headers,
    encoded_url,
    patiently,
)
from testbed.controller_process import controller_process
from testbed.platform import Platform
from testbed.push_receiver import Push, PushReceiver, StatusPush
from testbed.softphone import Softphone
from testbed.sounds import distinct_prompt

SHOWN = "+8657126880001"
CALLED = "+8613900001111"
APP_KEY, SECRET = "test-app", "test-app-secret"

LOGIN_USER, LOGIN_PASSWORD = "test-user", "raw password+"
"""With what programs of the token generation log in."""

SECOND_SHOWN = "+8657126880002"
SECOND = "+8613900002222"
"""Of a callback: the number shown to B, and B."""

CALLBACK_KEY, VERIFY_KEY = "callback-app", "verify-app"

QUICK = CallSettings(
    ring_timeout=1.5,
    trunk_timeout=0.6,
    first_digit_timeout=2.0,
    inter_digit_timeout=1.5,
    drain_timeout=0.2,
    minute=2.0,
)
"""The same rules in small units."""

HEARD = 0.75
"""Share of a prompt's pieces that a phone must have heard: a frame that a busy machine loses makes it no
other prompt."""

PROMPTS = {"one.wav": (1, 1.0), "two.wav": (2, 1.0), "long.wav": (3, 6.0), "wait.wav": (4, 1.5)}
"""Name -> seed and seconds."""


@dataclass
class Bench:
    """What a test has."""

    home: Platform
    receiver: PushReceiver
    phones: dict[str, Softphone]
    stack: AsyncExitStack
    controller: Controller = field(init=False)
    client: ApiClient = field(init=False)
    _controller: AsyncExitStack = field(init=False)

    @property
    def phone(self) -> Softphone:
        return self.phones[CALLED]

    def request(self, *items: Mapping[str, Any], callee: str = CALLED, **more: Any) -> dict[str, Any]:
        """A notification that pushes to the receiver; items are names of prompts or whole items."""
        return {
            "displayNbr": SHOWN,
            "calleeNbr": callee,
            "playInfoList": list(items) or [{"notifyVoice": "one.wav"}],
            "statusUrl": encoded_url(self.receiver.url("/status")),
            "feeUrl": encoded_url(self.receiver.url("/fee")),
            **more,
        }

    async def notify(self, *items: Mapping[str, Any], **more: Any) -> str:
        """Ask for a notification that must be accepted; returns its session id."""
        answer = await patiently(lambda: self.client.notify(self.request(*items, **more)))
        assert answer.code == "0", answer.text
        return answer.session_id

    async def ask_call_back(self, **fields: Any) -> Answer:
        """Ask for a callback between CALLED and SECOND."""
        body = {
            "displayNbr": SHOWN,
            "callerNbr": CALLED,
            "displayCalleeNbr": SECOND_SHOWN,
            "calleeNbr": SECOND,
            "statusUrl": encoded_url(self.receiver.url("/status")),
            "feeUrl": encoded_url(self.receiver.url("/fee")),
            **fields,
        }
        return await self.client.post(CLICK2CALL, body, aksk_headers(CALLBACK_KEY, SECRET))

    async def call_back(self, **fields: Any) -> str:
        """Ask for a callback that must be accepted; returns its session id."""
        answer = await patiently(lambda: self.ask_call_back(**fields))
        assert answer.code == "0", answer.text
        return answer.session_id

    async def ask_verify(self, code: object, **fields: Any) -> Answer:
        """Ask for a verification code."""
        body = {
            "displayNbr": SHOWN,
            "calleeNbr": CALLED,
            "languageType": 2,
            "preTone": "one.wav",
            "verifyCode": code,
            "statusUrl": encoded_url(self.receiver.url("/status")),
            "feeUrl": encoded_url(self.receiver.url("/fee")),
            **fields,
        }
        return await self.client.post(CALLVERIFY, body, aksk_headers(VERIFY_KEY, SECRET))

    async def verify(self, code: str, **fields: Any) -> str:
        """Ask for a verification code that must be accepted; returns its session id."""
        answer = await patiently(lambda: self.ask_verify(code, **fields))
        assert answer.code == "0", answer.text
        return answer.session_id

    async def stop(self, session_id: str, app_key: str = CALLBACK_KEY) -> Answer:
        """Ask for the end of a call."""
        body = {"sessionid": session_id, "signal": "call_stop"}
        return await self.client.post(CALLSTOP, body, aksk_headers(app_key, SECRET))

    async def over(self, session_id: str, timeout: float = 15) -> tuple[list[StatusPush], dict[str, Any]]:
        """Wait for the end of a call: its status pushes and its CDR, of which there is exactly one each."""
        cdr = await self.receiver.wait_cdr(session_id, timeout)
        await self.receiver.wait_status(session_id, "disconnect", timeout)
        statuses = self.receiver.statuses(session_id)
        assert [status.event_type for status in statuses].count("disconnect") == 1
        assert len(self.receiver.cdrs(session_id)) == 1
        return statuses, cdr

    @asynccontextmanager
    async def killed(self, number: signal.Signals = signal.SIGKILL) -> AsyncIterator[None]:
        """A controller in a process of its own that is killed at the end of the block."""
        async with (
            controller_process(self.home.settings, self.home.directory / "controller") as process,
            ApiClient.open(process.url, APP_KEY, SECRET) as self.client,
        ):
            yield
            process.send(number)
            await process.ended()

    async def b_answered(self, session_id: str) -> StatusPush:
        """Wait until B of a callback has answered, and the database knows it."""

        def found(push: Push) -> bool:
            info = push.json.get("statusInfo", {})
            return (push.json["eventType"], info.get("sessionId"), info.get("called")) == (
                "answer",
                session_id,
                SECOND,
            )

        push = await self.receiver.wait_for(found)
        return StatusPush("answer", push.json["statusInfo"], push)

    async def start_controller(self) -> None:
        """Start the controller of this bench."""
        self._controller = await self.stack.enter_async_context(AsyncExitStack())
        self.controller, self.client = await self._controller.enter_async_context(
            self.home.serving(APP_KEY, SECRET)
        )

    async def close_controller(self) -> None:
        """End the controller of this bench; another can be started."""
        await self._controller.aclose()

    async def declare(self, **app: Any) -> None:
        """Declare the account, its prompts and a route to each phone."""
        for name, (seed, seconds) in PROMPTS.items():
            (self.home.directory / name).write_bytes(distinct_prompt(seed, seconds))
        await self.home.declare(declaration(self.phones, **app))


def declaration(phones: Mapping[str, Softphone], **app: Any) -> str:
    """What the tests' account has."""
    settings = "\n".join(f"{name} = {value!r}" for name, value in app.items())
    sounds = "\n".join(f'[[accounts.sounds]]\nname = "{name}"\nfile = "{name}"' for name in PROMPTS)
    routes = "\n".join(
        f'[[routes]]\nprefix = "{number}"\ncontact = "sip:{{number}}@{phone.contact.removeprefix("sip:")}"'
        for number, phone in phones.items()
    )
    return f"""
[[accounts]]
id = "test"
numbers = ["{SHOWN}", "{SECOND_SHOWN}"]

[[accounts.apps]]
key = "{APP_KEY}"
secret = "{SECRET}"
service = "notification"
login = {{ user = "{LOGIN_USER}", password = "{LOGIN_PASSWORD}" }}
{settings}

[[accounts.apps]]
key = "{CALLBACK_KEY}"
secret = "{SECRET}"
service = "callback"
recording = true

[[accounts.apps]]
key = "{VERIFY_KEY}"
secret = "{SECRET}"
service = "verification"

{sounds}
{routes}
"""


StartBench = Callable[..., Awaitable[Bench]]


def trunk(port: int, prefix: str) -> str:
    """A trunk to this port, and that numbers with this prefix go over it; to be added to a declaration."""
    return f"""
[[trunks]]
name = "carrier-a"
host = "127.0.0.1"
port = {port}

[[routes]]
prefix = "{prefix}"
trunk = "carrier-a"
"""
