"""Calls of real phones over a real Asterisk, replayed against the code of today: the same comes of them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
from engine import copy_database
from simulation.loop import SimulatedLoop
from sqlmodel import Session, select
from unit.calls.support import HOST, Told, make_node

from controller.asterisk.fleet import Fleet
from controller.calls.recovery import Recovery
from controller.calls.service import CallService
from controller.calls.timeline import Kind
from controller.settings import CallSettings
from controller.store.database import Database
from controller.store.journal import Journal
from controller.store.limits import Limits
from controller.store.tables import Call, Cdr, TimelineEntry
from replay.replayer import Replay, replaying
from replay.story import CORPUS, Story, outcome_of, request_of

STORIES = sorted(CORPUS.glob("*.jsonl"))


class _Clock:
    """Goes with the loop."""

    def now(self) -> datetime:
        at = asyncio.get_running_loop().time()
        return datetime(2026, 11, 26, 8, 0, tzinfo=UTC) + timedelta(seconds=at)


@asynccontextmanager
async def _house(
    replay: Replay, story: Story, template: Path, folder: Path
) -> AsyncIterator[tuple[CallService, Told, Database]]:
    url = copy_database(template, folder / "test.db")
    told, clock = Told(), _Clock()
    async with Database(url, synchronous="OFF") as database, Journal(database) as journal:
        node = make_node(replay, folder)  # type: ignore[arg-type]
        service = CallService(
            database,
            journal,
            Fleet([node]),
            told,
            lambda _due: None,
            lambda: None,
            clock,
            Random(1),
            CallSettings(**story.settings),
            HOST,
            timedelta(seconds=1),
        )
        node.on_snapshot = Recovery(database, node, service, clock, HOST)
        async with node:
            await node.ari.wait_ready()
            try:
                yield service, told, database
            finally:
                await service.drain(0)


async def _replayed(
    story: Story, template: Path, folder: Path
) -> tuple[dict[str, Any], list[str], list[str]]:
    """Outcome, timeline and what was asked otherwise."""
    async with (
        replaying(story) as replay,
        _house(replay, story, template, folder) as (service, told, database),
    ):
        request = request_of(story.plan, {"missing": "sound:/nowhere/missing"})
        accepted = await service.start(request, None, Limits(10))
        await told.until(accepted.session_id, Kind.DISCONNECT, limit=300)
        await replay.told()

        def kept(session: Session) -> tuple[list[dict[str, Any]], list[str], int]:
            records = [row.record for row in session.exec(select(Cdr))]
            rows = session.exec(select(TimelineEntry).order_by(TimelineEntry.sequence))  # type: ignore[arg-type]
            live = sum(row.ended_at is None for row in session.exec(select(Call)))
            return records, [row.kind for row in rows], live

        (record,), kinds, live = await database.read(kept)
        assert live == 0
        return outcome_of(record), kinds, replay.deviations


def _run(story: Story, template: Path, folder: Path) -> tuple[dict[str, Any], list[str], list[str]]:
    loop = SimulatedLoop(Random(1))
    asyncio.set_event_loop(loop)
    try:
        return loop.run_until_complete(_replayed(story, template, folder))
    finally:
        asyncio.set_event_loop(None)
        loop.close()


@pytest.mark.requirement("E4")
@pytest.mark.parametrize("path", STORIES, ids=lambda path: path.stem)
def test_E4_given_a_call_of_a_real_phone_when_replayed_then_outcome_and_record_are_the_same(
    template: Path, tmp_path: Path, path: Path
) -> None:
    story = Story.read(path)
    outcome, timeline, deviations = _run(story, template, tmp_path)

    assert outcome == story.outcome
    assert timeline == story.timeline
    assert deviations == []


def test_given_a_recording_in_which_asterisk_says_otherwise_when_replayed_then_that_comes_of_it(
    template: Path, tmp_path: Path
) -> None:
    story = Story.read(CORPUS / "notification_busy.jsonl")
    steps = [
        replace(step, event={**step.event, "cause": 1, "tech_cause": 404})
        if step.event.get("type") == "ChannelDestroyed"
        else step
        for step in story.steps
    ]
    outcome, _timeline, _deviations = _run(replace(story, steps=steps), template, tmp_path)

    assert (story.outcome["state_code"], outcome["state_code"]) == (8102, 8100)


@pytest.mark.requirement("E4")
def test_E4_given_the_corpus_when_looked_at_then_it_has_every_service_and_no_number_that_was_called() -> None:
    stories = [Story.read(path) for path in STORIES]

    assert len(stories) >= 12
    assert {story.plan["service"] for story in stories} == {"notification", "verification", "callback"}
    assert len({(story.outcome["state_code"], story.outcome["cut_point"]) for story in stories}) >= 6
    for path in STORIES:
        text = path.read_text("utf-8")
        assert "+8657126880001" not in text
        assert "13900001111" not in text
        assert "/tmp" not in text
        assert path.stat().st_size < 64 * 1024
