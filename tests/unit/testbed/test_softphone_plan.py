import json

import pytest

from testbed.softphone_plan import (
    Answer,
    Digits,
    EarlyMedia,
    Plan,
    Play,
    Reject,
    RingOnly,
    Silent,
    Sound,
    Tone,
    from_wire,
    to_wire,
)


@pytest.mark.parametrize(
    "plan",
    [
        Answer(),
        Answer(
            play=Tone(440, 480, 1.5),
            digits=(Digits("1"), Digits("2#", 0.5)),
            hang_up_after=3,
            after=2,
            ring=False,
        ),
        RingOnly(),
        Reject(603, after=1, ring=True, reason="Q.850;cause=21"),
        EarlyMedia(Play("/sounds/a.wav", repeat=True), Reject(480), seconds=2),
        EarlyMedia(Tone(440), Answer(play=Play("/sounds/b.wav"))),
        Silent(),
    ],
)
def test_given_a_plan_when_sent_as_json_then_the_same_plan_arrives(plan: Plan) -> None:
    assert from_wire(json.loads(json.dumps(to_wire([plan, plan])))) == (plan, plan)


def test_given_sounds_when_asked_whether_they_end_then_only_files_once_and_timed_tones_do() -> None:
    sounds: list[Sound] = [Play("a"), Play("a", repeat=True), Tone(440), Tone(440, seconds=1)]
    assert [sound.ends for sound in sounds] == [True, False, False, True]
