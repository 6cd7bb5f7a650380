"""What the documents on security say is tested, is tested."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted((ROOT / "docs" / "security").glob("*.md"))
_TEST = re.compile(r"`(tests/[\w/]+\.py)::(\w+|\*)`")
_LIKE_ONE = re.compile(r"`tests/[^`]*`")


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.stem)
def test_given_a_test_that_a_document_names_when_looked_for_then_it_is_there(document: Path) -> None:
    text = document.read_text("utf-8")
    named = _TEST.findall(text)
    missing = [
        f"{file}::{test}"
        for file, test in named
        if not (ROOT / file).is_file()
        or (test != "*" and f"def {test}(" not in (ROOT / file).read_text("utf-8"))
    ]

    assert not missing
    assert len(named) > 20
    without = [found for found in _LIKE_ONE.findall(text) if not _TEST.fullmatch(found)]
    assert set(without) <= {"`tests/unit/test_security_documents.py`"}


def test_given_the_threat_model_when_read_then_every_threat_has_a_test() -> None:
    rows = [
        line
        for line in (ROOT / "docs" / "security" / "threat-model.md").read_text("utf-8").splitlines()
        if line.startswith("|")
        and line.count("|") == 4
        and not line.startswith(("| ---", "| threat", "| door"))
    ]

    assert len(rows) > 30
    assert not [row for row in rows if not _TEST.search(row)]


_LEVEL_2: dict[str, int] = {
    **{"1.1": 2, "1.2": 9, "1.3": 11, "1.4": 3, "1.5": 2, "2.1": 3, "2.2": 3, "2.3": 4, "2.4": 1},
    **{"3.2": 2, "3.3": 4, "3.4": 6, "3.5": 5, "3.7": 2, "4.1": 3, "4.2": 1, "4.3": 2, "4.4": 4},
    **{"5.1": 1, "5.2": 3, "5.3": 2, "5.4": 3, "6.1": 3, "6.2": 12, "6.3": 4, "6.4": 4, "6.5": 5, "6.6": 3},
    **{"6.8": 4, "7.1": 3, "7.2": 4, "7.3": 2, "7.4": 5, "7.5": 2, "7.6": 2, "8.1": 2, "8.2": 3, "8.3": 1},
    **{"8.4": 1, "9.1": 3, "9.2": 4, "10.1": 2, "10.2": 2, "10.3": 4, "10.4": 11, "10.5": 5, "10.6": 2},
    **{"10.7": 3, "11.1": 2, "11.2": 3, "11.3": 3, "11.4": 4, "11.5": 1, "11.6": 1, "12.1": 3, "12.2": 2},
    **{"12.3": 4, "13.1": 1, "13.2": 5, "13.3": 2, "13.4": 5, "14.1": 2, "14.2": 4, "14.3": 3, "15.1": 3},
    **{"15.2": 3, "15.3": 7, "16.1": 1, "16.2": 5, "16.3": 4, "16.4": 3, "16.5": 3, "17.1": 1, "17.2": 4},
    "17.3": 2,
}
"""How many requirements of levels 1 and 2 each section of ASVS 5.0.0 has; they are its first ones."""
_ROW = re.compile(r"^\| (\d+\.\d+\.\d+)(?:–(\d+\.\d+\.\d+))? \| (met|n/a|not met) \| \S", re.MULTILINE)


def test_given_the_standards_levels_1_and_2_when_compared_then_each_requirement_has_its_line() -> None:
    every = [f"{section}.{place}" for section, count in _LEVEL_2.items() for place in range(1, count + 1)]
    assert len(every) == 70 + 183
    named: list[str] = []
    for first, last, _state in _ROW.findall((ROOT / "docs" / "security" / "asvs.md").read_text("utf-8")):
        begin, end = every.index(first), every.index(last or first)
        named += every[begin : end + 1]

    assert named == every
