"""Templates and texts of notifications: from the wire to a real softphone, with every part real."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from engine import engine_name
from integration.speaking import EAST_GATE, StartSpeaking, kinds, spoken_files
from integration.support import APP_KEY, HEARD, SECRET, Bench
from sqlalchemy import func, select

from controller.settings import SpeechSettings
from controller.store.tables import Call
from testbed.client import ApiClient
from testbed.controller_process import controller_process
from testbed.listening import find, load_alaw, load_wav, share_heard
from testbed.softphone_plan import Answer, Digits
from testbed.speech_server import SpeechServer


@pytest.fixture
async def server() -> AsyncIterator[SpeechServer]:
    async with SpeechServer.start() as made:
        yield made


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
    assert share_heard(load_alaw(spoken), heard) >= HEARD
    assert server.said == ["您好，您的快递已到达东门。"]
    assert kinds(statuses) == ["callout", "alerting", "answer", "collectInfo", "disconnect"]
    assert statuses[-1].info["stateCode"] == 0
    assert (cdr["ttsPlayTimes"], cdr["ttsTransDuration"]) == (1, 1)


@pytest.mark.requirement("D1", "C6")
async def test_D1_given_digits_a_date_and_a_time_when_a_template_is_spoken_then_they_are_read_by_the_rules(
    speaking: StartSpeaking, server: SpeechServer
) -> None:
    b = await speaking(server.settings, Answer())

    meeting = {"templateId": "meeting", "templateParas": ["2017/12/31", "23:59:59", "1234"]}
    session = await b.notify(meeting, {"ttsContent": "余额12.58元。"})
    heard = load_wav(await (await b.phone.next_call()).recorded(timeout=20))
    await b.over(session)

    assert sorted(server.said) == [
        "会议在二零一七年十二月三十一日，二十三点五十九分五十九秒开始，编号一二三四。",
        "余额十二点五八元。",
    ]
    assert all(share_heard(load_alaw(path), heard) >= HEARD for path in spoken_files(b))


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
    recorded = [load_wav(b.home.directory / name) for name in ("one.wav", "two.wav")]
    template, text = sorted(spoken)
    one, two = (find(sound, heard).offset for sound in recorded)
    for sound in (*recorded, *map(load_alaw, spoken_files(b))):
        assert share_heard(sound, heard) >= HEARD
    assert one < template < two < text
    assert sorted(server.said) == ["Your code is ready.", "您好，您的快递已到达东门。"]
    assert cdr["ttsPlayTimes"] == 2
    assert statuses[-1].info["stateCode"] == 0


WRONG_ITEMS: dict[str, tuple[dict[str, Any], str, str]] = {
    "unknown template": ({"templateId": "nothing"}, "1012003", "The template ID does not exist."),
    "another account's template": ({"templateId": "foreign"}, "1012003", "The template ID does not exist."),
    "template in review": ({"templateId": "draft"}, "1012002", "The template ID is not approved."),
    "too few values": ({"templateId": "parcel"}, "1012004", "1 variable(s), 0 value(s)"),
    "null for no values": ({"templateId": "parcel", "templateParas": None}, "1012004", "0 value(s)"),
    "too many values": ({"templateId": "draft2", "templateParas": ["1"]}, "1012003", "does not exist"),
    "more values than variables": (
        {"templateId": "parcel", "templateParas": ["东门", "西门"]},
        "1012004",
        "1 variable(s), 2 value(s)",
    ),
    "value too long": (
        {"templateId": "parcel", "templateParas": ["九个字的值太长了吧"]},
        "1012005",
        "playInfoList[0] value 1 of templateParas does not meet template requirements.",
    ),
    "value of a wrong kind": (
        {"templateId": "meeting", "templateParas": ["2026/11/05", "25:00", "1"]},
        "1012005",
        "playInfoList[0] value 2 of templateParas",
    ),
    "value that is no text": (
        {"templateId": "meeting", "templateParas": ["2026/11/05", "14:30", None]},
        "1012005",
        "playInfoList[0] value 3 of templateParas",
    ),
    "values not a list": ({"templateId": "parcel", "templateParas": "东门"}, "1010002", "templateParas"),
    "text too long": ({"ttsContent": "好" * 301}, "1010002", "playInfoList[0].ttsContent has 903 bytes"),
    "text without words": ({"ttsContent": "。。。"}, "1010002", "playInfoList[0].ttsContent has nothing"),
    "half a character": ({"ttsContent": "\ud83d"}, "1010002", "The body has a character that is none."),
    "half a character as a value": (
        {"templateId": "parcel", "templateParas": ["\ud83d"]},
        "1010002",
        "The body has a character that is none.",
    ),
    "text that names no sound": ({"ttsContent": "none.wav"}, "1010002", "none.wav does not exist"),
    "text and template": ({**EAST_GATE, "ttsContent": "x"}, "1010002", "exactly one"),
}


@pytest.mark.requirement("C6", "A4.5")
async def test_C6_given_wrong_templates_values_and_texts_when_each_is_sent_then_it_is_refused_without_a_call(
    speaking: StartSpeaking, server: SpeechServer
) -> None:
    b = await speaking(server.settings, Answer())

    for name, (item, code, text) in WRONG_ITEMS.items():
        answer = await b.client.notify(b.request(item))
        assert (answer.status, answer.code) == (403, code), f"{name}: {answer.text}"
        assert text in answer.description, name
        assert "西门" not in answer.text
    assert await calls_made(b) == 0
    assert server.said == []

    number = {"templateId": "meeting", "templateParas": ["2026/11/05", "14:30", 7]}
    statuses, _cdr = await b.over(await b.notify(number))
    assert statuses[-1].info["stateCode"] == 0
    assert server.said == ["会议在二零二六年十一月五日，十四点三十分开始，编号七。"]


@pytest.mark.requirement("D3")
async def test_D3_given_the_same_text_again_when_called_then_it_is_from_the_cache_and_replays_count(
    speaking: StartSpeaking, server: SpeechServer
) -> None:
    again = Answer(digits=(Digits("1", after=1.3), Digits("2", after=1.3)))
    b = await speaking(server.settings, [Answer(), again])

    _statuses, first = await b.over(await b.notify(EAST_GATE))
    replayed = {
        **EAST_GATE,
        "collectInd": 1,
        "replayAfterCollection": "true",
        "collectContentTriggerReplaying": "1",
    }
    _statuses, second = await b.over(await b.notify(replayed))

    assert (first["ttsPlayTimes"], first["ttsTransDuration"]) == (1, 1)
    assert (second["ttsPlayTimes"], second["ttsTransDuration"]) == (2, 0)
    assert len(server.said) == 1


@pytest.mark.requirement("A2.1", "D2")
async def test_A2_1_given_an_engine_that_fails_when_a_text_is_to_be_said_then_8005_and_no_phone_rings(
    speaking: StartSpeaking, server: SpeechServer
) -> None:
    b = await speaking(server.settings, Answer())
    server.fails = True

    statuses, cdr = await b.over(await b.notify({"notifyVoice": "one.wav"}, EAST_GATE))

    assert kinds(statuses) == ["disconnect"]
    assert statuses[-1].info["stateCode"] == 8005
    assert (cdr["ulFailReason"], cdr["ttsPlayTimes"]) == (8005, 0)
    assert "callOutStartTime" not in cdr
    assert await b.controller.node.ari.channels.list() == []
    server.fails = False
    statuses, _cdr = await b.over(await b.notify(EAST_GATE))
    assert statuses[-1].info["stateCode"] == 0


@pytest.mark.requirement("A2.1")
async def test_A2_1_given_a_sound_that_vanished_when_its_turn_comes_after_a_text_then_the_call_ends_with_8006(
    speaking: StartSpeaking, server: SpeechServer
) -> None:
    b = await speaking(server.settings, Answer())
    for path in b.home.settings.prompt_dir.glob("*/*.alaw"):
        path.unlink()

    session = await b.notify(EAST_GATE, {"notifyVoice": "one.wav"}, {"ttsContent": "再见。"})
    heard = load_wav(await (await b.phone.next_call()).recorded())
    statuses, cdr = await b.over(session)

    assert max(find(load_alaw(path), heard).correlation for path in spoken_files(b)) > 0.9
    assert statuses[-1].info["stateCode"] == 8006
    assert (cdr["ulFailReason"], cdr["ttsPlayTimes"]) == (524, 1)


@pytest.mark.requirement("A1.6", "D3")
async def test_A1_6_given_a_text_that_is_being_synthesised_when_the_call_is_stopped_then_no_phone_rings(
    speaking: StartSpeaking, server: SpeechServer
) -> None:
    b = await speaking(server.settings, Answer())
    server.may_answer.clear()

    session = await b.notify(EAST_GATE)
    await asyncio.wait_for(server.asked.wait(), 5)
    assert (await b.stop(session, APP_KEY)).code == "0"
    statuses, cdr = await b.over(session)

    assert kinds(statuses) == ["disconnect"]
    assert statuses[-1].info["stateCode"] == 8017
    assert cdr["ulFailReason"] == 1003
    server.may_answer.set()
    statuses, cdr = await b.over(await b.notify(EAST_GATE))
    assert statuses[-1].info["stateCode"] == 0


@pytest.mark.requirement("B2", "E4")
async def test_E4_given_a_text_that_is_being_synthesised_when_the_controller_ends_then_its_call_is_closed(
    speaking: StartSpeaking, server: SpeechServer
) -> None:
    b = await speaking(server.settings, Answer(), controller=False)
    server.may_answer.clear()

    async with b.home.serving(APP_KEY, SECRET) as (_controller, client):
        answer = await client.notify(b.request(EAST_GATE))
        await asyncio.wait_for(server.asked.wait(), 5)
    # The CDR is in the outbox: the next start delivers it.
    await b.start_controller()
    statuses, cdr = await b.over(answer.session_id)

    assert kinds(statuses) == ["disconnect"]
    assert statuses[-1].info["stateCode"] == 8000
    assert cdr["ulFailReason"] == 8000


@pytest.mark.requirement("D2")
async def test_D2_given_no_engine_when_a_text_is_asked_for_then_it_is_refused_and_sounds_are_played(
    speaking: StartSpeaking,
) -> None:
    b = await speaking(SpeechSettings(engine="off"), Answer())

    for item in (EAST_GATE, {"ttsContent": "您好"}):
        answer = await b.client.notify(b.request(item))
        assert (answer.status, answer.code) == (403, "1010002")
        assert "speech is not available here" in answer.description
    statuses, _cdr = await b.over(await b.notify({"notifyVoice": "one.wav"}))
    assert statuses[-1].info["stateCode"] == 0


@pytest.mark.requirement("E3", "D3")
async def test_E3_given_a_spoken_text_when_the_call_is_over_then_it_is_in_no_log_line_and_not_in_the_database(
    speaking: StartSpeaking, server: SpeechServer
) -> None:
    b = await speaking(server.settings, Answer(), controller=False)
    secret_place, secret_text = "蓬莱阁", "紫薇花对紫薇郎"
    directory = b.home.directory / "controller"

    async with (
        controller_process(b.home.settings, directory) as running,
        ApiClient.open(running.url, APP_KEY, SECRET) as client,
    ):
        items = [{**EAST_GATE, "templateParas": [secret_place]}, {"ttsContent": secret_text}]
        answer = await client.notify(b.request(*items))
        await b.over(answer.session_id)
        server.fails = True
        failed = await client.notify(b.request({"ttsContent": f"再说{secret_text}"}))
        await b.over(failed.session_id)

    assert len(server.said) == 3
    kept = [running.log, *b.home.settings.data_dir.glob("voicecall.db*")]
    assert engine_name() != "sqlite" or any(path.suffix == ".db" for path in kept)
    for path in kept:
        for words in (secret_place, secret_text):
            content = path.read_bytes()
            assert words.encode() not in content
            assert words.encode("unicode-escape") not in content
    for push in b.receiver.pushes:
        assert secret_place not in push.body.decode() and secret_text not in push.body.decode()
