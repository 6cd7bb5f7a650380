"""A whole world on one seed: the unmodified controller, Asterisk, phones, customers and their receivers."""

import asyncio
import base64
import contextvars
import logging
import shutil
import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

from pydantic import SecretStr
from sqlalchemy.exc import OperationalError
from sqlmodel import Session

from controller.ari.fake import FakeAsterisk
from controller.asterisk.errors import FleetError
from controller.logs import JsonFormatter
from controller.settings import (
    AgiSettings,
    AsteriskSettings,
    BillingSettings,
    CallSettings,
    CaptureSettings,
    DatabaseSettings,
    HttpSettings,
    PushSettings,
    Settings,
    SpeechSettings,
)
from controller.store.engines import make_engine
from controller.store.limits import Limits, NonceUse
from controller.store.schema import migrate
from controller.store.tables import Account, App, Number, Route
from controller.wiring import Controller, running_controller
from tests.simulation.loop import Process, SimulatedLoop, forget
from tests.simulation.receivers import TIMEOUT, Receivers
from tests.simulation.workload import ACCOUNT, APPS, MINUTE, RING_TIMEOUT, SHOWN, Workload

HOST = "controller1.test"
SYNCHRONOUS = "NORMAL"
_EPOCH = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)


class Clock:
    """The wall clock; `offset` is what somebody has put it forward."""

    def __init__(self, loop: SimulatedLoop) -> None:
        self.offset = timedelta()
        self._loop = loop

    def now(self) -> datetime:
        return self.at(self._loop.time())

    def at(self, time: float) -> datetime:
        """What it would have shown at a moment of the loop, were it always put as it is now."""
        return _EPOCH + timedelta(seconds=time) + self.offset


SECRET_KEY = base64.b64encode(bytes(32)).decode()
"""With which every world's secrets are sealed."""


def make_template(path: Path) -> None:
    """A database with an account, its apps and a route."""
    url = f"sqlite:///{path}"
    migrate(url)
    engine = make_engine(url)
    with Session(engine) as session, session.begin():
        session.add(Account(id=ACCOUNT))
        session.flush()
        for service, key in APPS.items():
            session.add(App(key=key, account_id=ACCOUNT, service=service, secret="12345678"))
        session.add(Number(number=SHOWN.e164, account_id=ACCOUNT))
        session.add(Route(prefix="+86", contact="sip:{number}@127.0.0.1:5070"))
    engine.dispose()


class Lines(logging.Handler):
    """What was logged, as it would stand in the log."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []
        self.left_behind: list[tuple[datetime, str]] = []
        """When channels were taken for left behind, and their calls."""
        self._clock = clock
        self.setFormatter(JsonFormatter())

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))
        if record.getMessage().startswith("A channel was left behind"):
            self.left_behind.append((self._clock.now(), vars(record)["call"]))


async def _until_stopped(controller: Controller, stop: asyncio.Event) -> None:
    """As the command does. Raises FleetError when the node is given up for good."""
    stopped, lost = asyncio.create_task(stop.wait()), asyncio.create_task(controller.node.ended())
    await asyncio.wait({stopped, lost}, return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    if lost.done():
        lost.result()
    lost.cancel()


class World:
    """Everything, and what has happened in it so far."""

    def __init__(self, seed: int, loop: SimulatedLoop, folder: Path, template: Path) -> None:
        self.seed = seed
        self.loop = loop
        self.random = Random(seed)
        self.folder = folder
        self.clock = Clock(loop)
        self.workload = Workload(Random(f"{seed} workload"))
        self.receivers = Receivers(Random(f"{seed} receivers"))
        self.asterisk = FakeAsterisk(
            self.workload.phones,
            sounds=self.workload.sound,
            random=Random(f"{seed} asterisk"),
            now=self.clock.now,
        )
        self.limit = self.random.randrange(1, 6)
        self.accepted: dict[str, float] = {}
        """Session ids that customers were given, and when."""
        self.refused: list[str] = []
        self.faults: list[tuple[float, str]] = []
        self.wrong: list[str] = []
        """Invariants that did not hold while the world ran."""
        self.controllers: list[Process] = []
        self.controller: Controller | None = None
        self.crashes: list[float] = []
        self.restarts = 0
        self._hands_over = False
        self.lines = Lines(self.clock)
        self.database_away_until = 0.0
        self.database_slow_until = 0.0
        self.disk_full_until = 0.0
        self.database_failed_at: list[float] = []
        self._stop = asyncio.Event()
        self._running: asyncio.Task[None] | None = None
        self._nonces = 0
        self.database = folder / "voicecall.db"
        folder.mkdir()
        shutil.copy(template, self.database)
        self.sql = sqlite3.connect(self.database, isolation_level=None)
        loop.work = self._work

    @property
    def url(self) -> str:
        """The address of the database."""
        return f"sqlite:///{self.database}"

    @property
    def database_troubled_until(self) -> float:
        """When it works again, however it fails now."""
        return max(self.database_away_until, self.database_slow_until, self.disk_full_until)

    # What goes to threads

    def _work(self, work: Any, seconds: float) -> float:
        what = work.func if work.func.__name__ != "run" else work.args[0]
        if not getattr(what, "__qualname__", "").startswith("Database."):
            return seconds
        now = self.loop.time()
        if now < self.database_away_until:
            self.database_failed_at.append(now)
            raise OperationalError(
                "", {}, sqlite3.OperationalError("database is locked"), hide_parameters=True
            )
        if now < self.disk_full_until and what.__qualname__ == "Database._commit":
            # What there is can be read.
            self.database_failed_at.append(now)
            raise OperationalError(
                "", {}, sqlite3.OperationalError("database or disk is full"), hide_parameters=True
            )
        if now < self.database_slow_until:
            return seconds + self.random.uniform(0, 1.5)
        return seconds

    def live_rows(self) -> int:
        (count,) = self.sql.execute("select count(*) from call where ended_at is null").fetchone()
        return int(count)

    # The controller

    def _settings(self) -> Settings:
        address = self.asterisk.address
        return Settings(
            host_name=HOST,
            data_dir=self.folder,
            http=HttpSettings(port=8080),
            database=DatabaseSettings(
                url=self.url, synchronous=SYNCHRONOUS, secret_key=SecretStr(SECRET_KEY)
            ),
            asterisk=AsteriskSettings(
                ari_url=address.url,
                ari_user=address.user,
                ari_password=SecretStr(address.password),
                ami_port=1,
                etc_dir=self.folder,
            ),
            calls=CallSettings(
                ring_timeout=RING_TIMEOUT,
                first_digit_timeout=2,
                inter_digit_timeout=1,
                max_replays=2,
                minute=MINUTE,
                drain_timeout=self.random.choice([0.5, 5.0]),
            ),
            pushes=PushSettings(timeout=TIMEOUT, cdr_interval=4),
            billing=BillingSettings(),
            agi=AgiSettings(enabled=False),
            capture=CaptureSettings(enabled=False),
            speech=SpeechSettings(engine="off"),
        )

    def start_controller(self) -> None:
        """Start the program again, on the database that the last one left."""
        process = Process(f"controller {len(self.controllers)}")
        self.controllers.append(process)
        self._stop = asyncio.Event()
        self._running = self.loop.spawn(process, self._serve(self._stop, Random(self.random.random())))

    async def _serve(self, stop: asyncio.Event, random: Random) -> None:
        try:
            async with running_controller(
                self._settings(),
                clock=self.clock,
                random=random,
                sender=self.receivers,
                hands_over=lambda: self._hands_over,
            ) as self.controller:
                await _until_stopped(self.controller, stop)
                self.controller = None
        except (OperationalError, FleetError):
            # The program ends, whatever it is still at; as systemd would, somebody starts it again.
            self.controller = None
            self.loop.call_later(0.5, self.start_controller, context=contextvars.Context())
            self.loop.kill(self.controllers[-1])
        except Exception as error:
            self.wrong.append(f"the controller ended with {error!r}")
            raise

    def crash(self) -> None:
        """SIGKILL; somebody starts it again."""
        process = self.controllers[-1]
        if not process.alive:
            return
        self.note("controller killed")
        self.crashes.append(self.loop.time())
        self.controller = None
        self.loop.kill(process)
        self.loop.call_later(self.random.choice([0.01, 0.5, 3.0, 12.0]), self.start_controller)

    async def restart(self) -> None:
        """SIGTERM, or Ctrl-C; somebody starts it again."""
        process, running = self.controllers[-1], self._running
        if not process.alive or running is None or self._stop.is_set():
            return
        self.note("controller restarted")
        self.restarts += 1
        self._hands_over = self.random.random() < 0.7
        self._stop.set()
        await asyncio.wait({running}, timeout=60)
        if process.alive and process is self.controllers[-1]:
            self.start_controller()

    async def stop_controller(self) -> None:
        """The end of the world, in good order."""
        assert self._running is not None
        self._hands_over = False
        self._stop.set()
        await asyncio.wait({self._running}, timeout=60)
        if not self._running.done():
            self.wrong.append("the controller does not end")
        elif not self._running.cancelled() and (error := self._running.exception()) is not None:
            self.wrong.append(f"the controller ended with {error!r}")
        left = [task for task in self.controllers[-1].tasks if not task.done()]
        if left:
            self.wrong.append(f"tasks are left over: {left}")

    # Customers

    async def customers(self, calls: int, seconds: float) -> None:
        """Ask for calls now and then."""
        for _ in range(calls):
            await asyncio.sleep(self.random.expovariate(calls / seconds))
            controller = self.controller
            if controller is not None:
                self.loop.spawn(self.controllers[-1], self._ask(controller))

    async def _ask(self, controller: Controller) -> None:
        self._nonces += 1
        nonce = NonceUse("app", f"nonce-{self._nonces}", self.clock.now() + timedelta(minutes=10))
        request = self.workload.request()
        available = controller.node.available
        try:
            accepted = await controller.calls.start(request, nonce, Limits(10, account_calls=self.limit))
        except Exception as error:
            self.refused.append(type(error).__name__)
            return
        self.accepted[accepted.session_id] = self.loop.time()
        if not available:
            self.wrong.append(f"accepted without a connection: {accepted.session_id}")

    # Faults

    def note(self, fault: str) -> None:
        """Remember that something was made to go wrong."""
        self.faults.append((self.loop.time(), fault))

    async def until(self, condition: Callable[[], bool], seconds: float) -> bool:
        """Wait until it holds; False if it doesn't within these seconds."""
        limit = self.loop.time() + seconds
        while not condition():
            if self.loop.time() > limit:
                return False
            await asyncio.sleep(0.5)
        return True

    def close(self) -> None:
        """Throw everything away."""
        self.sql.close()
        for process in self.controllers:
            forget(process)
        shutil.rmtree(self.folder)
