"""One controller and three real Asterisk nodes, of which two share no files with it."""

import asyncio
import re
import signal
from collections import Counter
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from integration.recordings import audio_of, fetched, state_of_recording, until_recording_is
from integration.several_nodes import NODES, StartNodes, callee
from integration.support import APP_KEY, HEARD, SECOND, SECRET, SHOWN, declaration, trunk
from service.sounds.support import pieces
from sqlmodel import select

from controller.asterisk.node import Node
from controller.asterisk.routing import CONTACT_ENDPOINT, TrunkConfiguration, render_trunks
from controller.asterisk.trunk_file import TRUNKS_FILE
from controller.prompts.library import PromptLibrary
from controller.store.tables import Recording
from testbed.listening import load_wav, share_heard, tone_share
from testbed.slow_link import SlowLink
from testbed.softphone_plan import Answer, Reject, Tone
from testbed.sounds import distinct_prompt

pytestmark = pytest.mark.requirement("E2")


async def test_E2_given_three_nodes_of_which_one_has_twice_the_weight_when_called_then_calls_are_spread_so(
    nodes: StartNodes,
) -> None:
    n = await nodes(weights=(1, 1, 2))

    placed = await n.calls(12, talk=3)

    assert Counter(placed.values()) == {"node1": 3, "node2": 3, "node3": 6}
    for session in placed:
        statuses, _cdr = await n.bench.over(session, timeout=30)
        assert statuses[-1].info["stateCode"] == 0


async def test_E2_given_a_node_that_shares_no_files_when_it_has_the_call_then_phones_hear_and_it_is_recorded(
    nodes: StartNodes,
) -> None:
    n = await nodes(
        Answer(play=Tone(700)), phones={SECOND: Answer(after=1.0, play=Tone(900), hang_up_after=4.0)}
    )
    b = n.bench
    await n.only("node2")

    session = await b.call_back(
        recordFlag="true", playPreVoice="true", preVoice="two.wav", waitVoice="wait.wav", calleeMedia="none"
    )
    heard = load_wav(await (await b.phone.next_call()).recorded(timeout=20))
    await b.over(session)

    assert await n.node_of(session) == "node2"
    assert share_heard(load_wav(b.home.directory / "two.wav"), heard) >= HEARD
    async with asyncio.timeout(20):
        while True:
            [row] = await b.controller.database.read(
                lambda opened: [
                    (row.node, row.state, row.seconds) for row in opened.exec(select(Recording)).all()
                ]
            )
            if row[1] == "stored":
                break
            await asyncio.sleep(0.1)
    assert row[0] == "node2"
    assert row[2] > 2


@pytest.mark.requirement("A1.5")
async def test_A1_5_given_a_recording_when_its_node_goes_down_before_the_fetch_then_it_is_fetched_once_back(
    nodes: StartNodes,
) -> None:
    n = await nodes(Answer(play=Tone(700)), phones={SECOND: Answer(play=Tone(900), hang_up_after=3.6)})
    b = n.bench
    address = urlsplit(b.controller.fleet["node2"].settings.ari_url)
    assert address.hostname is not None
    assert address.port is not None
    async with SlowLink.open(address.hostname, address.port, b"/recordings/stored/", 12_000) as link:
        await n.reach("node2", f"http://127.0.0.1:{link.own_port}")
        await n.only("node2")
        session = await b.call_back(recordFlag="true")
        _statuses, cdr = await b.over(session)
        async with asyncio.timeout(10):
            await link.stopped.wait()
        await n.kill("node2")
    assert await state_of_recording(b) == "pending"

    async with SlowLink.open(address.hostname, address.port, b"nothing", 0, link.own_port):
        await n.revive("node2")
        _address, file = await fetched(b, cdr["recordObjectName"])
        await until_recording_is(b, "stored")

    recording = audio_of(file)
    assert await n.node_of(session) == "node2"
    assert recording.seconds >= 3.3
    for tone in (700, 900):
        assert tone_share(recording, tone, 0.5, 3.2) > 0.25, tone
    assert list(n.running["node2"].configuration.recording_dir.iterdir()) == []


async def test_E2_given_a_node_that_is_drained_when_called_then_others_have_new_calls_and_its_own_go_on(
    nodes: StartNodes,
) -> None:
    n = await nodes()
    before = await n.calls(3, talk=6)
    assert set(before.values()) == set(NODES)

    await n.drain("node1")
    during = await n.calls(4, talk=1)
    live = await n.bench.controller.fleet["node1"].ari.channels.list()
    await n.drain("node1", "resume")
    after = await n.calls(3, talk=1)

    assert Counter(during.values()) == {"node2": 2, "node3": 2}
    assert live
    assert "node1" in after.values()
    for session in [*before, *during, *after]:
        statuses, _cdr = await n.bench.over(session, timeout=30)
        assert statuses[-1].info["stateCode"] == 0


async def test_E2_given_a_node_that_dies_and_comes_back_when_called_then_its_calls_are_closed_others_go_on(
    nodes: StartNodes,
) -> None:
    n = await nodes()
    b = n.bench
    placed = await n.calls(6, talk=12)
    for session in placed:
        await b.receiver.wait_status(session, "answer")

    await n.kill("node2")
    during = await n.calls(4, talk=1)
    assert set(during.values()) == {"node1", "node3"}
    for session in (session for session, node in placed.items() if node == "node2"):
        statuses, cdr = await b.over(session, timeout=25)
        assert statuses[-1].info["stateCode"] == 8000
        assert "callOutAnswerTime" in cdr

    # Declared while it was away: it has this before it has calls.
    port = int(b.phone.contact.rsplit(":", 1)[1])
    await b.home.declare(declaration({}, max_calls=100) + trunk(port, "+86137"))
    await b.controller.directory.refresh()
    await n.revive("node2")
    await n.until(lambda: n.takes_calls("node2"))
    await n.only("node2")
    session = await b.notify(callee="+8613755556666")
    call = await b.phone.next_call()
    await b.over(session)

    assert await n.node_of(session) == "node2"
    assert (call.called, call.caller) == ("+8613755556666", SHOWN)
    for session in [*during, *(session for session, node in placed.items() if node != "node2")]:
        statuses, _cdr = await b.over(session, timeout=30)
        assert statuses[-1].info["stateCode"] == 0


async def test_E2_given_a_node_that_falls_silent_when_called_then_each_call_has_its_end_and_others_go_on(
    nodes: StartNodes,
) -> None:
    n = await nodes()
    b = n.bench
    silent = b.controller.fleet["node2"].ari
    talking = [session for session, node in (await n.calls(3)).items() if node == "node2"]
    await b.receiver.wait_status(talking[0], "answer")

    n.send("node2", signal.SIGSTOP)
    try:
        meanwhile = await n.calls(6, talk=1)
        async with asyncio.timeout(10):
            await silent.wait_lost()
        later = await n.calls(4, talk=1)
        # Long before the node is given up: nobody waits for it.
        for session, node in meanwhile.items():
            statuses, _cdr = await b.over(session, timeout=5)
            assert statuses[-1].info["stateCode"] == (8000 if node == "node2" else 0)
        for session in later:
            statuses, _cdr = await b.over(session)
            assert statuses[-1].info["stateCode"] == 0
        for session in talking:
            statuses, cdr = await b.over(session)
            assert statuses[-1].info["stateCode"] == 8000
            assert "callOutAnswerTime" in cdr
    finally:
        n.send("node2", signal.SIGCONT)
    await n.until(lambda: n.takes_calls("node2"))
    # It has done by now what it was asked while it was stopped.
    left = await silent.channels.list()
    back = await n.calls(3, talk=1)
    for session in back:
        statuses, _cdr = await b.over(session)
        assert statuses[-1].info["stateCode"] == 0

    assert set(meanwhile.values()) == set(back.values()) == set(NODES)
    assert set(later.values()) == {"node1", "node3"}
    assert left == []
    assert {len(b.receiver.cdrs(session)) for session in (*meanwhile, *talking, *later, *back)} == {1}


async def test_E2_given_a_node_that_the_carrier_refuses_when_called_then_calls_go_to_those_that_it_takes(
    nodes: StartNodes,
) -> None:
    n = await nodes(Answer(hang_up_after=0.1), phones={SECOND: [Reject(403), Reject(503)]})
    b = n.bench
    taking, refusing = (int(phone.contact.rsplit(":", 1)[1]) for phone in (b.phone, b.phones[SECOND]))
    # These phones, as some carriers, answer no OPTIONS.
    declared = trunk(taking, "+86137").replace("host =", "qualify_seconds = 0\nhost =")
    await b.home.declare(declaration({}, max_calls=100) + declared)
    await b.controller.directory.refresh()
    await n.misdirect("node2", refusing)
    await n.drain("node2")
    for index in range(4):
        await b.notify(*[{"notifyVoice": "long.wav"}] * 5, callee=callee(index, 60))
    await n.drain("node2", "resume")

    placed: Counter[str] = Counter()
    for _number in range(12):
        session = await b.notify(callee="+8613755556666")
        end = await b.receiver.wait_status(session, "disconnect")
        node = await n.node_of(session)
        assert (end.info["stateCode"] == 0) == (node != "node2")
        placed[node] += 1

    assert placed["node2"] == 3


@pytest.mark.requirement("C5")
async def test_E2_given_nodes_that_are_away_when_a_file_is_approved_then_it_is_used_and_they_play_it_later(
    nodes: StartNodes, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    n = await nodes(Answer())
    b = n.bench
    away = ("node1", "node2")
    for name in away:
        await n.kill(name)
    content, sound = b.controller.content.sounds, distinct_prompt(77, 2.0)
    await content.upload("test", "offer.wav", pieces(sound))
    await content.submit("test", "offer.wav", by="dora")
    [waiting] = await b.controller.reviews.page()
    await b.controller.reviews.approve(waiting.id, by="oscar")
    async with asyncio.timeout(20):
        while not (await content.get("test", "offer.wav")).usable:  # noqa: ASYNC110 - nobody tells of it
            await asyncio.sleep(0.05)

    asked: list[tuple[str, str, bool]] = []
    for name in away:
        node = b.controller.fleet[name]

        async def watched(media: str, seconds: float, *, of: Node = node) -> None:
            await Node.check_plays(of, media, seconds)
            asked.append((of.name, media, of.takes_calls))

        monkeypatch.setattr(node, "check_plays", watched)
    for name in away:
        await n.revive(name)
    await n.until(lambda: all(n.takes_calls(name) for name in away))

    usable = b.controller.directory.now.sound("test", "offer.wav")
    media = PromptLibrary(b.home.settings.prompt_dir).media(usable.digest)
    assert [it for it in sorted(asked) if it[1] == media] == [(name, media, False) for name in away]

    await n.only("node2")
    session = await b.notify({"notifyVoice": "offer.wav"})
    heard = load_wav(await (await b.phone.next_call()).recorded(timeout=20))
    await b.over(session)
    source = tmp_path / "source.wav"
    source.write_bytes(sound)
    assert await n.node_of(session) == "node2"
    assert share_heard(load_wav(source), heard) >= HEARD


@pytest.mark.requirement("E1")
async def test_E1_given_a_node_over_ami_and_a_trunk_named_as_a_part_of_another_when_called_then_both_carry(
    nodes: StartNodes,
) -> None:
    n = await nodes(Answer(), phones={SECOND: Answer()})
    b = n.bench
    names = {"a": b.phone, "a-aor": b.phones[SECOND]}
    ports = {name: int(phone.contact.rsplit(":", 1)[1]) for name, phone in names.items()}
    file = n.running["node2"].configuration.etc_dir / TRUNKS_FILE
    # As 0.1.0 named the parts: one section stands twice.
    as_before = render_trunks(TrunkConfiguration(name, "127.0.0.1", port) for name, port in ports.items())
    file.write_text(as_before.replace(".aor", "-aor").replace(".identify", "-identify"))
    await n.only("node2")

    declared = [trunk(port, f"+8613{port}").replace("carrier-a", name) for name, port in ports.items()]
    await b.home.declare(declaration({}, max_calls=100) + "".join(declared))
    await b.controller.directory.refresh()
    sessions = {name: await b.notify(callee=f"+8613{port}0001") for name, port in ports.items()}
    for name, phone in names.items():
        assert (await phone.next_call()).called == f"+8613{ports[name]}0001"
        statuses, _cdr = await b.over(sessions[name])
        assert (await n.node_of(sessions[name]), statuses[-1].info["stateCode"]) == ("node2", 0)

    assert b.controller.fleet["node2"].trunks_in_force
    sections = re.findall(r"^\[(.+)\]$", file.read_text(), re.MULTILINE)
    assert sorted(sections) == sorted(
        [CONTACT_ENDPOINT, *(name + part for name in ports for part in ("", ".aor", ".identify"))]
    )


async def test_E2_given_a_node_that_is_away_when_the_controller_starts_then_its_old_calls_are_closed(
    nodes: StartNodes,
) -> None:
    n = await nodes()
    b = n.bench
    await b.close_controller()
    async with b.killed():
        sessions = []
        for index in range(3):
            answer = await b.client.notify(b.request({"notifyVoice": "one.wav"}, callee=callee(index, 60)))
            assert answer.code == "0", answer.text
            sessions.append(answer.session_id)
        for session in sessions:
            await b.receiver.wait_status(session, "answer")
    await n.running["node3"].kill()

    await b.start_controller()
    assert b.client is not None
    fresh = await n.call(10, talk=1)

    statuses, _cdr = await b.over(fresh, timeout=20)
    assert statuses[-1].info["stateCode"] == 0
    for session in sessions:
        await b.receiver.wait_cdr(session, 25)
        assert len(b.receiver.cdrs(session)) == 1


async def test_E2_given_no_node_that_takes_calls_when_called_then_a_clear_error(nodes: StartNodes) -> None:
    n = await nodes()
    for name in NODES:
        await n.drain(name)

    answer = await n.bench.client.notify(n.bench.request(callee=callee(1)))

    assert (answer.status, answer.code) == (503, "1010001")
    assert APP_KEY and SECRET
