"""Whatever is killed, and whenever: what Asterisk has recorded reaches the customer whole."""

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack, ExitStack, contextmanager
from urllib.parse import urlsplit

import pytest
from integration.recordings import audio_of, fetched
from integration.support import APP_KEY, SECOND, SECRET, Bench, StartBench
from sqlalchemy import Connection, text

from controller.store.engines import make_engine
from testbed.asterisk import start_asterisk
from testbed.listening import tone_share
from testbed.slow_link import SlowLink
from testbed.softphone_plan import Answer, Tone

pytestmark = pytest.mark.requirement("A1.5", "E4")

A_TONE, B_TONE = 700, 900
PHONES = {SECOND: Answer(play=Tone(B_TONE))}
TALK = 3.3
"""Seconds: enough to be kept."""


async def call_back_and_talk(b: Bench, seconds: float = TALK) -> str:
    session = await b.call_back(recordFlag="true")
    await b.b_answered(session)
    await asyncio.sleep(seconds)
    return session


def forget_that_it_was_recorded(b: Bench) -> None:
    """As if the controller had been killed between asking Asterisk for it and writing it down."""
    with writing(b) as database:
        assert database.execute(text("DELETE FROM timeline_entry WHERE kind = 'recording'")).rowcount == 1
        database.commit()


@contextmanager
def writing(b: Bench) -> Iterator[Connection]:
    """A transaction of somebody else's, which has the writer's turn."""
    engine = make_engine(b.home.settings.database_url)
    with engine.connect().execution_options(writes=True) as database:
        database.begin()
        yield database
    engine.dispose()


async def hang_up(b: Bench) -> None:
    """B hangs up; returns when the platform has hung A up."""
    a, second = await b.phone.next_call(), await b.phones[SECOND].next_call()
    await second.hang_up()
    await a.ended()


async def assert_whole(b: Bench, session: str, seconds: float = TALK) -> None:
    """The CDR names the recording, it has all of the talk, and Asterisk has let go of it."""
    _statuses, cdr = await b.over(session)
    _link, file = await fetched(b, cdr["recordObjectName"])
    recording = audio_of(file)
    assert cdr["recordFlag"] == 1
    assert recording.seconds >= seconds - 0.3
    for tone in (A_TONE, B_TONE):
        assert tone_share(recording, tone, 0.5, seconds - 0.4) > 0.25, tone
    there = b.home.settings.asterisk.recording_dir
    async with asyncio.timeout(5):
        while list(there.iterdir()):  # noqa: ASYNC110 - nothing tells when it is deleted
            await asyncio.sleep(0.05)
    assert list(b.home.settings.recording_dir.rglob("*.part")) == []


async def test_A1_5_given_a_recorded_talk_when_the_controller_is_killed_and_both_hang_up_then_it_is_kept(
    bench: StartBench,
) -> None:
    b = await bench(Answer(play=Tone(A_TONE)), phones=PHONES, controller=False)
    async with b.killed():
        session = await call_back_and_talk(b)
    for phone in b.phones.values():
        await (await phone.next_call()).hang_up()
    forget_that_it_was_recorded(b)

    async with b.home.serving(APP_KEY, SECRET) as (b.controller, b.client):
        await assert_whole(b, session)


async def test_A1_5_given_a_talk_just_over_when_the_controller_is_killed_before_it_is_written_then_it_is_kept(
    bench: StartBench,
) -> None:
    b = await bench(Answer(play=Tone(A_TONE)), phones=PHONES, controller=False)
    with ExitStack() as stack:
        async with b.killed():
            session = await call_back_and_talk(b)
            # The end of the call has to wait until the controller is killed.
            other = stack.enter_context(writing(b))
            await hang_up(b)
        assert other.execute(text("SELECT count(*) FROM cdr")).scalar_one() == 0

    async with b.home.serving(APP_KEY, SECRET) as (b.controller, b.client):
        await assert_whole(b, session)


@pytest.mark.parametrize("passed", [0, 12_000], ids=["nothing", "half"])
async def test_A1_5_given_a_fetch_under_way_when_the_controller_is_killed_then_the_recording_is_fetched_again(
    bench: StartBench, passed: int
) -> None:
    b = await bench(Answer(play=Tone(A_TONE)), phones=PHONES, controller=False)
    settings = b.home.settings
    address = urlsplit(settings.asterisk.ari_url)
    assert address.hostname is not None
    assert address.port is not None
    async with SlowLink.open(address.hostname, address.port, b"/recordings/stored/", passed) as link:
        slow = settings.asterisk.model_copy(update={"ari_url": f"http://127.0.0.1:{link.own_port}"})
        b.home.settings = settings.model_copy(update={"asterisk": slow})
        async with b.killed():
            session = await call_back_and_talk(b)
            await hang_up(b)
            async with asyncio.timeout(10):
                await link.stopped.wait()
    b.home.settings = settings

    (there,) = settings.asterisk.recording_dir.iterdir()
    assert there.stat().st_size > TALK * 7000
    assert list(settings.recording_dir.rglob("*.wav")) == []
    async with b.home.serving(APP_KEY, SECRET) as (b.controller, b.client):
        await assert_whole(b, session)


async def test_A1_5_given_a_recorded_talk_when_asterisk_is_killed_then_what_it_has_on_disk_is_fetched(
    bench: StartBench,
) -> None:
    b = await bench(Answer(play=Tone(A_TONE)), phones=PHONES)
    # Asterisk writes 32 KiB at a time, which is 4.1 s.
    session = await call_back_and_talk(b, 4.6)

    await b.home.asterisk.kill()
    async with AsyncExitStack() as stack:
        again = await start_asterisk(b.home.asterisk.configuration, b.home.asterisk.program)
        stack.push_async_callback(again.stop)
        await assert_whole(b, session, 4.1)


async def test_A1_5_given_a_recording_not_written_down_when_the_talk_goes_on_then_it_is_one_recording(
    bench: StartBench,
) -> None:
    b = await bench(Answer(play=Tone(A_TONE)), phones=PHONES, controller=False)
    async with b.killed():
        session = await call_back_and_talk(b, 1.0)
    forget_that_it_was_recorded(b)

    async with b.home.serving(APP_KEY, SECRET) as (b.controller, b.client):
        await asyncio.sleep(TALK - 1.0)
        await hang_up(b)
        await assert_whole(b, session)
