"""Templates and texts of notifications: from the wire to a real softphone, with every part real."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from integration.support import Bench, StartBench
from sqlalchemy import func, select

from controller.settings import SpeechSettings
from controller.store.tables import Call
from testbed.listening import find, load_alaw, load_wav
from testbed.push_receiver import StatusPush
from testbed.softphone_plan import Answer, Digits
from testbed.speech_server import SpeechServer

PARCEL = "您好，您的快递已到达${TXT_8}。"
TEMPLATES = f"""
[[accounts]]
id = "test"
[[accounts.templates]]
id = "parcel"
name = "A parcel has come"
text = "{PARCEL}"
[[accounts.templates]]
id = "meeting"
text = "会议在${{DATE}}，${{TIME}}开始，编号${{NUM_4}}。"
[[accounts.templates]]
id = "draft"
text = "还没有审核。"
approved = false
[[accounts]]
id = "other"
[[accounts.templates]]
id = "foreign"
text = "别人的模板。"
"""
EAST_GATE = {"templateId": "parcel", "templateParas": ["东门"]}


@pytest.fixture
async def server() -> AsyncIterator[SpeechServer]:
    async with SpeechServer.start() as made:
        yield made


StartSpeaking = Callable[..., Any]


@pytest.fixture
def speaking(bench: StartBench) -> StartSpeaking:
    """`await speaking(settings, plan)`: a bench whose account has templates."""

    async def start(speech: SpeechSettings, *plan: Any, controller: bool = True, **more: Any) -> Bench:
        b = await bench(*plan, sections={"speech": speech}, controller=False, **more)
        await b.home.declare(TEMPLATES)
        if controller:
            await b.start_controller()
        return b

    return start


def kinds(statuses: list[StatusPush]) -> list[str]:
    return [status.event_type for status in statuses]


def spoken_files(b: Bench) -> list[Path]:
    """What was synthesised, in the order in which it was made."""
    return sorted(b.home.settings.speech_dir.glob("*/*.alaw"), key=lambda path: path.stat().st_mtime_ns)


async def calls_made(b: Bench) -> int:
    return await b.controller.database.read(
        lambda session: session.execute(select(func.count()).select_from(Call)).scalar_one()
    )


@pytest.mark.requirement("A2.1", "D2")
async def test_A2_1_given_a_template_with_values_when_the_callee_answers_then_it_is_heard(
    speaking: StartSpeaking, server: SpeechServer
) -> None:
    b = await speaking(server.settings, Answer(digits=(Digits("1", after=1.3),)))

    session = await b.notify({**EAST_GATE, "collectInd": 1})
    call = await b.phone.next_call()
    heard = load_wav(await call.recorded())
    statuses, cdr = await b.over(session)

    (spoken,) = spoken_files(b)
    assert find(load_alaw(spoken), heard).correlation > 0.9
    assert server.said == ["您好，您的快递已到达东门。"]
    assert kinds(statuses) == ["callout", "alerting", "answer", "collectInfo", "disconnect"]
    assert statuses[-1].info["stateCode"] == 0
    assert (cdr["ttsPlayTimes"], cdr["ttsTransDuration"]) == (1, 1)


@pytest.mark.requirement("A2.1")
async def test_A2_1_given_all_kinds_of_items_in_one_list_when_played_then_each_is_heard_in_its_place(
    speaking: StartSpeaking, server: SpeechServer
) -> None:
    b = await speaking(server.settings, Answer())

    session = await b.notify(
        {"notifyVoice": "one.wav"},
        EAST_GATE,
        {"ttsContent": "two.wav"},
        {"ttsContent": "Your code is ready."},
    )
    call = await b.phone.next_call()
    heard = load_wav(await call.recorded(timeout=20))
    statuses, cdr = await b.over(session)

    spoken = {find(load_alaw(path), heard).offset for path in spoken_files(b)}
    recorded = [find(load_wav(b.home.directory / name), heard) for name in ("one.wav", "two.wav")]
    template, text = sorted(spoken)
    assert all(match.correlation > 0.9 for match in recorded)
    assert all(find(load_alaw(path), heard).correlation > 0.9 for path in spoken_files(b))
    assert recorded[0].offset < template < recorded[1].offset < text
    assert sorted(server.said) == ["Your code is ready.", "您好，您的快递已到达东门。"]
    assert cdr["ttsPlayTimes"] == 2
    assert statuses[-1].info["stateCode"] == 0
