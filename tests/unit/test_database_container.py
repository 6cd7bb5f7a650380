"""What serves the database in containers, with programs of PostgreSQL's names in its place."""

import os
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "containers/postgresql.sh"
_INITDB = """#!/bin/sh
for word; do case "$word" in --pgdata=*) data="${word#*=}";; esac; done
mkdir "$data"
echo 15 > "$data/PG_VERSION"
[ -z "${CUT_SHORT:-}" ] || kill -9 $PPID
"""
_POSTGRES = """#!/bin/sh
[ "$1" = --single ] || { echo "serves $2 with $(cat "$2/pg_hba.conf")"; exit; }
grep -q 'CREATE DATABASE voicecall;' && echo made >> "$3/databases"
"""

pytestmark = pytest.mark.requirement("E5")


@pytest.fixture
def script(tmp_path: Path) -> Path:
    """A copy that has its files in this folder."""
    text = SCRIPT.read_text("utf-8").replace("/tmp/", f"{tmp_path}/")
    text = text.replace("/var/lib/database", str(tmp_path))
    (tmp_path / "serve").write_text(text)
    for name, program in {"initdb": _INITDB, "postgres": _POSTGRES}.items():
        (tmp_path / name).write_text(program)
        (tmp_path / name).chmod(0o755)
    return tmp_path / "serve"


def _started(script: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    path = f"{script.parent}:{os.environ['PATH']}"
    return subprocess.run(
        ["sh", str(script)],
        env={"PATH": path, "POSTGRES_PASSWORD": "p;@ss", **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=20,
    )


def test_E5_given_a_first_start_that_was_cut_short_when_started_again_then_the_database_is_made_anew(
    script: Path,
) -> None:
    assert _started(script, CUT_SHORT="yes").returncode != 0
    done = _started(script)
    data = script.parent / "data"
    assert done.stdout == f"serves {data} with host all all samenet scram-sha-256\n", done.stderr
    assert (data / "databases").read_text() == "made\n"


def test_E5_given_a_database_that_was_made_when_started_again_then_it_stays_as_it_is(script: Path) -> None:
    first, again = _started(script), _started(script)
    assert first.stdout == again.stdout, again.stderr
    assert (script.parent / "data/databases").read_text() == "made\n"
