"""A node: what it is told each time that it is connected."""

import asyncio
import math
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError
from unit.calls.support import make_node
from unit.support import soon

from controller import ari
from controller.ari.fake import FakeAsterisk
from controller.asterisk.errors import CannotPlay

DOOR = {"VOICECALL_AGI": "agi://127.0.0.1:4573"}


@pytest.mark.requirement("E4")
async def test_E4_given_global_variables_when_asterisk_restarts_then_they_are_set_before_calls_are_taken(
    tmp_path: Path,
) -> None:
    async with FakeAsterisk() as asterisk:
        node = make_node(asterisk, tmp_path)
        node.global_variables.update(DOOR)
        async with node:
            await soon(node.ari.wait_ready())
            assert asterisk.global_variables == DOOR

            asterisk.restart()
            await soon(node.ari.wait_lost())
            assert asterisk.global_variables == {}
            await soon(node.ari.wait_ready())
            assert asterisk.global_variables == DOOR


@pytest.mark.requirement("E2", "C5")
@pytest.mark.parametrize("prompt_url", ["", "http://10.0.0.5:8080"])
async def test_E2_given_a_node_that_missed_sounds_when_back_then_it_plays_them_before_it_gets_calls(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, prompt_url: str
) -> None:
    monkeypatch.setattr("controller.asterisk.node._PROBE_AGAIN", 0.01)
    played: list[str] = []
    trouble, asked, may_play = ["can't"], asyncio.Event(), asyncio.Event()

    async def plays(_asterisk: Any, media: str, _seconds: float) -> None:
        played.append(media)
        if "missed" in media:
            asked.set()
            await may_play.wait()
            if trouble:
                raise CannotPlay(trouble.pop())

    monkeypatch.setattr("controller.asterisk.node.check_plays", plays)
    async with FakeAsterisk() as asterisk:
        node = make_node(asterisk, tmp_path, prompt_url=prompt_url)
        node.probe = ("sound:/prompts/silence", 1.0)
        async with node:
            await soon(node.wait_takes_calls())
            assert len(played) == 1

            node.catch_up = _playing(node.check_plays, "sound:/prompts/missed")
            asterisk.drop_sockets()
            await soon(asked.wait())
            assert (node.available, node.works) == (True, False)
            may_play.set()
            await soon(node.wait_takes_calls())
            assert node.works

    silence, missed = (
        [f"sound:{prompt_url}/prompts/{name}.alaw" for name in ("silence", "missed")]
        if prompt_url
        else ["sound:/prompts/silence", "sound:/prompts/missed"]
    )
    # What it can't play yet it is asked for again.
    assert played == [silence, silence, missed, silence, missed]


@pytest.mark.requirement("E2")
@pytest.mark.parametrize("comes_back", ["after the calls were given up", "before they could be"])
async def test_E2_given_a_database_that_is_away_when_a_node_is_given_up_then_it_gets_calls_once_it_is_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, comes_back: str
) -> None:
    monkeypatch.setattr("controller.asterisk.node._LOST_AFTER", 0.05)
    monkeypatch.setattr("controller.asterisk.node._GIVE_UP_AGAIN", 0.01)
    monkeypatch.setattr("controller.asterisk.node.check_plays", _plays_at_once)
    failed, given_up = asyncio.Event(), asyncio.Event()

    async def give_up() -> None:
        if comes_back.startswith("before") or not failed.is_set():
            failed.set()
            raise OperationalError("SELECT", None, Exception("the server is starting up"))
        given_up.set()

    async with FakeAsterisk() as asterisk:
        node = make_node(asterisk, tmp_path)
        node.probe = ("sound:/prompts/silence", 1.0)
        node.on_lost = give_up
        async with node:
            await soon(node.wait_takes_calls())
            asterisk.kill()
            await soon(failed.wait())
            if comes_back.startswith("after"):
                await soon(given_up.wait())
            assert (node.given_up, node.takes_calls) == (True, False)

            asterisk.start()
            await soon(node.wait_takes_calls(), 10)
            assert (node.given_up, node.takes_calls) == (False, True)


class Certain:
    """Whether this controller may act, as its membership tells."""

    certain = True

    def __init__(self) -> None:
        self.again = asyncio.Event()

    async def wait_certain(self) -> None:
        await self.again.wait()


@pytest.mark.requirement("E2", "E4")
@pytest.mark.parametrize("trouble", ["fails", "hangs", "no sign of life can be written"])
async def test_E2_given_a_database_that_is_away_when_a_node_is_connected_again_then_its_calls_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trouble: str
) -> None:
    monkeypatch.setattr("controller.asterisk.node._LOST_AFTER", 0.2)
    monkeypatch.setattr("controller.asterisk.node._LOOK_EVERY", 0.02)
    given_up: list[str] = []
    permission = Certain()
    again = permission.again

    async def give_up() -> None:
        given_up.append(trouble)

    async def ask_the_database(_snapshot: ari.Snapshot) -> None:
        if trouble == "fails" and not again.is_set():
            raise OperationalError("SELECT", None, Exception("the server is starting up"))
        await again.wait()

    async with FakeAsterisk() as asterisk:
        node = make_node(asterisk, tmp_path, permission=permission, retry=lambda *_: 0.01)
        node.on_lost = give_up
        async with node:
            await soon(node.wait_takes_calls())
            node.on_snapshot = ask_the_database
            permission.certain = not trouble.startswith("no sign")
            asterisk.drop_sockets()
            await soon(node.ari.wait_lost())
            await asyncio.sleep(1)
            assert (node.available, node.given_up) == (False, False)

            permission.certain = True
            again.set()
            await soon(node.wait_takes_calls())
    assert given_up == []


@pytest.mark.requirement("E2")
@pytest.mark.parametrize("trouble", ["has another's name", "says nothing"])
async def test_E2_given_a_node_that_is_connected_and_of_no_use_when_that_lasts_then_its_calls_are_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trouble: str
) -> None:
    monkeypatch.setattr("controller.asterisk.node._LOST_AFTER", 0.2)
    monkeypatch.setattr("controller.asterisk.node._LOOK_EVERY", 0.02)
    given_up = asyncio.Event()

    async def give_up() -> None:
        given_up.set()

    async def claim(_entity_id: str) -> str | None:
        return "rival"

    async with FakeAsterisk() as asterisk:
        node = make_node(
            asterisk, tmp_path, permission=Certain(), retry=lambda *_: 0.01, command_timeout=0.05
        )
        node.on_lost = give_up
        async with node:
            await soon(node.wait_takes_calls())
            if trouble == "has another's name":
                node.claim = claim
            else:
                asterisk.faults.delay_answers(math.inf)
            asterisk.drop_sockets()
            await soon(given_up.wait())


async def _plays_at_once(_asterisk: Any, _media: str, _seconds: float) -> None:
    pass


@pytest.mark.requirement("E2")
async def test_E2_given_an_error_nobody_thought_of_when_a_node_catches_up_then_it_is_asked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("controller.asterisk.node._PROBE_AGAIN", 0.01)
    monkeypatch.setattr("controller.asterisk.node.check_plays", _plays_at_once)
    errors: list[Exception] = [KeyError("digest")]

    async def catch_up() -> None:
        if errors:
            raise errors.pop()

    async with FakeAsterisk() as asterisk:
        node = make_node(asterisk, tmp_path)
        node.probe, node.catch_up = ("sound:/prompts/silence", 1.0), catch_up
        async with node:
            await soon(node.wait_takes_calls())


def _playing(check: Callable[[str, float], Awaitable[None]], media: str) -> Callable[[], Awaitable[None]]:
    async def catch_up() -> None:
        await check(media, 1.0)

    return catch_up
