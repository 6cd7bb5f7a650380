"""Users, contacts, enterprises in `voicecall apply`; every fault of a file at once; what the trail says."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from engine import database_at
from service.test_declare_commands import HASH, Command
from sqlalchemy import func
from sqlmodel import Session, col, select

from controller.clock import SystemClock
from controller.store.audit import verify
from controller.store.enterprise_tables import Enterprise, EnterpriseDocument, EnterpriseState
from controller.store.management_tables import AuditEntry, LoginSession, User
from controller.store.reviews import QueueState, submit
from controller.store.schema import revisions
from controller.store.tables import Account, Contact, Review
from testbed.sounds import distinct_prompt

pytestmark = pytest.mark.requirement("C9")

ROOT = f"""
[[users]]
login = "root"
role = "administrator"
password_hash = "{HASH}"
"""

PASSWORD = "correct horse battery"


@pytest.fixture
def here(tmp_path: Path) -> Command:
    """A platform with an administrator and two accounts."""
    command = Command(tmp_path)
    declare(command, ROOT + '[[accounts]]\nid = "acme"\n[[accounts]]\nid = "other"\n')
    return command


def declare(command: Command, text: str, *options: str, status: int = 0) -> list[str]:
    (command.folder / "declared.toml").write_text(text)
    return command.apply("declared.toml", *options, status=status)


def user(login: str = "li.wei", account: str = "acme", **fields: str) -> str:
    given = {"role": "developer", "password": PASSWORD} | fields
    lines = [f'{name} = "{value}"' for name, value in given.items() if value]
    return "\n".join([f'[[accounts]]\nid = "{account}"\n[[accounts.users]]\nlogin = "{login}"', *lines])


def kept(command: Command, login: str = "li.wei") -> User:
    def find(session: Session) -> User:
        found = session.exec(select(User).where(User.login == login)).one()
        session.expunge(found)
        return found

    found: User = command.in_database(find)
    return found


def log_in(command: Command, user_id: str) -> None:
    expires = SystemClock().now() + timedelta(hours=1)
    command.in_database(
        lambda session: session.add(
            LoginSession(digest="d" * 64, user_id=user_id, address="192.0.2.1", expires_at=expires)
        )
    )


def count(command: Command, table: type[Any]) -> int:
    found: int = command.in_database(
        lambda session: session.exec(select(func.count()).select_from(table)).one()
    )
    return found


@pytest.mark.requirement("C1")
def test_C1_given_a_user_with_a_password_when_applied_twice_then_made_once_and_only_its_hash_is_kept(
    here: Command,
) -> None:
    assert ["created", "user", "li.wei"] in [line.split() for line in declare(here, user())]
    made = kept(here)

    again = declare(here, user())

    assert {line.split()[0] for line in again} == {"unchanged"}
    assert kept(here) == made
    assert made.password_hash.startswith("$argon2id$")
    assert (made.account_id, made.role) == ("acme", "developer")


@pytest.mark.requirement("C1")
@pytest.mark.parametrize(
    ("changes", "ends"),
    [
        ({"password": "another horse battery"}, True),
        ({"role": "viewer"}, True),
        ({"name": "Li"}, False),
        ({"password": ""}, False),
    ],
)
def test_C1_given_a_user_who_is_logged_in_when_changed_then_their_sessions_end_as_by_api(
    here: Command, changes: dict[str, str], ends: bool
) -> None:
    declare(here, user())
    before = kept(here)
    log_in(here, before.id)

    declare(here, user(**changes))

    assert count(here, LoginSession) == (0 if ends else 1)
    assert (kept(here).password_hash == before.password_hash) == (
        "another" not in changes.get("password", "")
    )


@pytest.mark.requirement("C1")
@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (user(password=""), "user li.wei is new and needs password or password_hash"),
        (user("root"), "user root belongs to another account, or to the operator"),
        (user(password="password1234"), "user li.wei: password must not be one that is known from breaches"),
        (user(password="short"), "users.0.password must have at least 12 characters"),
        (user(password_hash=HASH), "give password or password_hash, one of the two"),
        (user(role="king"), "users.0.role must be 'administrator', 'operator', 'developer' or 'viewer'"),
        (
            ROOT.replace("administrator", "viewer"),
            "there must be an active administrator among the operator's",
        ),
        (ROOT + "active = false", "there must be an active administrator among the operator's"),
        (ROOT + ROOT, "user root stands twice"),
    ],
)
def test_C1_given_a_user_who_can_not_be_when_applied_then_it_is_said_and_nothing_is_changed(
    here: Command, text: str, fault: str
) -> None:
    said = " ".join(" ".join(declare(here, text, status=2)).split())

    assert fault in said
    assert PASSWORD not in said
    assert count(here, User) == 1
    assert kept(here, "root").role == "administrator"


@pytest.mark.requirement("C1")
def test_C1_given_a_new_platform_when_users_are_declared_without_an_administrator_then_it_is_refused(
    tmp_path: Path,
) -> None:
    said = declare(Command(tmp_path), user(), status=2)

    assert "there must be an active administrator among the operator's" in " ".join(said)


@pytest.mark.requirement("C7")
def test_C7_given_a_contact_when_applied_again_otherwise_then_it_is_changed_and_no_other_accounts(
    here: Command,
) -> None:
    contact = '[[accounts]]\nid = "{}"\n[[accounts.contacts]]\nid = "board"\nemail = "{}@acme.example"\n'
    declare(here, contact.format("acme", "old"))

    told = declare(here, contact.format("acme", "new"), "--dry-run")
    declare(here, contact.format("acme", "new"))
    refused = declare(here, contact.format("other", "mine"), status=2)

    assert ["email:", "old@acme.example", "->", "new@acme.example"] in [line.split() for line in told]
    assert "contact board belongs to another account" in " ".join(refused)
    assert here.in_database(lambda session: session.get_one(Contact, "board").email) == "new@acme.example"


def enterprise(documents: str = "", **fields: str) -> str:
    lines = "".join(f"{name} = {value}\n" for name, value in fields.items())
    return (
        '[[accounts]]\nid = "acme"\n[[accounts.enterprises]]\nid = "acme"\nfull_name = "Acme"\n'
        f"{lines}documents = {{ {documents} }}\n"
    )


@pytest.mark.requirement("C2")
def test_C2_given_an_incomplete_enterprise_when_declared_approved_then_all_that_is_missing_is_named(
    here: Command,
) -> None:
    said = " ".join(" ".join(declare(here, enterprise(code='"9133"'), status=2)).split())

    assert "enterprise acme can't be approved: missing phone, legal_representative, scenario" in said
    assert "documents.identity_back" in said
    assert "missing code" not in said
    assert count(here, Enterprise) == 0


@pytest.mark.requirement("C2")
def test_C2_given_a_draft_that_waits_for_review_when_declared_otherwise_then_it_leaves_the_queue(
    here: Command,
) -> None:
    (here.folder / "licence.pdf").write_bytes(b"%PDF-one")
    declare(here, enterprise('licence = "licence.pdf"', approved="false"))
    now = SystemClock().now()

    def hand_in(session: Session) -> None:
        session.get_one(Enterprise, "acme").state = EnterpriseState.SUBMITTED
        submit(session, "acme", "enterprise", "acme", version="v", by="li.wei", now=now)

    here.in_database(hand_in)
    (here.folder / "licence.pdf").write_bytes(b"%PDF-two")
    declare(here, enterprise('licence = "licence.pdf"', approved="false"))

    def look(session: Session) -> tuple[str, bytes, str]:
        return (
            session.get_one(Enterprise, "acme").state,
            session.get_one(EnterpriseDocument, ("acme", "licence")).content,
            session.exec(select(Review)).one().state,
        )

    assert here.in_database(look) == (EnterpriseState.DRAFT, b"%PDF-two", QueueState.WITHDRAWN)
    declare(here, enterprise(approved="false"))
    assert count(here, EnterpriseDocument) == 0


@pytest.mark.requirement("C2")
@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (None, "licence.pdf: No such file or directory"),
        (b"MZ", "licence.pdf: is no PDF, JPEG or PNG"),
        (b"%PDF-" + b" " * 5 * 2**20, "licence.pdf: has more than 5242880 bytes"),
    ],
)
def test_C2_given_a_document_that_is_none_when_declared_then_it_is_named(
    here: Command, content: bytes | None, fault: str
) -> None:
    if content is not None:
        (here.folder / "licence.pdf").write_bytes(content)

    said = declare(here, enterprise('licence = "licence.pdf"', approved="false"), status=2)

    assert fault in " ".join("".join(said).split())


EVERY_KIND = """
[[accounts]]
id = "acme"
max_calls = -1
callee_frequency = "refuse"
callee_windows = ["3/400d"]

[[accounts.apps]]
key = "short"
secret = "short"
service = "notification"

[[accounts.apps]]
key = "calls"
secret = "long enough"
service = "callback"

[[accounts.numbers]]
number = "+8657126880001"
apps = ["short"]

[[accounts.sounds]]
name = "loud.wav"
file = "loud.wav"

[[accounts.templates]]
id = "broken"
text = "${TXT_"

[[accounts.users]]
login = "li.wei"
role = "viewer"

[[accounts.contacts]]
id = "nobody"

[[accounts.enterprises]]
id = "acme"
full_name = "Acme"
approved = false
documents = { licence = "none.pdf" }

[[trunks]]
name = "Wrong Name"
host = "192.0.2.1"

[[trunks]]
name = "right"
host = "192.0.2.1"
port = "many"

[[routes]]
prefix = "+1"
trunk = "nowhere"

[[routes]]
prefix = "+2"
trunk = "right"

[[lines]]
"""

FAULTS = [
    "accounts.0.max_calls must be at least 0",
    "accounts.0.apps.0.secret must have at least 8 characters",
    "accounts.0.contacts.0.webhook_url is missing: a contact needs email or webhook_url",
    "trunks.1.port must be an integer",
    "lines is not known here",
    "template broken of account acme",
    "Wrong Name",
    "callee_windows: 3/400d counts calls for longer than they are kept",
    "loud.wav",
    "none.pdf: No such file or directory",
    "app calls is for notification, which can't be changed",
    "route +1: there is no trunk nowhere",
    "user li.wei is new and needs password or password_hash",
]


@pytest.mark.parametrize("options", [(), ("--dry-run",)])
def test_C9_given_faults_of_every_kind_when_applied_then_all_are_named_at_once_and_none_that_follows(
    here: Command, options: tuple[str, ...]
) -> None:
    declare(here, '[[accounts]]\nid = "acme"\n[[accounts.apps]]\nkey = "calls"\nsecret = "long enough"\n'
            'service = "notification"\n')  # fmt: skip
    (here.folder / "loud.wav").write_bytes(distinct_prompt(1)[:-100])

    lines = declare(here, EVERY_KIND, *options, status=2)

    said = " ".join(" ".join(lines).split())
    assert [fault for fault in FAULTS if fault not in said] == []
    assert "no app short" not in said
    assert "no trunk right" not in said
    assert here.in_database(lambda session: session.get_one(Account, "acme").max_calls) is None


def test_C9_given_an_empty_platform_when_a_file_is_at_fault_then_no_table_is_made(tmp_path: Path) -> None:
    command = Command(tmp_path)

    declare(command, EVERY_KIND, status=2)

    assert revisions(database_at(tmp_path / "data/voicecall.db"))[0] == "empty"


def test_C9_given_an_applied_file_when_the_trail_is_read_then_it_says_who_changed_what_without_secrets(
    here: Command,
) -> None:
    before = count(here, AuditEntry)
    declare(here, user(), "--dry-run")
    assert count(here, AuditEntry) == before

    declare(here, user())
    declare(here, user(name="Li Wei"))
    declare(here, user(name="Li Wei"))

    def read(session: Session) -> list[tuple[Any, ...]]:
        assert verify(session).fault is None
        entries = session.exec(
            select(AuditEntry).where(AuditEntry.sequence > before).order_by(col(AuditEntry.sequence))
        )
        return [
            (it.action, it.kind, it.target, it.account_id, it.address, it.before, it.after) for it in entries
        ]

    made, named = here.in_database(read)
    assert made[:6] == ("apply", "user", "li.wei", "acme", "command", None)
    assert made[6]["password_hash"] == "***"
    assert named == (*made[:5], {"name": ""}, {"name": "Li Wei"})
