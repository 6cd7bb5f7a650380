"""The checks of `voicecall doctor` that need nothing running."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from controller.api.certificate import self_signed
from controller.doctor import Level
from controller.doctor.asterisk import clock, version
from controller.doctor.machine import host_name, tls
from controller.settings import HttpSettings

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


NOW = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)


def pair(directory: Path, lifetime: timedelta, *, of_another_key: bool = False) -> HttpSettings:
    certificate, key = directory / "tls.pem", directory / "tls.key"
    made = self_signed(["calls.example"], NOW, lifetime)
    certificate.write_text(made.certificate)
    key.write_text(self_signed(["calls.example"], NOW).key if of_another_key else made.key)
    return HttpSettings(tls_certificate=str(certificate), tls_key=str(key))


@pytest.mark.parametrize(
    ("days", "level", "text"),
    [(90, Level.OK, "2027-02-21"), (10, Level.WARNING, "2026-12-03"), (-0.01, Level.FAULT, "expired on")],
)
def test_given_a_certificate_when_checked_then_its_end_decides(
    tmp_path: Path, days: float, level: Level, text: str
) -> None:
    finding = tls(pair(tmp_path, timedelta(days=days)), NOW)

    assert finding.level is level
    assert text in finding.text


def test_given_the_key_of_another_certificate_when_checked_then_a_fault_names_both_files(
    tmp_path: Path,
) -> None:
    finding = tls(pair(tmp_path, timedelta(days=90), of_another_key=True), NOW)

    assert finding.level is Level.FAULT
    assert "tls.pem" in finding.text
    assert "tls.key" in finding.text


def test_given_files_that_are_not_there_when_checked_then_a_fault_says_so(tmp_path: Path) -> None:
    missing = HttpSettings(tls_certificate=str(tmp_path / "none.pem"), tls_key=str(tmp_path / "none.key"))

    assert tls(missing, NOW).level is Level.FAULT


def test_given_plain_http_when_checked_then_all_is_well() -> None:
    assert tls(HttpSettings(), NOW).level is Level.OK
