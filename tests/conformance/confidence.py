"""How sure the cloud's documents are of a fact: what was read must be so, what is inferred should be.

What was read in the cloud's pages, in its SDK or in clients that called it is strict: its test fails. Of the
rest nobody knows, and another deployment may have chosen otherwise. Such a test is marked with `inferred`, or
a part of it goes through `Findings`: a difference is noted, shown at the end of the run, and fails nothing.
With CONFORMANCE_STRICT set all of it is strict; so our own platform is tested.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from jsonschema import ValidationError

_NOTE = "inferred"
_ANOTHER_ANSWER = (AssertionError, ValidationError)


def inferred(section: str, fact: str) -> pytest.MarkDecorator:
    """Marks a test of something that no document says; `section` is the wire API document's."""
    return pytest.mark.inferred(section, fact)


def is_strict() -> bool:
    return bool(os.environ.get("CONFORMANCE_STRICT"))


@dataclass(frozen=True)
class Findings:
    """Parts of a test that no document says."""

    properties: list[tuple[str, object]]

    def expect(self, section: str, fact: str, found: Any, expected: Any) -> None:
        """Note it if it is otherwise here; to be strict, fail."""
        if found == expected:
            return
        note = f"{section} {fact}: {found!r:.120}, expected {expected!r:.120}"
        assert not is_strict(), note
        self.properties.append((_NOTE, note))


@pytest.fixture
def findings(request: pytest.FixtureRequest) -> Findings:
    """Where a test puts what it can't be strict about."""
    return Findings(request.node.user_properties)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """A test of what is inferred does not fail when the answer is another; it does when there is none."""
    outcome: Any = yield
    marker = item.get_closest_marker("inferred")
    if marker is None or is_strict() or call.when != "call" or call.excinfo is None:
        return
    if call.excinfo.errisinstance(_ANOTHER_ANSWER):
        report = outcome.get_result()
        report.outcome, report.wasxfail = "skipped", f"{_NOTE}: {' '.join(marker.args)}"


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """What differs where the documents don't say, at the end of the run."""
    reports = [
        report for kind in ("passed", "failed", "xfailed") for report in terminalreporter.stats.get(kind, [])
    ]
    notes = [
        f"{report.nodeid.rpartition('::')[2]}: {text}"
        for report in reports
        for text in (*_noted(report), *_differs(report))
    ]
    terminalreporter.section("facts that no document says")
    if is_strict():
        terminalreporter.line("all of them were strict (CONFORMANCE_STRICT)")
        return
    for note in notes:
        terminalreporter.line(f"different here: {note}")
    terminalreporter.line(f"{len(notes)} differ, which fails nothing")


def _noted(report: Any) -> Iterator[str]:
    yield from (str(value) for name, value in report.user_properties if name == _NOTE)


def _differs(report: Any) -> Iterator[str]:
    reason = getattr(report, "wasxfail", "")
    if reason.startswith(_NOTE):
        yield reason.removeprefix(f"{_NOTE}: ")
