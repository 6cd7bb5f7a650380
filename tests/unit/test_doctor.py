"""The checks of `voicecall doctor` that need nothing running."""

from datetime import UTC, datetime

import pytest

from controller.doctor import Level, clock, host_name, version

pytestmark = pytest.mark.requirement("E3")


def test_given_a_host_name_that_does_not_resolve_when_checked_then_a_fault_says_what_to_write() -> None:
    def resolve(_name: str) -> None:
        raise OSError

    finding = host_name("box", resolve)

    assert finding.level is Level.FAULT
    assert "/etc/hosts: 127.0.1.1 box" in finding.remedy


@pytest.mark.parametrize(
    ("text", "level"),
    [
        ("22.10.1+dfsg+~cs6.17", Level.OK),
        ("22.10.1", Level.OK),
        ("23.1.0", Level.OK),
        ("22.10.0", Level.WARNING),
        ("22.9.3", Level.FAULT),
        ("20.15.0", Level.FAULT),
    ],
)
def test_given_a_version_when_checked_then_old_ones_are_faults(text: str, level: Level) -> None:
    assert version(text).level is level


@pytest.mark.parametrize(
    ("header", "level"),
    [
        ("Mon, 23 Nov 2026 04:00:03 GMT", Level.OK),
        ("Mon, 23 Nov 2026 04:01:00 GMT", Level.FAULT),
        ("Mon, 23 Nov 2026 03:59:00 GMT", Level.FAULT),
        (None, Level.WARNING),
        ("nonsense", Level.WARNING),
    ],
)
def test_given_asterisks_time_when_checked_then_a_difference_is_a_fault(header: str, level: Level) -> None:
    assert clock(header, datetime(2026, 11, 23, 4, 0, tzinfo=UTC)).level is level
