"""The audit of dependencies: what makes `make check` fail, and what is only said."""

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

_SCRIPT = Path(__file__).parents[2] / "scripts" / "audit.py"
GOOD: dict[str, Any] = {"name": "jinja2", "version": "3.1.6", "vulns": []}
BAD: dict[str, Any] = {
    "name": "jinja2",
    "version": "3.1.2",
    "vulns": [{"id": "PYSEC-1", "aliases": ["CVE-1"], "fix_versions": ["3.1.3"]}],
}
SKIPPED: dict[str, Any] = {"name": "aiohttp", "skip_reason": "not found"}


@pytest.fixture(scope="module")
def audit() -> ModuleType:
    spec = importlib.util.spec_from_file_location("audit", _SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


def test_given_a_vulnerable_package_when_judged_then_it_fails_and_says_which_and_what_mends_it(
    audit: ModuleType,
) -> None:
    passes, said = audit.judged([GOOD, BAD])
    assert not passes
    assert said == ["dependencies: 2 audited, 1 vulnerabilities", "jinja2 3.1.2: PYSEC-1, mended in 3.1.3"]


def test_given_a_vulnerability_that_is_accepted_when_judged_then_it_passes(
    audit: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(audit.ACCEPTED, "CVE-1", "a reason")
    assert audit.judged([BAD])[0]


@pytest.mark.parametrize("found", [None, [SKIPPED], [GOOD, SKIPPED]])
def test_given_a_registry_that_tells_nothing_when_judged_then_it_passes_and_says_so(
    audit: ModuleType, found: Any
) -> None:
    passes, said = audit.judged(found)
    assert passes
    assert "NOT audited" in said[-1]


def test_given_what_is_installed_when_listed_then_it_is_what_the_platform_runs_with(
    audit: ModuleType,
) -> None:
    names = {name for name, _version in audit.installed("voicecall")}
    assert {"aiohttp", "yarl", "sqlalchemy", "cryptography"} <= names
    assert "pytest" not in names
    assert "voicecall" not in names
