"""What Asterisk might tell: events cut off, changed, lost, doubled, out of order, of unknown kinds."""

import asyncio
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from simulation.loop import SimulatedLoop
from unit.calls.support import QUICK, House, item, running_house

from controller.ari.errors import ProtocolError
from controller.ari.events import EVENT_TYPES
from controller.ari.fake import Behaviour, FakeAsterisk
from controller.ari.protocol import decode_event, decode_message
from controller.calls.timeline import Kind
from fuzz.effort import tries

pytestmark = pytest.mark.requirement("E4")

CHANNEL = {
    "id": "1200_1.a",
    "name": "PJSIP/a-1",
    "state": "Ring",
    "creationtime": "2026-11-26T08:00:00.000+0000",
}
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)
_FIELDS = [
    *("type", "timestamp", "channel", "peer", "bridge", "playback", "recording", "cause", "tech_cause"),
    *("dialstatus", "digit", "application", "request_id", "status_code", "args", "eventname"),
]
_EVENTS = st.builds(
    lambda kind, fields: {**fields, "type": kind},
    st.sampled_from([*EVENT_TYPES, "RESTResponse", "SomethingNew"]) | st.text(max_size=8),
    st.dictionaries(
        st.sampled_from(_FIELDS),
        _JSON | st.just(CHANNEL) | st.fixed_dictionaries({"id": _JSON, "target_uri": _JSON, "name": _JSON}),
        max_size=5,
    ),
)

Change = Callable[[str], list[str]]
_UNKNOWN = json.dumps({"type": "SomethingNew", "channel": CHANNEL, "deep": {"a": [1, {"b": None}]}})


def _replaced(name: str, value: Any) -> Change:
    def change(text: str) -> list[str]:
        event = json.loads(text)
        # Of the channel that is called: then it is of another one, or of none.
        event[name] = value
        return [json.dumps(event)]

    return change


def _without(name: str) -> Change:
    return lambda text: [json.dumps({key: value for key, value in json.loads(text).items() if key != name})]


CHANGES: st.SearchStrategy[Change] = st.one_of(
    st.just(lambda text: [text]),
    st.just(lambda text: [text]),
    st.just(lambda _text: []),
    st.just(lambda text: [text, text]),
    st.just(lambda text: [_UNKNOWN, text]),
    st.integers(0, 300).map(lambda at: lambda text: [text[:at]]),
    st.integers(0, 300).map(lambda at: lambda text: [text[at:], text]),
    st.sampled_from(_FIELDS[2:]).map(_without),
    # Another connection that takes the application over ends this one for good: that is no damage.
    st.builds(_replaced, st.sampled_from(_FIELDS[2:]), _JSON | st.just(CHANNEL)),
)


@given(
    raw=st.binary(max_size=200) | _EVENTS.map(lambda event: json.dumps(event).encode()),
    cut=st.integers(0, 200),
)
@tries(300)
def test_given_any_text_when_read_as_an_event_then_it_is_one_or_refused(raw: bytes, cut: int) -> None:
    for text in (raw, raw[:cut]):
        try:
            message = decode_message(text)
            list(message.keys())
            decode_event(text, message.type)
        except ProtocolError as error:
            assert str(error)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    numbers = iter(range(10**9))

    class Folders:
        def __next__(self) -> Path:
            return tmp_path_factory.mktemp(f"house{next(numbers)}")

    yield Folders()  # type: ignore[misc]


async def _story(template: Path, folder: Path, changes: list[Change], held: int, phone: Behaviour) -> None:
    kept: list[str] = []
    order = iter(changes)

    def garble(text: str) -> list[str]:
        sent = next(order, lambda same: [same])(text)
        if len(kept) < held:
            # Told only after what comes next.
            kept.extend(sent)
            return []
        told, kept[:] = [*sent, *kept], []
        return told

    async with FakeAsterisk(lambda *_: phone, sounds=lambda _medium: 0.3) as asterisk:
        settings = QUICK.model_copy(update={"ring_timeout": 3.0, "trunk_timeout": 1.0})
        async with running_house(asterisk, template, folder, settings) as house:
            asterisk.faults.garble = garble
            accepted = await house.start(item("one", collect=3), item("two"))
            await house.told.until(accepted.session_id, Kind.DISCONNECT, limit=120)
            asterisk.faults.garble = None
            await house.idle(limit=120)
            await _judge(house, accepted.session_id)

            after = await house.call(behaviour=Behaviour(hang_up_after=5.0))
            assert after.state_code == 0, "the next call works"


async def _judge(house: House, session_id: str) -> None:
    kinds = [entry.kind for entry in house.told.of(session_id)]
    assert kinds.count(Kind.DISCONNECT) == 1
    assert kinds[-1] is Kind.DISCONNECT
    numbers = [entry.sequence for entry in house.told.of(session_id)]
    assert numbers == sorted(set(numbers))
    assert list(await house.cdrs()) == [session_id]
    assert await house.live_rows() == 0
    assert await house.pushes_due() == 1


PHONES = [
    Behaviour(answer_after=0.2, digits=((0.2, "1"), (0.4, "2")), hang_up_after=8.0),
    Behaviour(answer_after=0.1, hang_up_after=0.2),
    Behaviour(answer_after=0.1, sip_status=486),
    Behaviour(ring_after=0.1, answer_after=None),
]


@given(changes=st.lists(CHANGES, max_size=25), held=st.integers(0, 2), phone=st.sampled_from(PHONES))
@tries(60)
def test_E4_given_any_damage_to_events_of_a_call_when_it_is_over_then_it_has_one_end_and_the_next_works(
    template: Path, folders: Iterator[Path], changes: list[Change], held: int, phone: Behaviour
) -> None:
    loop = SimulatedLoop(Random(1))
    asyncio.set_event_loop(loop)
    try:
        loop.run_until_complete(_story(template, next(folders), changes, held, phone))
    finally:
        asyncio.set_event_loop(None)
        loop.close()
