"""Which passwords are refused."""

import hashlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.rules.passwords import BESIDE_WORDS, WORDS, fault_of

pytestmark = pytest.mark.requirement("C1")

BREACHED = "must not be one that is known from breaches"


@pytest.mark.parametrize(
    "password",
    ["password1234", "Password1234", "1234567890123", "correcthorsebatterystaple", "qwertyuiop123"],
)
def test_C1_given_a_common_or_breached_password_when_chosen_then_it_is_refused(password: str) -> None:
    assert fault_of(password) == BREACHED


@pytest.mark.parametrize(
    "password", ["correct horse battery", "一二三四五六七八九十十一", "Hangzhou-Parcels 88", "x" * 256]
)
def test_C1_given_a_password_that_nobody_would_try_when_chosen_then_it_is_taken(password: str) -> None:
    assert fault_of(password, "li.wei", "Li Wei", "acme") == ""


@pytest.mark.parametrize(
    ("password", "word"),
    [
        ("Voicecall2026!", "voicecall"),
        ("4dm1n-V0icecall-26", "voicecall"),
        ("zhang-2026!!", "zhang"),
        ("Parcels-1234", "parcels"),
        ("Globex+Globex+1", "globex"),
    ],
)
def test_C1_given_words_that_anybody_here_would_try_when_a_password_is_made_of_them_then_it_is_refused(
    password: str, word: str
) -> None:
    fault = fault_of(password, "wei.zhang", "", "parcels", words=["Globex"])

    assert fault == f"must have at least {BESIDE_WORDS} characters beside words such as {word}"


@given(st.text(max_size=300), st.lists(st.sampled_from(WORDS), max_size=4))
def test_C1_given_any_text_when_judged_then_words_alone_never_do(text: str, words: list[str]) -> None:
    assert isinstance(fault_of(text, text), str)
    if words and len("".join(words)) >= 12:
        assert fault_of("".join(words)) != ""


@given(
    st.sets(st.text(min_size=12, max_size=30), min_size=1, max_size=40), st.text(min_size=12), st.booleans()
)
def test_C1_given_a_file_of_digests_when_a_password_is_looked_up_then_just_those_of_it_are_found(
    tmp_path_factory: pytest.TempPathFactory, listed: set[str], other: str, counted: bool
) -> None:
    file = tmp_path_factory.mktemp("breached") / "pwned.txt"
    _keep(file, listed, ":7" if counted else "")

    assert all(fault_of(password, breached=file) == BREACHED for password in listed)
    if other not in listed:
        assert fault_of(other, breached=file) == fault_of(other)


def test_C1_given_an_empty_file_of_digests_when_a_password_is_looked_up_then_it_is_not_found(
    tmp_path: Path,
) -> None:
    (file := tmp_path / "none.txt").touch()

    assert fault_of("correct horse battery", breached=file) == ""


def _keep(file: Path, passwords: set[str], more: str) -> None:
    digests = (hashlib.sha1(one.encode(), usedforsecurity=False).hexdigest().upper() for one in passwords)
    file.write_text("".join(f"{digest}{more}\r\n" for digest in sorted(digests)))
