"""Every number of the services has a test on a real Asterisk that carries it in its name."""

import re
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
NUMBERS = re.findall(
    r"^\| (A[1-3]\.\d|A4\.[12]|D\d) \|",
    (REPOSITORY / "docs/requirements.md").read_text("utf-8"),
    re.MULTILINE,
)
TESTS = "\n".join(path.read_text("utf-8") for path in (REPOSITORY / "tests/integration").rglob("test_*.py"))


def test_given_the_list_of_requirements_when_read_then_the_services_and_speech_are_in_it() -> None:
    assert len(NUMBERS) == 17


@pytest.mark.parametrize("number", NUMBERS)
def test_given_a_number_when_looked_for_in_names_of_integration_tests_then_it_is_there(number: str) -> None:
    assert f"def test_{number.replace('.', '_')}_" in TESTS
