"""Gauges of a whole controller and its Asterisk, each brought to where it is not when all is well."""

import asyncio
import signal
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta

import pytest
from engine import engine_name, server
from integration.scraping import scraped, until_scraped
from integration.support import APP_KEY, SECRET, Bench, StartBench, declaration
from sqlmodel import Session
from unit.store.support import call_row

from controller.management.catalogue import OPERATIONS
from controller.management.local import LocalDesk
from controller.pushes import cdr_outbox
from controller.settings import PushSettings
from controller.store.engines import make_engine
from controller.store.recordings import RecordingState
from controller.store.tables import Call, PushEndpoint, Recording
from testbed.push_receiver import Reply
from testbed.softphone_plan import Answer

pytestmark = pytest.mark.requirement("E3")

AHEAD = timedelta(seconds=3)
AN_HOUR_AGO = datetime.now(UTC) - timedelta(hours=1)
QUEUES = ("database_writes_waiting", "ari_requests_in_flight", "pushes_in_flight", "cdr_pushes_waiting")


class FastClock:
    """Is ahead of everybody else's."""

    def now(self) -> datetime:
        return datetime.now(UTC) + AHEAD


def left_behind(session: Session) -> None:
    """Two recordings of a node that is no more, and an endpoint that did nothing but fail."""
    for number in range(2):
        row = call_row(AN_HOUR_AGO, account_id="test", app_key=APP_KEY, ended_at=AN_HOUR_AGO)
        session.add(Call(**row))
        session.flush()
        session.add(
            Recording(
                call_id=row["id"],
                account_id="test",
                name=f"recording-{number}",
                node="gone",
                state=RecordingState.PENDING,
                started_at=AN_HOUR_AGO,
            )
        )
    session.add(
        PushEndpoint(
            app_key=APP_KEY,
            url="http://127.0.0.1:1/gone",
            failing_since=AN_HOUR_AGO,
            failed_at=AN_HOUR_AGO,
            failures=9,
            error="connect: nobody is there",
            disabled_at=AN_HOUR_AGO,
        )
    )
    session.commit()


def changed(b: Bench, work: Callable[[Session], None]) -> None:
    """Do something in the database before the controller is there."""
    engine = make_engine(b.home.settings.database_url)
    with Session(engine) as session:
        work(session)
    engine.dispose()


async def test_E3_given_trouble_of_every_kind_when_scraped_then_each_gauge_tells_its_own(
    bench: StartBench,
) -> None:
    """Alerts go by these: what another one of them tells would wake somebody for nothing, or nobody."""
    b = await bench(Answer(), controller=False)
    port = int(b.phone.contact.rsplit(":", 1)[1])
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as deaf:
        deaf.bind(("127.0.0.1", 0))
        trunks = "".join(
            f'[[trunks]]\nname = "{name}"\nhost = "127.0.0.1"\nport = {its}\nqualify_seconds = 1\n'
            for name, its in {"works": port, "deaf": deaf.getsockname()[1]}.items()
        )
        routes = '[[routes]]\nprefix = "+86"\ntrunks = ["works", "deaf"]\n'
        await b.home.declare(declaration({}) + trunks + routes)
        changed(b, left_behind)
        async with b.home.serving(APP_KEY, SECRET, clock=FastClock()) as (b.controller, b.client):
            node = b.controller.node.name
            troubles = {
                'voicecall_trunk_up{trunk="works"}': 1,
                'voicecall_trunk_up{trunk="deaf"}': 0,
                'voicecall_recordings_waiting{node="gone"}': 2,
                f'voicecall_recordings_waiting{{node="{node}"}}': 0,
                f'voicecall_push_endpoints_disabled{{app="{APP_KEY}"}}': 1,
                f'voicecall_node_up{{node="{node}"}}': 1,
                f'voicecall_node_draining{{node="{node}"}}': 0,
                f'voicecall_node_calls{{node="{node}"}}': 0,
            }
            before = await until_scraped(b, lambda told: troubles.items() <= told.items())
            [drain] = [operation for operation in OPERATIONS if operation.name == "drain_node"]
            desk = LocalDesk(b.controller.settings, b.controller.database)
            await desk.run(drain, {"node_name": node})
            await b.controller.directory.refresh()
            drained = await scraped(b)

    assert drained.items() >= {**troubles, f'voicecall_node_draining{{node="{node}"}}': 1}.items()
    ahead = before.get("voicecall_clock_ahead_seconds")
    if engine_name() == "postgresql":
        assert ahead == pytest.approx(AHEAD.total_seconds(), abs=1)
    else:
        assert ahead is None


def queued(*names: str) -> Callable[[Mapping[str, float]], bool]:
    """Whether something waits in these queues, and in no other."""
    return lambda told: [queue for queue in QUEUES if told[f"voicecall_{queue}"]] == list(names)


@contextmanager
def turn_to_write(b: Bench) -> Iterator[None]:
    """Nobody else writes until the end of the block."""
    engine = make_engine(b.home.settings.database_url)
    with engine.connect().execution_options(writes=True) as connection, connection.begin():
        yield
    engine.dispose()


@pytest.mark.engine("postgresql")
@pytest.mark.requirement("E4")
async def test_E3_given_a_database_that_is_away_when_scraped_then_it_is_told_though_nobody_asks_for_calls(
    bench: StartBench,
) -> None:
    b = await bench(Answer())
    ready = [f'voicecall_ready{{part="{part}"}}' for part in ("database", "node", "trunks", "controller")]
    await until_scraped(b, lambda told: [told[part] for part in ready] == [1, 1, 1, 1])
    server().send(signal.SIGSTOP)
    try:
        away = await scraped(b)
    finally:
        server().send(signal.SIGCONT)
    await until_scraped(b, lambda told: [told[part] for part in ready] == [1, 1, 1, 1])

    assert [away[part] for part in ready] == [0, 1, 1, 1]


async def test_E3_given_a_database_that_takes_no_writes_when_scraped_then_those_that_wait_are_told(
    bench: StartBench,
) -> None:
    b = await bench(Answer(), app={"max_calls": 100})
    await until_scraped(b, queued())
    asked: list[asyncio.Task[str]] = []

    def waits(told: Mapping[str, float]) -> bool:
        if queued("database_writes_waiting")(told):
            return True
        # The first ones are under way together.
        asked.append(asyncio.create_task(b.notify()))
        return False

    with turn_to_write(b):
        await until_scraped(b, waits, 3)
    for session in await asyncio.gather(*asked):
        await b.over(session)
    await until_scraped(b, queued())


async def test_E3_given_an_asterisk_that_is_stopped_when_scraped_then_what_it_was_asked_is_told(
    bench: StartBench,
) -> None:
    b = await bench(Answer())
    await until_scraped(b, queued())
    b.home.asterisk.process.send_signal(signal.SIGSTOP)
    try:
        session = await b.notify()
        await until_scraped(b, queued("ari_requests_in_flight"), 3)
    finally:
        b.home.asterisk.process.send_signal(signal.SIGCONT)
    await b.over(session)
    await until_scraped(b, queued())


async def test_E3_given_a_receiver_that_refuses_cdrs_when_scraped_then_those_that_wait_are_told(
    bench: StartBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cdr_outbox, "_COUNT_EVERY", timedelta(0))
    b = await bench(Answer(), sections={"pushes": PushSettings(cdr_interval=1)})
    b.receiver.plan(Reply(500), path="/fee")
    session = await b.notify()
    await b.receiver.wait_cdr(session)
    waiting = await until_scraped(b, queued("cdr_pushes_waiting"))
    b.receiver.plan(Reply(), path="/fee")
    await until_scraped(b, queued())

    assert waiting["voicecall_cdr_pushes_waiting"] == 1
