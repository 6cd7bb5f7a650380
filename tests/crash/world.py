"""What faults happen to: an Asterisk, a controller's process, the link between them, a receiver."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp
import psycopg

from controller.settings import CallSettings, DatabaseSettings, PushSettings
from testbed.asterisk import AsteriskProgram, start_asterisk
from testbed.client import (
    CALLNOTIFY,
    CALLSTOP,
    CALLVERIFY,
    CLICK2CALL,
    Answer,
    ApiClient,
    aksk_headers,
    encoded_url,
    patiently,
)
from testbed.controller_process import ControllerProcess, controller_process
from testbed.platform import Platform, platform
from testbed.postgresql import RunningPostgresql
from testbed.push_receiver import PushReceiver
from testbed.sounds import distinct_prompt
from testbed.speech_server import SpeechServer
from tests.crash.link import Link

if TYPE_CHECKING:
    from tests.crash.faults import Names

SECRET, LIMIT = "crash-secret", 400
SHOWN, SECOND_SHOWN = "+8657126880001", "+8657126880002"
CODE = "90817263"
PATHS = {"notification": CALLNOTIFY, "verification": CALLVERIFY, "callback": CLICK2CALL}
"""What the platform answers when it has too much to do."""
ANSWERS, ANSWERS_AND_HANGS_UP = "+99901600000", "+99901600001"
_SOUNDS = {"short": (1, 0.3), "long": (2, 90.0)}
_DECLARED = f"""
[[accounts]]
id = "crash"
numbers = ["{SHOWN}", "{SECOND_SHOWN}"]
{
    "".join(
        f'''
[[accounts.apps]]
key = "{service}"
secret = "{SECRET}"
service = "{service}"
max_calls = {LIMIT}
recording = {str(service == "callback").lower()}
'''
        for service in PATHS
    )
}
{
    "".join(
        f'''
[[accounts.sounds]]
name = "{name}.wav"
file = "{name}.wav"
'''
        for name in _SOUNDS
    )
}
[[accounts.templates]]
id = "words"
text = "您的快递已到达${{TXT_8}}。"
"""
CALLS = CallSettings(ring_timeout=60, first_digit_timeout=60, inter_digit_timeout=60, drain_timeout=0.2)


@dataclass
class World:
    """Everything; the controller may run or not."""

    home: Platform
    receiver: PushReceiver
    speech: SpeechServer
    link: Link
    names: "Names | None" = None
    """By which the receiver is known; None: by its address."""
    postgresql: RunningPostgresql | None = None
    """Where the database is; None: in a file."""
    controller: ControllerProcess | None = None
    accepted: dict[str, str] = field(default_factory=dict)
    """Session id -> what was asked for, of every request that was answered with success."""
    asterisk_deaths: list[float] = field(default_factory=list)
    controller_deaths: int = 0
    _running: AsyncExitStack = field(default_factory=AsyncExitStack)

    # Parts

    async def start_controller(self) -> None:
        """Start a controller; there is none."""
        self._running = AsyncExitStack()
        self.controller = await self._running.enter_async_context(
            controller_process(self.home.settings, self.log.parent, time_limit=60)
        )

    async def stop_controller(self) -> None:
        """End it in an orderly way, if it runs."""
        await self._running.aclose()
        self.controller = None

    async def kill_controller(self) -> None:
        """End it as a crash would."""
        assert self.controller is not None
        self.controller.process.kill()
        await self.controller.ended()
        self.controller_deaths += 1
        await self.stop_controller()

    async def kill_asterisk(self) -> None:
        """End Asterisk as a crash would."""
        self.asterisk_deaths.append(asyncio.get_running_loop().time())
        await self.home.asterisk.kill()

    async def start_asterisk(self) -> None:
        """Start Asterisk again, with the same configuration."""
        before = self.home.asterisk
        self.home.asterisk = await start_asterisk(before.configuration, before.program)

    @property
    def log(self) -> Path:
        """What controllers said, one after the other."""
        return self.home.directory / "controller" / "controller.log"

    # Calls

    def addresses(self) -> dict[str, str]:
        """Where this world's calls are told of."""
        host = self.names.HOST if self.names else "127.0.0.1"
        base = f"http://{host}:{self.receiver.port}"
        return {"statusUrl": encoded_url(f"{base}/status"), "feeUrl": encoded_url(f"{base}/fee")}

    async def ask(self, service: str, **fields: Any) -> Answer:
        """Ask for a call. Raises aiohttp.ClientError, OSError when nobody answers."""
        body = {**_DEFAULTS[service], **self.addresses(), "returnIdlePort": "true", **fields}
        return await self._post(PATHS[service], service, body)

    async def ask_patiently(self, service: str, **fields: Any) -> Answer:
        """The same, again later when a machine that is busy with other tests has too much to do."""
        return await patiently(lambda: self.ask(service, **fields))

    async def start(self, what: str, service: str, **fields: Any) -> str:
        """Ask for a call that must be accepted; returns its session id."""
        answer = await self.ask_patiently(service, **fields)
        assert answer.code == "0", (what, answer.text)
        self.accepted[answer.session_id] = what
        return answer.session_id

    async def stop(self, session: str) -> Answer:
        """Ask for the end of a call."""
        service = {"1200": "notification", "1201": "verification", "1202": "callback"}[session[:4]]
        return await self._post(CALLSTOP, service, {"sessionid": session, "signal": "call_stop"})

    async def _post(self, path: str, app: str, body: Mapping[str, Any]) -> Answer:
        assert self.controller is not None
        async with ApiClient.open(self.controller.url, app, SECRET) as client:
            return await client.post(path, body, aksk_headers(app, SECRET))

    async def ready(self, timeout: float = 60) -> None:
        """Wait until calls are taken."""
        assert self.controller is not None
        async with asyncio.timeout(timeout), aiohttp.ClientSession(self.controller.url) as http:
            while True:
                async with http.get("/readyz") as answer:
                    if answer.status == 200:
                        return
                await asyncio.sleep(0.05)  # nothing outside tells when

    # What there is

    def sql(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        """Rows of the controller's database, whoever else has it."""
        if self.postgresql is not None:
            with psycopg.connect(
                self.home.settings.database_url.replace("+psycopg", ""), autocommit=True
            ) as connection:
                return connection.execute(query.replace("?", "%s").encode(), values).fetchall()
        path = self.home.settings.database_url.removeprefix("sqlite:///")
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10)) as database:
            return database.execute(query, values).fetchall()

    async def until(self, session: str, kind: str, leg: str | None, timeout: float = 40) -> None:
        """Wait until a call has come so far as its timeline tells."""
        wanted = (session.partition("@")[0], kind, leg)
        query = "select 1 from timeline_entry where call_id = ? and kind = ? and leg is not distinct from ?"
        async with asyncio.timeout(timeout):
            while not self.sql(query, *wanted):  # noqa: ASYNC110 - another process writes it
                await asyncio.sleep(0.05)

    async def on_asterisk(self, what: str) -> list[str]:
        """Ids of `channels` or `bridges` that Asterisk has now, past the link."""
        node = self.home.asterisk.configuration
        credentials = aiohttp.encode_basic_auth(node.ari_user, node.ari_password)
        async with (
            aiohttp.ClientSession(self.home.asterisk.ari_url, headers={"Authorization": credentials}) as http,
            http.get(f"/ari/{what}") as answer,
        ):
            answer.raise_for_status()
            return [str(found.get("name") or found["id"]) for found in await answer.json()]


_DEFAULTS: dict[str, dict[str, Any]] = {
    "notification": {
        "displayNbr": SHOWN,
        "calleeNbr": ANSWERS,
        "playInfoList": [{"notifyVoice": "short.wav"}],
    },
    "verification": {
        "displayNbr": SHOWN,
        "calleeNbr": ANSWERS,
        "languageType": 1,
        "preTone": "short.wav",
        "verifyCode": CODE,
        "times": 1,
    },
    "callback": {
        "displayNbr": SHOWN,
        "callerNbr": ANSWERS,
        "displayCalleeNbr": SECOND_SHOWN,
        "calleeNbr": ANSWERS_AND_HANGS_UP,
    },
}


@asynccontextmanager
async def opened_world(
    directory: Path,
    program: AsteriskProgram,
    *,
    names: "Names | None" = None,
    postgresql: RunningPostgresql | None = None,
    sections: Mapping[str, Any] | None = None,
    node: Mapping[str, Any] | None = None,
) -> AsyncIterator[World]:
    """A world whose controller runs. A silent connection is dead after 1.5 s in it, a command after 2 s."""
    database = {}
    if postgresql is not None:
        await asyncio.to_thread(postgresql.create, "crash")
        database = {"database": DatabaseSettings(url=postgresql.url("crash"))}
    async with AsyncExitStack() as stack:
        speech = await stack.enter_async_context(SpeechServer.start())
        receiver = await stack.enter_async_context(PushReceiver.start())
        home = await stack.enter_async_context(
            platform(
                directory,
                program,
                {
                    "calls": CALLS,
                    "speech": speech.settings,
                    "pushes": PushSettings(timeout=1, cdr_attempts=500, cdr_interval=1),
                    **database,
                    **(sections or {}),
                },
                {"heartbeat": 1.0, "command_timeout": 2.0, **(node or {})},
            )
        )
        for name, (seed, seconds) in _SOUNDS.items():
            (directory / f"{name}.wav").write_bytes(distinct_prompt(seed, seconds))
        await home.declare(_DECLARED)
        configuration = home.asterisk.configuration
        link = await stack.enter_async_context(
            Link.open(configuration.control_address, configuration.http_port)
        )
        asterisk = home.settings.asterisk.model_copy(update={"ari_url": f"http://127.0.0.1:{link.port}"})
        home.settings = home.settings.model_copy(update={"asterisk": asterisk})
        world = World(home, receiver, speech, link, names, postgresql)
        stack.push_async_callback(lambda: world.home.asterisk.stop())
        stack.push_async_callback(world.stop_controller)
        await world.start_controller()
        yield world
