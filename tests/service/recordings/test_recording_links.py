"""Signed links and their key."""

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

import pytest
from service.recordings.support import SetClock
from yarl import URL

from controller.key_file import KeyUnusable, load_or_make_key
from controller.recordings.links import LinkSigner

pytestmark = pytest.mark.requirement("A1.5")

NAME = "1202_31_0_20261123080000.wav"
LIFETIME = timedelta(minutes=30)
KEY = bytes(range(32))


def query(text: str) -> Mapping[str, str]:
    """As a server reads it."""
    return dict(URL(f"/?{text}", encoded=True).query)


def test_given_a_signed_name_when_checked_within_its_life_then_it_opens() -> None:
    clock = SetClock()
    signer = LinkSigner(KEY, clock, LIFETIME)
    signed = query(signer.sign(NAME))
    assert signer.check(NAME, signed)
    clock.time += LIFETIME - timedelta(seconds=1)
    assert signer.check(NAME, signed)
    clock.time += timedelta(seconds=1)
    assert not signer.check(NAME, signed)


def test_given_a_restart_with_the_same_key_when_checked_then_old_links_open() -> None:
    clock = SetClock()
    signed = query(LinkSigner(KEY, clock, LIFETIME).sign(NAME))
    assert LinkSigner(KEY, clock, LIFETIME).check(NAME, signed)
    assert not LinkSigner(bytes(32), clock, LIFETIME).check(NAME, signed)


@pytest.mark.parametrize(
    "changes",
    [
        {"expires": "99999999999"},
        {"expires": ""},
        {"expires": "9" * 5000},
        {"expires": "-1"},
        {"expires": "１２３"},
        {"signature": ""},
        {"signature": "0" * 64},
        {"signature": "é" * 64},
        {"signature": "\udcff"},
    ],
)
def test_given_a_changed_link_when_checked_then_it_does_not_open(changes: dict[str, str]) -> None:
    signer = LinkSigner(KEY, SetClock(), LIFETIME)
    assert not signer.check(NAME, {**query(signer.sign(NAME)), **changes})


@pytest.mark.parametrize("other", ["", "x.wav", f"{NAME} ", NAME.upper(), "\udcff"])
def test_given_a_link_of_one_name_when_used_for_another_then_it_does_not_open(other: str) -> None:
    signer = LinkSigner(KEY, SetClock(), LIFETIME)
    assert not signer.check(other, query(signer.sign(NAME)))


def test_given_no_query_when_checked_then_it_does_not_open() -> None:
    assert not LinkSigner(KEY, SetClock(), LIFETIME).check(NAME, {})


def test_given_a_foreign_expiry_with_a_valid_signature_when_checked_then_it_does_not_open() -> None:
    signer = LinkSigner(KEY, SetClock(), LIFETIME)
    expires, name = query(signer.sign(f"x\n{NAME}"))["expires"], NAME
    forged = {"expires": f"{expires}\nx", "signature": query(signer.sign(f"x\n{NAME}"))["signature"]}
    assert not signer.check(name, forged)


def test_given_no_key_when_loaded_then_one_is_made_for_this_user_alone(tmp_path: Path) -> None:
    path = tmp_path / "data" / "links.key"
    key = load_or_make_key(path)
    assert len(key) == 32
    assert path.stat().st_mode & 0o777 == 0o600
    assert load_or_make_key(path) == key
    assert [entry.name for entry in path.parent.iterdir()] == ["links.key"]
    assert load_or_make_key(tmp_path / "other.key") != key


def test_given_another_process_makes_the_key_meanwhile_when_loaded_then_that_one_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "links.key"
    path.write_bytes(KEY)
    monkeypatch.setattr(Path, "exists", lambda _path: False)
    assert load_or_make_key(path) == KEY


def test_given_a_damaged_key_when_loaded_then_that_is_said(tmp_path: Path) -> None:
    path = tmp_path / "links.key"
    path.write_bytes(b"short")
    with pytest.raises(KeyUnusable, match="32 bytes"):
        load_or_make_key(path)


def test_given_a_place_that_can_not_be_written_when_loaded_then_that_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(KeyUnusable):
        load_or_make_key(tmp_path / "file" / "links.key")
