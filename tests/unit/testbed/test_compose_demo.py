"""What the demo on containers takes for a call that was heard."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest
from rich.console import Console

from controller.prompts import wav
from testbed.demo import compose
from testbed.demo.compose import CODE, Bench, Part
from testbed.demo.report import Report
from testbed.demo.stage import sound
from testbed.listening import load_alaw

pytestmark = pytest.mark.requirement("E5")

STATUSES = ["callout", "alerting", "answer"]
SILENCE = bytes([0xD5])


@dataclass
class FakeBench:
    """A bench whose phone has heard one thing."""

    heard: Path
    made: list[Path]

    def sounds(self, _phone: str) -> list[str]:
        return []

    def synthesised(self, _into: Path) -> list[Any]:
        return [load_alaw(path) for path in self.made]


def alaw(*names: str) -> bytes:
    return b"".join(wav.read(sound(name).read_bytes()) for name in names)


async def judged(
    directory: Path, call: Any, heard: bytes, statuses: list[str], record: Mapping[str, Any]
) -> dict[str, bool]:
    """What the demo checks of a call in which a phone heard this and these were pushed, and what it found."""
    recording, prompt = directory / "heard.wav", directory / "prompt.alaw"
    recording.write_bytes(wav.write(heard))
    # Something that is not said anywhere else here.
    prompt.write_bytes(alaw("transferring"))

    class Played(Part):
        async def call(self, _path: str, _body: Mapping[str, Any]) -> tuple[list[str], dict[str, Any]]:
            return statuses, dict(record)

        def heard(self, _phone: str, _before: object) -> Path:
            return recording

    report = Report(Console(quiet=True))
    bench = cast("Bench", FakeBench(recording, [prompt]))
    await call(Played(bench, report, call.__name__, directory))
    return {check.name: check.passed for check in report.checks}


@pytest.mark.parametrize(
    ("heard", "passed"),
    [
        (SILENCE * 4000 + alaw("transferring") + SILENCE * 8000, True),
        (SILENCE * 48_000, False),
        (alaw("code_intro"), False),
    ],
    ids=["the prompt", "silence", "something else"],
)
async def test_E5_given_a_spoken_text_when_a_phone_heard_something_then_only_the_prompt_will_do(
    tmp_path: Path, heard: bytes, passed: bool
) -> None:
    checks = await judged(
        tmp_path,
        compose.notification,
        heard,
        [*STATUSES, "collectInfo", "disconnect"],
        {"dynIVRPath": "1", "ttsPlayTimes": 1},
    )
    assert checks.pop("the synthesised prompt was heard") == passed
    assert all(checks.values()), checks


@pytest.mark.parametrize(
    ("digits", "passed"), [(CODE, True), (CODE[:-1], False), ("", False), ("306815", False)]
)
async def test_E5_given_a_code_when_a_phone_heard_digits_then_only_all_of_them_in_order_will_do(
    tmp_path: Path, digits: str, passed: bool
) -> None:
    heard = alaw("code_intro", *(f"digit_{digit}" for digit in digits)) + SILENCE * 4000
    checks = await judged(tmp_path, compose.verification, heard, [*STATUSES, "disconnect"], {})
    assert checks.pop("the code was heard, digit by digit") == passed
    assert all(checks.values()), checks


async def test_E5_given_a_code_when_nothing_tells_of_the_calls_end_then_the_demo_fails(
    tmp_path: Path,
) -> None:
    heard = alaw("code_intro", *(f"digit_{digit}" for digit in CODE))
    checks = await judged(tmp_path, compose.verification, heard, STATUSES, {})
    assert not checks["status pushes, in order"]
