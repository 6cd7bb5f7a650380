"""Numbers as they are declared: states, bind numbers, and what can't be."""

from pathlib import Path

import pytest
from engine import database_at
from sqlalchemy import text

from controller.accounts.declaration import DeclarationError, apply, read_declaration
from controller.accounts.directory import Directory, DisplayNumber, directory_of
from controller.phone_number import PhoneNumber
from controller.store.database import Database
from controller.store.directory import read_directory
from controller.store.engines import make_engine
from controller.store.schema import migrate
from controller.store.tables import Number, NumberState

pytestmark = pytest.mark.requirement("A4.2", "C4")

FIRST, SECOND = "+8657126880001", "+8657126880002"


def app(key: str, bind: str | None = None) -> str:
    line = f'bind_number = "{bind}"\n' if bind else ""
    return f'[[accounts.apps]]\nkey = "{key}"\nsecret = "12345678"\nservice = "notification"\n{line}'


def account(numbers: str, *apps: str, name: str = "acme") -> str:
    return f'[[accounts]]\nid = "{name}"\nnumbers = [{numbers}]\n' + "".join(apps)


BOTH = f'"{FIRST}", "{SECOND}"'


async def applied(database: Database, folder: Path, declared: str) -> tuple[set[str], Directory]:
    """What was done, and the directory after it."""
    path = folder / "declared.toml"
    path.write_text(declared)
    declaration = read_declaration(path)
    changes = await database.write(lambda session: apply(session, declaration, []))
    directory = directory_of(await database.read(read_directory))
    return {change.what for change in changes if change.kind == "number"}, directory


async def test_C4_given_numbers_as_texts_and_tables_when_applied_then_each_has_its_state(
    database: Database, tmp_path: Path
) -> None:
    numbers = f'"{FIRST}", {{number = "{SECOND}", suspended = true}}'

    done, directory = await applied(database, tmp_path, account(numbers))
    again, _same = await applied(database, tmp_path, account(numbers))
    resumed, afterwards = await applied(database, tmp_path, account(BOTH))

    assert (done, again, resumed) == ({"created"}, {"unchanged"}, {"unchanged", "changed"})
    assert directory.numbers == {FIRST: DisplayNumber("acme"), SECOND: DisplayNumber("acme", usable=False)}
    assert afterwards.numbers[SECOND].usable


async def test_C4_given_a_bind_number_when_applied_then_the_app_has_it_and_can_hand_it_on(
    database: Database, tmp_path: Path
) -> None:
    _done, directory = await applied(database, tmp_path, account(BOTH, app("one", FIRST), app("two", SECOND)))
    _done, swapped = await applied(database, tmp_path, account(BOTH, app("one", SECOND), app("two", FIRST)))
    _done, given_up = await applied(database, tmp_path, account(BOTH, app("one")))

    assert directory.applications["one"].bind_number == PhoneNumber(FIRST)
    assert swapped.applications["two"].bind_number == PhoneNumber(FIRST)
    assert given_up.applications["one"].bind_number is None


async def test_C4_given_a_number_for_some_apps_when_applied_then_it_is_theirs_until_it_is_for_all(
    database: Database, tmp_path: Path
) -> None:
    some = f'{{number = "{FIRST}", apps = ["one"]}}'

    _done, directory = await applied(database, tmp_path, account(some, app("one"), app("two")))
    _done, afterwards = await applied(database, tmp_path, account(BOTH, app("one"), app("two")))

    one, two = (directory.applications[key] for key in ("one", "two"))
    assert (directory.numbers[FIRST].is_for(one), directory.numbers[FIRST].is_for(two)) == (True, False)
    assert afterwards.numbers[FIRST].is_for(two)


@pytest.mark.parametrize("state", NumberState)
async def test_C4_given_a_number_of_another_account_when_declared_then_only_a_released_one_is_taken_over(
    database: Database, tmp_path: Path, state: NumberState
) -> None:
    await applied(database, tmp_path, account("", name="other"))
    await database.write(lambda session: session.add(Number(number=FIRST, account_id="other", state=state)))

    if state is NumberState.RELEASED:
        _done, directory = await applied(database, tmp_path, account(BOTH))
        assert directory.numbers[FIRST].account_id == "acme"
    else:
        with pytest.raises(DeclarationError, match="belongs to another account"):
            await applied(database, tmp_path, account(BOTH))


@pytest.mark.requirement("C3")
async def test_C3_given_an_app_when_declared_for_another_service_then_it_is_refused(
    database: Database, tmp_path: Path
) -> None:
    await applied(database, tmp_path, account(BOTH, app("one")))

    with pytest.raises(DeclarationError, match="app one is for notification, which can't be changed"):
        await applied(database, tmp_path, account(BOTH, app("one").replace("notification", "callback")))


@pytest.mark.parametrize(
    ("declared", "said"),
    [
        (account(BOTH, app("one", FIRST), app("two", FIRST)), "bind number of two apps, one and two"),
        (account(BOTH, app("one", "+8657126880009")), "is not a number of account acme"),
        (
            account(BOTH, name="other") + account("", app("one", FIRST)),
            "is not a number of account acme",
        ),
        (
            account(f'{{number = "{FIRST}", apps = ["two"]}}', app("one", FIRST), app("two")),
            "may not be shown by this app",
        ),
        (account(f'{{number = "{FIRST}", apps = ["nobody"]}}'), "account acme has no app nobody"),
        (account(f'{{number = "{FIRST}", paused = true}}'), "accounts.0.numbers.0.paused"),
        (account('{number = "0571"}'), "accounts.0.numbers.0.number"),
        (account(f'"{FIRST}", {{number = "{FIRST}"}}'), "stands twice"),
    ],
)
async def test_C4_given_numbers_that_can_not_be_when_applied_then_it_says_why_and_nothing_is_changed(
    database: Database, tmp_path: Path, declared: str, said: str
) -> None:
    with pytest.raises(DeclarationError, match=said):
        await applied(database, tmp_path, declared)
    assert directory_of(await database.read(read_directory)).numbers == {}


def test_C4_given_a_database_with_an_inactive_number_when_migrated_then_it_is_suspended(
    tmp_path: Path,
) -> None:
    url = database_at(tmp_path / "old.db")
    migrate(url, "0002")
    engine = make_engine(url)
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO account (id, name) VALUES ('acme', '')"))
        for number, active in ((FIRST, True), (SECOND, False)):
            connection.execute(
                text("INSERT INTO number (number, account_id, active) VALUES (:number, 'acme', :active)"),
                {"number": number, "active": active},
            )

    migrate(url)

    with engine.begin() as connection:
        found = connection.execute(text("SELECT number, state FROM number ORDER BY number")).all()
    engine.dispose()
    assert [tuple(row) for row in found] == [(FIRST, "active"), (SECOND, "suspended")]
