"""Secrets at rest."""

import base64
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlmodel import Session

from controller.store.engines import make_engine
from controller.store.errors import DatabaseUnusable
from controller.store.sealing import Seal, seal_of, seal_what_is_open
from controller.store.tables import Account, App, Contact, Trunk

SECRETS = {"secret": "app secret", "previous_secret": "older secret", "login_password": "pass word"}
KEYS = ["whsec_one", "whsec_two"]


def _fill(url: str, seal: Seal | None) -> None:
    engine = make_engine(url, seal=seal)
    with Session(engine) as session, session.begin():
        session.add(Account(id="acme"))
        session.flush()
        session.add(
            App(key="app", account_id="acme", service="notification", webhook_secrets=KEYS, **SECRETS)
        )
        session.add(Contact(id="contact", account_id="acme", webhook_secret="contact secret"))
        session.add(Trunk(name="carrier", host="sip.example", password="trunk password"))
    engine.dispose()


def _raw(url: str) -> str:
    engine = make_engine(url)
    with engine.connect() as connection:
        rows = [
            connection.execute(text(f"SELECT * FROM {table}")).mappings().all()
            for table in ("app", "contact", "trunk")
        ]
    engine.dispose()
    return repr(rows)


def _opened(url: str, seal: Seal | None) -> list[object]:
    engine = make_engine(url, seal=seal)
    try:
        with Session(engine) as session:
            app = session.get_one(App, "app")
            contact, trunk = session.get_one(Contact, "contact"), session.get_one(Trunk, "carrier")
            secrets = [getattr(app, name) for name in SECRETS]
            return [*secrets, app.webhook_secrets, contact.webhook_secret, trunk.password]
    finally:
        engine.dispose()


ALL = [*SECRETS.values(), KEYS, "contact secret", "trunk password"]
FLAT = [*SECRETS.values(), *KEYS, "contact secret", "trunk password"]


@pytest.mark.requirement("C3")
def test_given_secrets_when_written_then_the_database_holds_none_and_they_are_read_as_they_were(
    database_url: str,
) -> None:
    seal = Seal(b"k" * 32)
    _fill(database_url, seal)
    raw = _raw(database_url)
    assert [secret for secret in FLAT if secret in raw] == []
    assert _opened(database_url, seal) == ALL


@pytest.mark.parametrize("seal", [None, Seal(b"x" * 32)], ids=["no key", "another key"])
def test_given_sealed_secrets_when_read_without_their_key_then_it_says_what_to_do(
    database_url: str, seal: Seal | None
) -> None:
    _fill(database_url, Seal(b"k" * 32))
    with pytest.raises(DatabaseUnusable, match="key"):
        _opened(database_url, seal)


def test_given_secrets_from_before_when_started_then_they_are_sealed_once(database_url: str) -> None:
    _fill(database_url, None)
    seal = Seal(b"k" * 32)
    assert _opened(database_url, seal) == ALL
    engine = make_engine(database_url, seal=seal)
    with Session(engine) as session, session.begin():
        assert seal_what_is_open(session, (App, Contact, Trunk)) == 3
    with Session(engine) as session, session.begin():
        assert seal_what_is_open(session, (App, Contact, Trunk)) == 0
    engine.dispose()
    assert [secret for secret in FLAT if secret in _raw(database_url)] == []
    assert _opened(database_url, seal) == ALL


def test_given_the_same_secret_twice_when_sealed_then_nobody_sees_that() -> None:
    seal = Seal(b"k" * 32)
    assert seal.closed("same") != seal.closed("same")


def test_given_no_key_when_sealed_then_one_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    file = tmp_path / "secrets.key"
    kept = seal_of("", file).closed("secret")
    assert file.stat().st_mode & 0o777 == 0o600
    assert seal_of("", file).opened(kept) == "secret"


def test_given_a_key_in_the_settings_when_sealed_then_no_file_is_made(tmp_path: Path) -> None:
    key = base64.b64encode(b"k" * 32).decode()
    assert seal_of(key, tmp_path / "secrets.key").opened(Seal(b"k" * 32).closed("secret")) == "secret"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("key", ["short", "a" * 44 + "!", base64.b64encode(b"k" * 31).decode()])
def test_given_a_key_that_is_none_when_read_then_the_setting_is_named(key: str, tmp_path: Path) -> None:
    with pytest.raises(DatabaseUnusable, match=r"database\.secret_key"):
        seal_of(key, tmp_path / "secrets.key")
