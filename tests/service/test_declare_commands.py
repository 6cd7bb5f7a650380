"""`voicecall export` and `voicecall apply`: what there is as a file, and back."""

import stat
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from engine import database_at
from sqlmodel import Session
from typer.testing import CliRunner

from controller.cli import app
from controller.store.directory import revision
from controller.store.engines import make_engine
from controller.store.sealing import seal_of
from controller.store.tables import Account, Number, NumberState, ReviewState, SoundFile, Template
from testbed.sounds import distinct_prompt

pytestmark = pytest.mark.requirement("C9")

WEBHOOK_SECRET = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="

HASH = "$argon2id$v=19$m=65536,t=3,p=4$" + "A" * 22 + "$" + "B" * 43
DOCUMENTS = {
    "licence.pdf": b"%PDF-1 licence",
    "commitment.pdf": b"%PDF-1 commitment",
    "application.pdf": b"%PDF-1 application",
    "front.png": b"\x89PNG\r\n\x1a\nfront",
    "back.jpg": b"\xff\xd8\xffback",
}

EVERYTHING = f"""
[[accounts]]
id = "acme"
name = 'Acme "Ltd", \\ 杭州'
max_calls = 100
calls_per_second = 0
max_apps = 7
prepaid = true
minute_price = "0.15"
daily_cap = "200.00"
low_balance = "12.50"
number_classes = ["low"]
callee_blacklist = ["+8613900002222", "+86571XXXXXXXX"]
hours = ["08:00-12:00"]
callee_frequency = "refuse"
callee_windows = ["3/24h"]
numbers = [
    "+8657126880001",
    {{ number = "+8657126880002", suspended = true }},
    {{ number = "+8657126880003", max_calls = 2, apps = ["one"] }},
    "+8657126880009",
]

[[accounts.apps]]
key = "one"
secret = "a secret of one"
previous_secret = {{ secret = "one's secret before", until = 2030-01-01T00:00:00Z }}
name = "Alarms"
service = "notification"
recording = true
quality_inspection = true
max_calls = 0
calls_per_second = 5
ip_whitelist = ["192.0.2.0/24", "2001:db8::/32"]
status_url = "https://acme.example/status"
fee_url = "https://acme.example/fee"
login = {{ user = "acme", password = "raw password+" }}
bind_number = "+8657126880009"
push_profile = "durable"
webhook_secrets = ["{WEBHOOK_SECRET}"]

[[accounts.apps]]
key = "two"
secret = "a secret of two"
service = "callback"
active = false

[[accounts.sounds]]
name = "hello.wav"
file = "hello.wav"

[[accounts.sounds]]
name = "loud.wav"
file = "loud.wav"
approved = false

[[accounts.templates]]
id = "parcel"
name = "A parcel"
text = "您好，您的快递已到达${{TXT_8}}。"

[[accounts.users]]
login = "li.wei"
name = "Li Wei"
role = "administrator"
password_hash = "{HASH}"

[[accounts.users]]
login = "reads@acme.example"
role = "viewer"
active = false
password_hash = "{HASH}"

[[accounts.contacts]]
id = "board"
name = "The board"
email = "board@acme.example"
webhook_url = "https://acme.example/notices"
webhook_secret = "{WEBHOOK_SECRET}"

[[accounts.enterprises]]
id = "acme-hangzhou"
full_name = "Acme (Hangzhou) Co., Ltd."
code = "91330100000000000X"
phone = "+86 571 2688 0001"
legal_representative = "Li Wei"
scenario = "Parcels"
script = "Your parcel has come."
calls_per_day = 1000
peak_calls = 10
handler_name = "Wang Fang"
handler_phone = "+86 571 2688 0002"
handler_address = "Hangzhou"

[accounts.enterprises.documents]
licence = "licence.pdf"
commitment_letter = "commitment.pdf"
application_letter = "application.pdf"
identity_front = "front.png"
identity_back = "back.jpg"

[[accounts.enterprises]]
id = "acme-ningbo"
full_name = "Acme (Ningbo) Co., Ltd."
approved = false

[[accounts]]
id = "plain"
active = false

[[users]]
login = "root"
role = "administrator"
password_hash = "{HASH}"

[[trunks]]
name = "carrier-a"
host = "sip.carrier.example"
port = 5062
user = "acme"
password = "trunkpassword"
register = true

[[trunks]]
name = "carrier-b"
host = "127.0.0.1"

[[routes]]
prefix = "+86"
trunks = ["carrier-a", "carrier-b"]

[[routes]]
prefix = "+8613900001111"
contact = "sip:{{number}}@127.0.0.1:5070"
"""


class Command:
    """The command, in a platform of its own."""

    def __init__(self, folder: Path, data: str = "data") -> None:
        self.folder = folder
        self._data = folder / data

    def run(self, *words: str, status: int = 0) -> str:
        """What it says."""
        environment = {
            "VOICECALL_DATA_DIR": str(self._data),
            "VOICECALL_DATABASE__URL": database_at(self._data / "voicecall.db"),
        }
        result = CliRunner().invoke(app, words, env=environment)
        assert result.exit_code == status, result.output
        return result.output

    def apply(self, file: str, *options: str, status: int = 0) -> list[str]:
        """The lines of what it did to each thing."""
        return self.run("apply", str(self.folder / file), *options, status=status).splitlines()

    def done(self, file: str) -> set[str]:
        """What it did to any thing."""
        return {line.split()[0] for line in self.apply(file)}

    def export(self, file: str = "export.toml") -> str:
        return self.run("export", str(self.folder / file))

    def in_database(self, work: Callable[[Session], Any]) -> Any:
        engine = make_engine(
            database_at(self._data / "voicecall.db"), seal=seal_of("", self._data / "secrets.key")
        )
        with Session(engine) as session, session.begin():
            found = work(session)
        engine.dispose()
        return found


@pytest.fixture
def here(tmp_path: Path) -> Command:
    """A platform that has everything."""
    (tmp_path / "hello.wav").write_bytes(distinct_prompt(1))
    (tmp_path / "loud.wav").write_bytes(distinct_prompt(2))
    for name, content in DOCUMENTS.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "everything.toml").write_text(EVERYTHING)
    command = Command(tmp_path)
    command.apply("everything.toml")
    return command


def test_C9_given_everything_that_can_be_declared_when_exported_and_applied_then_nothing_changes(
    here: Command,
) -> None:
    before = here.in_database(revision)

    here.export()

    assert here.done("export.toml") == {"unchanged"}
    assert here.in_database(revision) == before


def test_C9_given_an_export_when_applied_to_a_new_platform_then_it_exports_the_same(here: Command) -> None:
    here.export()
    other = Command(here.folder, "other")

    assert other.done("export.toml") <= {"created", "changed"}
    other.export("again.toml")

    first, again = ((here.folder / name).read_text() for name in ("export.toml", "again.toml"))
    assert again.replace("again-", "export-") == first
    for kind in ("sounds", "documents"):
        made = [
            {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
            for folder in (here.folder / f"export-{kind}", here.folder / f"again-{kind}")
        ]
        assert made[0] == made[1] != {}
    assert other.done("export.toml") == {"unchanged"}


def test_C9_given_an_export_when_read_then_it_says_what_was_declared_and_no_more(here: Command) -> None:
    here.export()

    made, declared = (
        tomllib.loads((here.folder / name).read_text()) for name in ("export.toml", "everything.toml")
    )
    for account in made["accounts"]:
        for sound in account.get("sounds", ()):
            sound["file"] = Path(sound["file"]).name
        for enterprise in account.get("enterprises", ()):
            for kind, file in enterprise.get("documents", {}).items():
                content = (here.folder / file).read_bytes()
                enterprise["documents"][kind] = next(
                    name for name, its in DOCUMENTS.items() if its == content
                )
    assert made == declared


def test_C9_given_an_export_when_written_then_its_owner_alone_can_read_it(here: Command) -> None:
    here.export()

    assert stat.S_IMODE((here.folder / "export.toml").stat().st_mode) == 0o600
    assert (here.folder / "export-sounds/acme/hello.wav").is_file()
    documents = [path for path in (here.folder / "export-documents").rglob("*") if path.is_file()]
    assert {stat.S_IMODE(path.stat().st_mode) for path in documents} == {0o600}


def test_C9_given_a_file_that_is_there_when_exported_to_then_it_stays_as_it_is(here: Command) -> None:
    said = here.run("export", str(here.folder / "everything.toml"), status=2)

    assert "is there already" in said
    assert (here.folder / "everything.toml").read_text() == EVERYTHING


def test_C9_given_things_in_review_and_numbers_not_allotted_when_exported_then_applying_leaves_them_alone(
    here: Command,
) -> None:
    def add(session: Session) -> None:
        session.get_one(SoundFile, ("acme", "hello.wav")).state = ReviewState.SUBMITTED
        session.get_one(Template, ("acme", "parcel")).state = ReviewState.REJECTED
        session.add(Number(number="+8657126880004", account_id="acme", state=NumberState.ORDERED))
        session.add(Number(number="+8657126880005", account_id="acme", state=NumberState.RELEASED))

    here.in_database(add)

    said = here.export()

    assert "sound hello.wav of account acme: submitted" in said
    assert "template parcel of account acme: rejected" in said
    assert here.done("export.toml") == {"unchanged"}
    state = here.in_database(lambda session: session.get_one(Number, "+8657126880004").state)
    assert state == NumberState.ORDERED


def test_C9_given_changes_in_a_file_when_applied_dry_then_they_are_shown_and_nothing_is_changed(
    here: Command,
) -> None:
    changed = (
        EVERYTHING.replace("max_calls = 100", "max_calls = 200")
        .replace("a secret of one", "another secret of one")
        .replace('minute_price = "0.15"', 'minute_price = "0.20"')
        .replace("8657126880001", "8657126880007")
        .replace('[[routes]]\nprefix = "+8613900001111"', '[[routes]]\nprefix = "+8613900001112"')
    )
    (here.folder / "changed.toml").write_text(changed)
    before = here.in_database(revision)

    lines = here.apply("changed.toml", "--dry-run")

    told = [line.split() for line in lines if not line.startswith("unchanged")]
    assert ["changed", "account", "acme"] in told
    assert ["max_calls:", "100", "->", "200"] in told
    assert ["secret:", "***", "->", "***"] in told
    assert ["created", "number", "+8657126880007"] in told
    assert ["created", "route", "+8613900001112"] in told
    assert ["removed", "route", "+8613900001111"] in told
    assert ["minute_price:", "0.1500", "->", "0.2000"] in told
    assert "another secret" not in "".join(lines)
    assert lines[-1] == "nothing was changed"
    assert here.in_database(revision) == before
    assert here.in_database(lambda session: session.get_one(Account, "acme").max_calls) == 100
    assert here.done("everything.toml") == {"unchanged"}


def test_C9_given_a_new_sound_when_applied_dry_then_it_is_told_and_not_kept(here: Command) -> None:
    (here.folder / "hello.wav").write_bytes(distinct_prompt(3))
    before = {path.name for path in here.folder.rglob("*.alaw")}

    lines = here.apply("everything.toml", "--dry-run")

    assert any(line.split() == ["changed", "sound", "hello.wav"] for line in lines)
    assert {path.name for path in here.folder.rglob("*.alaw")} == before


@pytest.mark.parametrize("options", [(), ("--dry-run",)])
def test_C9_given_a_fault_when_applied_then_dry_or_not_it_is_named(
    here: Command, options: tuple[str, ...]
) -> None:
    wrong = EVERYTHING.replace('service = "callback"', 'service = "notification"')
    (here.folder / "wrong.toml").write_text(wrong)

    assert "app two is for callback" in here.apply("wrong.toml", *options, status=2)[-1]


def test_C9_given_no_database_when_applied_dry_then_none_is_made(tmp_path: Path) -> None:
    (tmp_path / "empty.toml").write_text("")
    (tmp_path / "data").mkdir()

    said = Command(tmp_path).apply("empty.toml", "--dry-run", status=2)

    assert "start the controller once" in said[-1]


@pytest.mark.requirement("A4.4")
def test_A44_given_a_window_longer_than_calls_are_kept_when_declared_then_it_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VOICECALL_DATA_DIR", str(tmp_path))
    file = tmp_path / "declared.toml"
    account = '[[accounts]]\nid = "acme"\ncallee_frequency = "refuse"\ncallee_windows = ["10/93d"]\n'
    file.write_text(account)
    result = CliRunner().invoke(app, ["apply", str(file)])
    assert result.exit_code == 2
    said = " ".join(result.output.split())
    assert "account acme: callee_windows: 10/93d counts calls for longer than they are kept" in said
    file.write_text(account.replace("93d", "92d"))
    assert CliRunner().invoke(app, ["apply", str(file)]).exit_code == 0
