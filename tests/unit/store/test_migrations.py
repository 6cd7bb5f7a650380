"""Migrations, on the engine that tests run on: there and back with rows, and to the tables of the code."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from engine import copy_database, database_at
from sqlalchemy import Engine, inspect, text
from sqlmodel import Session, col, select
from unit.store.filled import CALLS, PURGED, fill

from controller.store.engines import make_engine
from controller.store.schema import METADATA, downgrade, known, migrate, revisions
from controller.store.tables import Account, App, Call, Cdr, CdrPush, Number, Route, SoundFile, Template

Rows = list[dict[str, Any]]


@pytest.fixture
def url(empty_template: Path, tmp_path: Path) -> str:
    """A database in the newest schema with rows in all tables."""
    url = copy_database(empty_template, tmp_path / "filled.db")
    with opened(url) as engine, Session(engine) as session, session.begin():
        fill(session)
    return url


@contextmanager
def opened(url: str) -> Iterator[Engine]:
    engine = make_engine(url)
    try:
        yield engine
    finally:
        engine.dispose()


def differences(url: str) -> list[Any]:
    """What distinguishes a database from the tables in the code."""
    with opened(url) as engine, engine.connect() as connection:
        found = compare_metadata(MigrationContext.configure(connection), METADATA)
    return [difference for difference in found if "alembic" not in str(difference)]


def content(url: str) -> dict[str, Rows]:
    """The rows of all tables, with the columns that these have in this database."""
    with opened(url) as engine, engine.connect() as connection:
        names = set(inspect(connection).get_table_names()) - {"alembic_version"}
        return {
            name: [dict(row._mapping) for row in connection.execute(text(f'SELECT * FROM "{name}"'))]
            for name in names
        }


def known_to(other: dict[str, Rows], rows: dict[str, Rows]) -> dict[str, Rows]:
    """`rows` without the tables and columns that the other schema has no room for."""
    return {
        name: sorted(
            ({column: value for column, value in row.items() if column in other[name][0]} for row in its),
            key=repr,
        )
        for name, its in rows.items()
        if other.get(name)
    }


def test_given_a_new_database_when_migrated_then_it_has_the_tables_of_the_code(
    tmp_path: Path,
) -> None:
    migrate(url := database_at(tmp_path / "new.db"))

    assert differences(url) == []


def test_given_rows_in_every_table_when_each_migration_is_taken_back_and_made_again_then_they_stay(
    url: str,
) -> None:
    assert [name for name, rows in content(url).items() if not rows] == []
    for newer, older in pairwise(reversed(known())):
        above = content(url)
        downgrade(url, older)
        below = content(url)
        migrate(url, newer)
        again = content(url)
        if newer == "0011":
            (gone,) = (row for row in above["rated_call"] if row["call_id"] == PURGED)
            above["rated_call"].remove(gone)

        assert known_to(below, above) == known_to(above, below), f"{newer} was taken back"
        assert known_to(below, above) == known_to(below, again), f"{newer} was made again"
        downgrade(url, older)


def test_given_rows_in_every_table_when_taken_back_to_the_first_schema_and_up_again_then_it_is_whole(
    url: str,
) -> None:
    for revision in [*reversed(known()), *known()]:
        (migrate if revision > revisions(url)[0] else downgrade)(url, revision)

    assert revisions(url)[0] == revisions(url)[1]
    assert differences(url) == []
    with opened(url) as engine, Session(engine) as session:
        accounts = session.exec(select(Account.id, Account.active).order_by(Account.id)).all()
        app = session.get_one(App, "app-1")
        calls = {call.id: call for call in session.exec(select(Call))}
        cdrs = session.exec(select(Cdr).order_by(col(Cdr.number))).all()
        pushes = session.exec(select(CdrPush.call_id, CdrPush.attempts)).all()
        # What is written now gets what comes after it.
        session.add(Cdr(call_id=CALLS[2], app_key="app-1", ended_at=cdrs[0].ended_at, record={}))
        session.flush()
        last = session.exec(select(Cdr.number).where(Cdr.call_id == CALLS[2])).one()
        states = {row.number[-1]: row.state for row in session.exec(select(Number))}
    # The first schema knew no accounts that are not active.
    assert accounts == [("acme", True), ("other", True)]
    assert (app.secret, app.status_url, app.push_profile) == (
        "12345678",
        "http://customer.test/status",
        "compat",
    )
    assert {call.id: call.ended_at is None for call in calls.values()} == {
        CALLS[0]: False,
        CALLS[1]: False,
        CALLS[2]: True,
    }
    assert [(cdr.number, cdr.call_id) for cdr in cdrs] == [(1, CALLS[1]), (2, CALLS[0])]
    assert cdrs[0].record == {"session_id": f"{CALLS[1]}@host", "state_code": 0, "text": "über"}
    assert last == 3
    assert sorted(pushes) == sorted([(CALLS[0], 1), (CALLS[1], 1)])
    assert states == {"0": "suspended", "1": "active", "2": "suspended", "3": "suspended"}


def test_given_calls_with_records_when_these_lose_their_numbers_then_they_get_the_same_again(
    url: str,
) -> None:
    before = content(url)
    downgrade(url, "0010")
    below = content(url)
    migrate(url)
    after = content(url)

    # Only of a call whose record was purged it is no longer known what it cost.
    assert [row["call_id"] for row in below["rated_call"]] == [CALLS[0]]
    assert after["cdr"] == before["cdr"]
    assert {row["call_id"] for row in before["rated_call"]} == {PURGED, CALLS[0]}
    with (
        opened(url) as engine,
        engine.connect() as connection,
        pytest.raises(Exception, match="rated_call is never changed"),
    ):
        connection.execute(text("DELETE FROM rated_call"))


def test_given_routes_over_several_trunks_when_there_is_room_for_one_then_the_first_that_is_there_stays(
    url: str,
) -> None:
    downgrade(url, "0011")
    below = {row["prefix"]: row["trunk"] for row in content(url)["route"]}
    migrate(url)

    with opened(url) as engine, Session(engine) as session:
        routes = {row.prefix: (row.trunks, row.contact) for row in session.exec(select(Route))}
    assert below == {"+86": "two", "+861": "one", "+999": None}
    assert routes == {
        "+86": (["two"], None),
        "+861": (["one"], None),
        "+999": ([], "sip:{number}@192.0.2.7"),
    }


def test_given_reviewed_files_and_templates_when_there_are_no_reviews_then_those_approved_stay_approved(
    url: str,
) -> None:
    downgrade(url, "0012")
    below = {row["name"]: row["approved"] for row in content(url)["soundfile"]}
    migrate(url)

    with opened(url) as engine, Session(engine) as session:
        files = {row.name: (row.state, row.usable_digest) for row in session.exec(select(SoundFile))}
        templates = {row.id: (row.state, row.usable_text) for row in session.exec(select(Template))}
    approved = {"approved.wav"}
    assert {name for name, is_approved in below.items() if is_approved} == approved
    assert {name for name, found in files.items() if found == ("approved", "new")} == approved
    assert {found for name, found in files.items() if name not in approved} == {("draft", None)}
    assert templates.pop("approved") == ("approved", "Your code is ${code}")
    assert set(templates.values()) == {("draft", None)}
