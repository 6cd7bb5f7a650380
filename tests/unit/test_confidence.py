"""The conformance suite's judgement: what was read is strict, what is inferred is noted."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
SUITE = """
from conformance.confidence import inferred

def test_read(): assert 1 == 2

@inferred("7.5", "the answer")
def test_inferred(): assert 1 == 2

@inferred("7.5", "no answer")
def test_crashed(): raise OSError

@inferred("7.5", "the same")
def test_same(): pass

def test_half(findings):
    findings.expect("6", "one", 1, 1)
    findings.expect("6", "status", 1, 2)
"""


def outcome(folder: Path, **environment: str) -> str:
    """What a run of the suite above says."""
    (folder / "test_suite.py").write_text(SUITE, "utf-8")
    command = [sys.executable, "-m", "pytest", "-p", "conformance.confidence", "-p", "no:cacheprovider"]
    options = ["-q", "-c", os.devnull, "--rootdir", str(folder), "-W", "ignore", str(folder)]
    run = subprocess.run(
        [*command, *options],
        capture_output=True,
        text=True,
        env={
            **os.environ,
            "PYTHONPATH": str(TESTS),
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
            **environment,
        },
        cwd=folder,
    )
    return run.stdout


@pytest.mark.requirement("A4.5")
def test_given_facts_that_differ_when_judged_then_only_those_that_were_read_fail(tmp_path: Path) -> None:
    said = outcome(tmp_path, CONFORMANCE_STRICT="")

    assert "2 failed, 2 passed, 1 xfailed" in said
    assert "FAILED test_suite.py::test_read" in said
    assert "FAILED test_suite.py::test_crashed" in said
    assert "different here: test_inferred: 7.5 the answer" in said
    assert "different here: test_half: 6 status: 1, expected 2" in said
    assert "2 differ, which fails nothing" in said


@pytest.mark.requirement("A4.5")
def test_given_facts_that_differ_when_all_is_strict_then_all_of_them_fail(tmp_path: Path) -> None:
    said = outcome(tmp_path, CONFORMANCE_STRICT="1")

    assert "4 failed, 1 passed" in said
    assert "all of them were strict" in said
