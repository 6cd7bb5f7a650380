"""Statements that go to the driver as they are: together with others of their kind, in order, and one by one
where they fail.
"""

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
from psycopg.errors import UniqueViolation
from sqlalchemy import bindparam, func, select
from sqlalchemy.dialects import postgresql
from sqlmodel import Session, col

from controller.store import discreet_cursor
from controller.store.database import Database
from controller.store.prepared import Prepared
from controller.store.tables import UsedNonce

NOW = datetime(2026, 11, 24, 8, 0, 0, 500_000, tzinfo=UTC)
NUMBER = "+8613900001111"

_NONCE = cast(Any, UsedNonce).__table__
_UPSERT = postgresql.insert(_NONCE)

ADD = Prepared(_NONCE.insert())
KEEP_LAST = Prepared(
    _UPSERT.on_conflict_do_update(
        index_elements=[_NONCE.c.app_key, _NONCE.c.nonce], set_={"expires_at": _UPSERT.excluded.expires_at}
    )
)
RENAME = Prepared(_NONCE.update().where(_NONCE.c.nonce == bindparam("old")).values(nonce=bindparam("new")))
COUNT = Prepared(select(func.count().label("count")).select_from(_NONCE))
FIND = Prepared(select(_NONCE.c.nonce, _NONCE.c.expires_at).where(_NONCE.c.nonce == bindparam("name")))


def row(name: str, at: datetime = NOW) -> dict[str, Any]:
    return {"app_key": "app", "nonce": name, "expires_at": at}


def later(*names: str) -> Callable[[Session], None]:
    def work(session: Session) -> None:
        for name in names:
            ADD.later(session, row(name))

    return work


def names(session: Session) -> list[str]:
    return list(session.execute(select(col(UsedNonce.nonce)).order_by(col(UsedNonce.nonce))).scalars())


async def test_given_many_rows_that_are_put_off_when_committed_then_all_are_there(database: Database) -> None:
    wanted = [f"n{number:03}" for number in range(100)]

    await asyncio.gather(*(database.write(later(*wanted[at : at + 7])) for at in range(0, 100, 7)))

    assert await database.read(names) == wanted


async def test_given_rows_that_are_put_off_when_the_same_transaction_reads_then_it_sees_them(
    database: Database,
) -> None:
    def work(session: Session) -> list[str]:
        later("a", "b")(session)
        seen = names(session)
        later("c")(session)
        return seen

    assert await database.write(work) == ["a", "b"]
    assert await database.read(names) == ["a", "b", "c"]


async def test_given_one_row_of_a_group_that_can_not_be_when_put_off_then_only_its_write_fails(
    database: Database,
) -> None:
    await database.write(later("taken"))

    outcomes = await asyncio.gather(
        *(database.write(later(*its)) for its in (("a",), ("b", "taken"), ("c",))), return_exceptions=True
    )

    assert [outcome is None for outcome in outcomes] == [True, False, True]
    assert await database.read(names) == ["a", "c", "taken"]


async def test_given_rows_of_one_key_when_put_off_then_the_last_one_is_kept(database: Database) -> None:
    def work(session: Session) -> None:
        for minutes in range(3):
            KEEP_LAST.later(session, row("a", NOW + timedelta(minutes=minutes)), "a")
        KEEP_LAST.later(session, row("b"), "b")

    await database.write(work)

    last = await database.read(lambda session: FIND.row(session, {"name": "a"}))
    assert last == {"nonce": "a", "expires_at": NOW + timedelta(minutes=2)}
    assert await database.read(names) == ["a", "b"]


async def test_given_a_write_that_fails_after_it_put_rows_off_when_others_follow_then_its_rows_are_in_none(
    database: Database,
) -> None:
    def fail(session: Session) -> None:
        later("lost")(session)
        raise ValueError("as it happens")

    with pytest.raises(ValueError, match="as it happens"):
        await database.write(fail)
    await database.write(later("kept"))

    assert await database.read(names) == ["kept"]


async def test_given_statements_whose_answers_are_asked_for_when_sent_among_others_then_each_has_its_own(
    database: Database,
) -> None:
    def work(session: Session) -> list[Any]:
        ADD.run(session, row("a"))
        ADD.run_many(session, [row("b"), row("c")])
        return [
            FIND.row(session, {"name": "b"}),
            RENAME.count(session, {"old": "b", "new": "d"}),
            RENAME.count(session, {"old": "b", "new": "e"}),
            FIND.row(session, {"name": "b"}),
            names(session),
        ]

    assert await database.write(work) == [{"nonce": "b", "expires_at": NOW}, 1, 0, None, ["a", "c", "d"]]


def questions(session: Session) -> list[int]:
    answers = []
    for name in "abc":
        answers.append(COUNT.asked(session, {}))
        ADD.run(session, row(name))
    answers.append(COUNT.asked(session, {}))
    return [answer()["count"] for answer in reversed(answers)]


async def test_given_questions_among_others_when_answered_last_then_each_has_seen_what_came_before_it(
    database: Database,
) -> None:
    assert await database.write(questions) == [3, 2, 1, 0]
    assert await database.read(lambda session: COUNT.asked(session, {})()) == {"count": 3}


async def test_given_a_question_that_somebody_keeps_when_another_has_written_then_this_one_can_write_again(
    database: Database, database_url: str
) -> None:
    kept: list[Any] = []

    def refused(session: Session) -> None:
        kept.append(FIND.asked(session, {"name": "taken"}))
        # Nobody wants the answer any more.
        kept.append(FIND.row(session, {"name": "taken"}))

    await database.write(later("taken"))
    await database.write(refused)
    async with Database(database_url, synchronous="NORMAL") as other:
        await other.write(later("other"))
    await database.write(later("own"))

    assert await database.read(names) == ["other", "own", "taken"]
    assert len(kept) == 2


@pytest.mark.engine("postgresql")
async def test_given_questions_among_others_when_an_answer_is_wanted_then_all_go_to_the_server_together(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent, together = [], discreet_cursor.execute_together

    def execute_together(connection: Any, statements: Sequence[Any]) -> Any:
        sent.append(len(statements))
        return together(connection, statements)

    monkeypatch.setattr(discreet_cursor, "execute_together", execute_together)
    await database.write(questions)

    assert sent == [7]


@pytest.mark.parametrize("how", [ADD.run, ADD.later], ids=["sent", "put off"])
async def test_given_a_row_that_can_not_be_when_it_fails_then_none_of_its_values_is_told_or_logged(
    database: Database, how: Callable[[Session, dict[str, Any]], None], caplog: pytest.LogCaptureFixture
) -> None:
    await database.write(later(NUMBER))

    with pytest.raises(Exception, match=r"(?i)unique") as failed:
        await database.write(lambda session: how(session, row(NUMBER)))
    with pytest.raises(Exception, match=r"(?i)unique") as among:
        await database.write(lambda session: (how(session, row(NUMBER)), names(session)))

    for told in (str(failed.value), str(among.value), caplog.text):
        assert NUMBER[1:] not in told
    assert await database.write(names) == [NUMBER]


@pytest.mark.engine("postgresql")
async def test_given_a_row_that_can_not_be_when_others_are_sent_after_it_then_its_own_fault_is_told(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    await database.write(later(NUMBER))

    def work(session: Session) -> None:
        ADD.run_many(session, [row("a"), row("b")])
        ADD.run(session, row(NUMBER))
        ADD.run(session, row("c"))
        FIND.row(session, {"name": "c"})

    with pytest.raises(UniqueViolation):
        await database.write(work)
    # Those after it failed as well, which says nothing.
    assert caplog.records == []
    assert await database.read(names) == [NUMBER]
