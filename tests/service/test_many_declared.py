"""A declaration of very many things: nobody is kept from writing by a statement for each of them.

That it is not long is told by the statements of a transaction, as they are the same on every machine.
"""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest
from engine import copy_database
from service.statements import counted
from sqlalchemy.exc import OperationalError
from sqlmodel import Session, select

from controller import declare_command
from controller.accounts.changes import Change
from controller.declare_command import apply_file
from controller.settings import Settings
from controller.store import audit
from controller.store.billing_tables import Alarm, Hold, LedgerTransfer
from controller.store.database import Database
from controller.store.management_tables import User
from controller.store.tables import Account, Number, NumberState

T = TypeVar("T")

ACCOUNTS, NUMBERS = 120, 4
"""Accounts, and the numbers of each."""

MOST_STATEMENTS = 60
"""Of a declaration, whatever is in it. Of a batch of rents it is told in the tests of money."""

HASH = "$argon2id$v=19$m=65536,t=3,p=4$" + "A" * 22 + "$" + "B" * 43

OPERATOR = f"""
[[users]]
login = "root"
role = "administrator"
password_hash = "{HASH}"

[[trunks]]
name = "carrier"
host = "sip.carrier.example"

[[routes]]
prefix = "+86"
trunk = "carrier"
"""


def account(number: int) -> str:
    name = f"many-{number:03}"
    numbers = [f"+86571{number:03}{index:05}" for index in range(NUMBERS)]
    return f"""
[[accounts]]
id = "{name}"
name = "Many"
prepaid = true
number_price = "2"
numbers = ["{'", "'.join(numbers[1:])}", {{ number = "{numbers[0]}", apps = ["app-{name}"] }}]

[[accounts.apps]]
key = "app-{name}"
secret = "a secret of many"
service = "callback"
bind_number = "{numbers[0]}"

[[accounts.templates]]
id = "parcel"
text = "您好。"

[[accounts.users]]
login = "{name}@many.example"
role = "administrator"
password_hash = "{HASH}"

[[accounts.users]]
login = "left.{name}@many.example"
role = "viewer"
active = false
password_hash = "{HASH}"

[[accounts.contacts]]
id = "contact-{name}"
email = "{name}@many.example"

[[accounts.enterprises]]
id = "enterprise-{name}"
full_name = "Many Co., Ltd."
approved = false

[accounts.enterprises.documents]
licence = "licence.pdf"
"""


MANY = OPERATOR + "".join(account(number) for number in range(ACCOUNTS))


class Here:
    """A platform, and a file for it."""

    def __init__(self, folder: Path, database_url: str) -> None:
        self.url = database_url
        self.file = folder / "many.toml"
        self.settings = Settings.model_validate(
            {
                "data_dir": folder / "data",
                "database": {"url": database_url, "synchronous": "NORMAL"},
            }
        )
        (folder / "licence.pdf").write_bytes(b"%PDF-1 licence")

    async def apply(self, text: str, *, dry_run: bool = False) -> list[Change]:
        self.file.write_text(text)
        return await apply_file(self.settings, self.file, dry_run=dry_run)

    async def read(self, work: Callable[[Session], T]) -> T:
        async with Database.of(self.settings) as database:
            return await database.read(work)


@pytest.fixture
def here(tmp_path: Path, empty_template: Path) -> Here:
    return Here(tmp_path, copy_database(empty_template, tmp_path / "many.db"))


def what(changes: list[Change]) -> set[str]:
    return {change.what for change in changes if change.kind != "price"}


def of_each(table: Any, column: Any) -> Callable[[Session], Counter[str]]:
    return lambda session: Counter(session.exec(select(column).select_from(table)).all())


@pytest.mark.requirement("C9", "E6")
async def test_C9_given_very_many_new_things_when_applied_then_no_transaction_has_a_statement_for_each(
    here: Here,
) -> None:
    with counted() as dry:
        foreseen = await here.apply(MANY, dry_run=True)
    with counted() as statements:
        changes = await here.apply(MANY)

    assert what(changes) == {"created"}
    assert [(its.kind, its.name, its.what) for its in foreseen] == [
        (its.kind, its.name, its.what) for its in changes
    ]
    assert max(dry) <= MOST_STATEMENTS
    # The last one, which closes the database, has nothing to write.
    declaring, *rents = [count for count in statements if count]
    assert declaring <= MOST_STATEMENTS
    # Rents come in transactions of their own, so that others get their turn between them.
    assert len(rents) > 5
    each = {f"many-{number:03}" for number in range(ACCOUNTS)}
    assert await here.read(of_each(Number, Number.account_id)) == dict.fromkeys(each, NUMBERS)
    assert await here.read(of_each(LedgerTransfer, LedgerTransfer.account_id)) == dict.fromkeys(each, NUMBERS)
    # Nobody has paid: all are frozen, and were told so once.
    assert await here.read(of_each(Hold, Hold.scope)) == dict.fromkeys(each, 1)
    assert await here.read(of_each(Alarm, Alarm.account_id)) == dict.fromkeys(each, 1)
    trail = await here.read(audit.verify)
    assert (trail.entries, trail.fault) == (len(changes), None)


@pytest.mark.requirement("C9", "E6")
async def test_C9_given_very_many_things_that_are_there_when_applied_then_hardly_a_statement_is_needed(
    here: Here,
) -> None:
    await here.apply(MANY)
    trail = await here.read(audit.verify)
    with counted() as statements:
        changes = await here.apply(MANY)

    assert what(changes) == {"unchanged"}
    assert sum(statements) <= MOST_STATEMENTS
    assert await here.read(audit.verify) == trail


@pytest.mark.requirement("C9", "E6")
async def test_C9_given_very_many_things_that_are_there_otherwise_when_applied_then_they_are_changed_together(
    here: Here,
) -> None:
    await here.apply(MANY)
    otherwise = (
        MANY.replace('"Many"', '"More"')
        .replace("a secret of many", "a secret of more")
        .replace("Many Co.", "More Co.")
        .replace('"viewer"', '"developer"')
        .replace("prepaid = true", "prepaid = false")
        .replace('number_price = "2"', 'number_price = "3"')
    )
    with counted() as statements:
        changes = await here.apply(otherwise)

    kinds = Counter(change.kind for change in changes if change.what == "changed")
    assert kinds == dict.fromkeys(("account", "app", "enterprise", "user", "price"), ACCOUNTS)
    assert max(statements) <= MOST_STATEMENTS
    # What is no longer prepaid is no longer held.
    assert await here.read(lambda session: session.exec(select(Hold)).all()) == []
    names = await here.read(lambda session: set(session.exec(select(Account.name)).all()))
    assert names == {"More"}
    assert (await here.read(audit.verify)).fault is None


@pytest.mark.requirement("C9")
async def test_C9_given_a_fault_among_very_many_things_when_applied_then_none_of_them_stays(
    here: Here,
) -> None:
    await here.apply(OPERATOR)
    wrong = MANY.replace(f'bind_number = "+86571{ACCOUNTS - 1:03}00000"', 'bind_number = "+8613900001111"')
    with pytest.raises(ValueError, match="is not a number of account many-119"):
        await here.apply(wrong)

    assert await here.read(lambda session: session.exec(select(Account)).all()) == []
    assert await here.read(lambda session: len(session.exec(select(User)).all())) == 1
    assert await here.read(lambda session: session.exec(select(LedgerTransfer)).all()) == []


@pytest.mark.requirement("C9")
async def test_C9_given_a_number_that_was_given_back_when_declared_for_a_new_account_then_it_has_it(
    here: Here,
) -> None:
    def give_back(session: Session) -> None:
        session.get_one(Number, "+8657100000000").state = NumberState.RELEASED

    await here.apply(OPERATOR + account(0))
    async with Database.of(here.settings) as database:
        await database.write(give_back)
    changes = await here.apply(
        '[[accounts]]\nid = "new"\nnumbers = ["+8657100000000"]\n[[accounts]]\nid = "many-000"\n'
        '[[accounts.apps]]\nkey = "app-many-000"\nsecret = "a secret of many"\nservice = "callback"\n'
    )

    assert [(its.kind, its.name, its.what) for its in changes[:2]] == [
        ("account", "new", "created"),
        ("number", "+8657100000000", "changed"),
    ]
    owner = await here.read(lambda session: session.get_one(Number, "+8657100000000").account_id)
    assert owner == "new"


@pytest.mark.requirement("C9")
async def test_C9_given_things_added_to_an_old_account_and_a_new_one_after_it_when_applied_then_all_are_there(
    here: Here,
) -> None:
    await here.apply('[[accounts]]\nid = "old"\n')
    changes = await here.apply(
        "".join(
            f"""
[[accounts]]
id = "{name}"
numbers = ["+8657100000{number}"]
[[accounts.apps]]
key = "app-{name}"
secret = "a secret of theirs"
service = "callback"
[[accounts.templates]]
id = "template-{name}"
text = "hello"
"""
            for number, name in ((100, "old"), (200, "new"))
        )
    )

    assert Counter(change.what for change in changes) == {"unchanged": 1, "created": 7}
    assert [(its.kind, its.name) for its in changes][-4:] == [
        ("account", "new"),
        ("app", "app-new"),
        ("number", "+8657100000200"),
        ("template", "template-new"),
    ]


@pytest.mark.requirement("C9")
async def test_C9_given_a_database_that_goes_away_before_rents_are_posted_when_applied_then_that_is_said(
    here: Here, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def away(*_: Any, **__: Any) -> int:
        raise OperationalError("", {}, Exception("it is away"))

    monkeypatch.setattr(declare_command, "charge_all_rents", away)
    changes = await here.apply(OPERATOR + account(0))

    assert ("account", "many-000", "created") in [(its.kind, its.name, its.what) for its in changes]
    assert "All is applied; rents that are not posted now are so within the hour: " in capsys.readouterr().err
