"""Endpoints in trouble: several written down at once, each as it is now."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from engine import copy_database, database_at
from sqlmodel import Session

from controller.store.engines import make_engine
from controller.store.pushes import keep_troubles, troubled_endpoints

SINCE = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)


def trouble(failures: int, **more: Any) -> dict[str, Any]:
    failed_at = SINCE + timedelta(seconds=failures)
    values = {
        "failing_since": SINCE,
        "failed_at": failed_at,
        "failures": failures,
        "error": f"timeout: {failures}",
    }
    return {**values, "disabled_at": None, **more}


@pytest.mark.requirement("B2")
def test_B2_given_endpoints_that_fail_recover_and_are_disabled_when_kept_at_once_then_each_is_as_it_is_now(
    template: Path, tmp_path: Path
) -> None:
    copy_database(template, tmp_path / "test.db")
    engine = make_engine(database_at(tmp_path / "test.db"))
    fails, again, well, disabled = (("app-1", f"http://{name}.test/s") for name in ("a", "b", "c", "d"))
    with Session(engine) as session, session.begin():
        keep_troubles(session, [], {again: trouble(1), well: trouble(2), disabled: trouble(3)}, [])
    with Session(engine) as session, session.begin():
        changed = {fails: trouble(4), again: trouble(5), disabled: trouble(6, disabled_at=SINCE)}
        keep_troubles(session, [well], changed, [disabled])
    with Session(engine) as session:
        found = {(row.app_key, row.url): row for row in troubled_endpoints(session)}
    engine.dispose()

    assert {key: (row.failures, row.error, row.disabled_at) for key, row in found.items()} == {
        fails: (4, "timeout: 4", None),
        again: (5, "timeout: 5", None),
        disabled: (6, "timeout: 6", SINCE),
    }
    assert found[again].failed_at == SINCE + timedelta(seconds=5)
