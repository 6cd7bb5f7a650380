"""Call details of real calls: found, told in full, drawn, hung up, over HTTP and by the command."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from xml.etree import ElementTree

import aiohttp
import pytest
from integration.support import CALLED, SECOND, SHOWN, Bench, StartBench
from sqlmodel import Session
from typer.testing import CliRunner

from controller.cli import app
from controller.management.passwords import digest
from controller.management.roles import Role
from controller.store.management_tables import ApiToken, User
from testbed.softphone_plan import Answer, Digits, Reject

pytestmark = pytest.mark.requirement("B4")

TOKEN = "vct_integration"


async def ask(b: Bench, method: str, path: str) -> tuple[int, str]:
    """What the management API says to the tests' account."""

    def known(session: Session) -> None:
        if session.get(User, "usr_test") is not None:
            return
        now = datetime.now(UTC)
        session.add(
            User(
                id="usr_test",
                login="test",
                role=Role.ADMINISTRATOR,
                account_id="test",
                password_hash="none",
                created_at=now,
            )
        )
        session.flush()
        session.add(
            ApiToken(
                id="tok_test",
                user_id="usr_test",
                name="test",
                role=Role.ADMINISTRATOR,
                digest=digest(TOKEN),
                created_at=now,
                expires_at=now + timedelta(days=1),
            )
        )

    await b.controller.database.write(known)
    headers = {"Authorization": f"Bearer {TOKEN}"}
    async with (
        aiohttp.ClientSession(b.controller.url) as http,
        http.request(method, f"/api/v1{path}", headers=headers) as answer,
    ):
        return answer.status, await answer.text()


async def told(b: Bench, session_id: str) -> dict[str, Any]:
    status, text = await ask(b, "GET", f"/calls/{session_id.partition('@')[0]}?view=debug")
    assert status == 200, text
    body: dict[str, Any] = json.loads(text)
    return body


async def told_with_pushes(b: Bench, session_id: str) -> dict[str, Any]:
    """The same once it has the last status push: attempts come to the database together, a moment later."""
    async with asyncio.timeout(5):
        while True:
            call = await told(b, session_id)
            if any(push["event_type"] == "disconnect" for push in call["debug"]["pushes"]):
                return call
            await asyncio.sleep(0.05)


async def test_B4_given_a_notification_with_keys_when_read_then_all_that_happened_is_told(
    bench: StartBench,
) -> None:
    b = await bench(Answer(after=0.3, digits=(Digits("12", after=0.8),)))
    session = await b.notify({"notifyVoice": "one.wav", "collectInd": 2})
    await b.over(session)

    call = await told_with_pushes(b, session)
    report = call["debug"]

    assert (call["caller"], call["callee"], call["state_code"]) == (SHOWN, CALLED, 0)
    assert report["verdict"].startswith("The callee answered after")
    assert "heard 1 prompt, pressed 2 keys" in report["verdict"]
    texts = [step["text"] for step in report["steps"]]
    for text in (
        "the request is accepted",
        "the callee is called",
        "the callee rings",
        "the callee answers",
        "the callee hears one.wav; up to 2 digits are asked for",
        "the callee pressed 12",
    ):
        assert text in texts
    pushed = {push["event_type"] for push in report["pushes"] if push["status"] == 200}
    assert {"callout", "alerting", "answer", "collectInfo", "disconnect"} <= pushed
    assert [span["kind"] for span in report["legs"][0]["spans"]] == ["dialling", "ringing", "prompt"]


async def test_B4_given_a_callback_whose_b_is_busy_when_read_then_the_cause_is_in_words_and_drawn(
    bench: StartBench,
) -> None:
    b = await bench(Answer(hang_up_after=4.0), phones={SECOND: Reject(486, after=0.3, ring=True)})
    session = await b.call_back()
    await b.over(session)

    report = (await told(b, session))["debug"]
    status, svg = await ask(b, "GET", f"/calls/{session.partition('@')[0]}/timeline.svg")
    kinds = [bar.get("data-kind") for bar in ElementTree.fromstring(svg).iter() if bar.tag.endswith("rect")]

    assert report["verdict"].startswith("B was busy: rang 0.")
    assert report["verdict"].endswith("the carrier sent 486 (Busy Here), Q.850 17 (user busy).")
    assert status == 200
    assert kinds == ["dialling", "ringing", "waiting", "dialling", "ringing"]


async def test_B4_given_calls_when_searched_then_live_and_ended_are_found_and_another_is_not(
    bench: StartBench,
) -> None:
    b = await bench(Answer())
    over = await b.notify()
    await b.over(over)
    live = await b.notify({"notifyVoice": "long.wav"})
    call = await b.phone.next_call()
    await call.answered()

    _status, text = await ask(b, "GET", f"/calls?callee={CALLED[-6:]}")
    _status, none = await ask(b, "GET", "/calls?callee=00009999")

    assert [item["session_id"] for item in json.loads(text)["items"]] == [live, over]
    assert json.loads(none)["items"] == []


async def test_B4_given_a_live_call_when_hung_up_by_api_then_it_ends_with_8017(bench: StartBench) -> None:
    b = await bench(Answer())
    session = await b.notify({"notifyVoice": "long.wav"})
    call = await b.phone.next_call()
    await call.answered()

    status, _text = await ask(b, "POST", f"/calls/{session.partition('@')[0]}/hang-up")
    statuses, _cdr = await b.over(session)

    assert status == 204
    assert statuses[-1].info["stateCode"] == 8017


async def test_B4_given_a_call_when_the_command_is_asked_then_it_finds_and_tells_it(
    bench: StartBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    b = await bench(Reject(486))
    session = await b.notify()
    await b.over(session)
    await b.close_controller()
    settings = b.home.settings
    monkeypatch.setattr("controller.call_command.read_settings", lambda _path: settings)
    picture = b.home.directory / "call.svg"

    def run(*words: str) -> str:
        result = CliRunner().invoke(app, list(words))
        assert result.exit_code == 0, result.output
        return result.stdout

    found = json.loads(await asyncio.to_thread(run, "calls", "--callee", CALLED[-5:], "--json"))
    text = await asyncio.to_thread(run, "call", session, "--svg", str(picture))

    assert [call["session_id"] for call in found] == [session]
    assert text.startswith("The callee was busy")
    assert ElementTree.fromstring(picture.read_text()).tag.endswith("svg")
