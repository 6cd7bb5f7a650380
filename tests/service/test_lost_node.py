"""A controller whose only node never comes back: what was left behind on it is closed all the same."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from engine import copy_database
from unit.calls.support import ACCOUNT, APP
from unit.store.support import call_row
from unit.support import soon

from controller.asterisk import node
from controller.calls.service import CallService
from controller.settings import (
    AgiSettings,
    AsteriskSettings,
    CaptureSettings,
    DatabaseSettings,
    HttpSettings,
    Settings,
    SpeechSettings,
)
from controller.store import calls as rows
from controller.store import controllers
from controller.store.database import Database
from controller.store.limits import Limits
from controller.store.tables import Call
from controller.wiring import running_controller


@pytest.mark.requirement("E2", "E4")
async def test_E4_given_a_call_left_behind_on_the_only_node_when_that_stays_away_then_it_is_closed(
    template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(node, "_LOST_AFTER", 0.1)
    closed, close = asyncio.Event(), CallService.close

    async def noted(self: CallService, *given: Any) -> None:
        await close(self, *given)
        closed.set()

    monkeypatch.setattr(CallService, "close", noted)
    url = copy_database(template, tmp_path / "test.db")
    row = call_row(controller="a", account_id=ACCOUNT, app_key=APP, node="node1")
    lived = datetime.now(UTC) - timedelta(hours=2)
    async with Database(url) as database:
        await database.write(lambda session: controllers.join(session, "a", "voicecall-a", ["node1"], lived))
        await database.write(lambda session: rows.accept_call(session, row, None, Limits(100)))
        # A clean end, so that the name is free at once.
        await database.write(lambda session: controllers.leave(session, "a", lived))
    settings = Settings(
        name="a",
        host_name="host.test",
        data_dir=tmp_path,
        http=HttpSettings(port=0),
        database=DatabaseSettings(url=url),
        asterisk=AsteriskSettings(ari_url="http://127.0.0.1:1", ami_port=1, etc_dir=tmp_path),
        agi=AgiSettings(enabled=False),
        capture=CaptureSettings(enabled=False),
        speech=SpeechSettings(engine="off"),
    )
    async with running_controller(settings, on_fenced=pytest.fail) as controller:
        await soon(closed.wait(), 10)
        found = await controller.database.read(lambda session: session.get_one(Call, row["id"]))
        assert found.ended_at == lived
