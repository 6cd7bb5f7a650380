"""Taking the authentication headers apart; each missing or wrong part has a result code of its own (7.1)."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from controller.api.wire.results import WireError

# Tried only where a word begins: else a long one would be tried from each of its letters on.
_ATTRIBUTE = re.compile(r'(?<![A-Za-z])([A-Za-z]+)\s*=\s*"([^"]*)"')
# Letters and digits by the document; programs send Base64 and dashes of UUIDs too.
_NONCE = re.compile(r"[A-Za-z0-9+/=_-]{1,128}")


@dataclass(frozen=True)
class Scheme:
    """One way to put a password digest into headers, and its result codes."""

    name: str
    """First word of Authorization."""
    header: str
    other_scheme: str
    """Authorization begins with another word."""
    no_header: str
    no_username: str
    no_digest: str
    no_nonce: str
    no_created: str
    no_token: str
    """The header doesn't begin with UsernameToken."""


AKSK = Scheme("AKSK", "X-AKSK", "1023006", "1023033", "1023034", "1023037", "1023035", "1023036", "1023038")
WSSE = Scheme("WSSE", "X-WSSE", "1023013", "1023026", "1023027", "1023030", "1023028", "1023029", "1023031")

_AUTHORIZATION = (
    ("realm", "1023007", "1023009", "SDP"),
    ("profile", "1023008", "1023010", "UsernameToken"),
    ("type", "1023012", "1023011", "Appkey"),
)
"""Attribute, code when it is missing, code when it is not the value."""


@dataclass(frozen=True)
class Credentials:
    """What the headers say."""

    scheme: Scheme
    username: str
    digest: str
    nonce: str
    created: str


def parse_headers(headers: Mapping[str, str]) -> Credentials:
    """Take Authorization and X-AKSK or X-WSSE apart. Raises WireError with the code of what is missing."""
    authorization = headers.get("Authorization", "").strip()
    if not authorization:
        raise WireError("1023006")
    scheme = _scheme(headers, authorization)
    if not authorization.upper().startswith(scheme.name):
        raise WireError(scheme.other_scheme)
    _check_authorization(authorization)
    text = headers.get(scheme.header)
    if text is None:
        raise WireError(scheme.no_header)
    token, _, rest = text.strip().partition(" ")
    if token != "UsernameToken":  # noqa: S105 - a word of the protocol
        raise WireError(scheme.no_token)
    attributes = {name.lower(): value for name, value in _attributes(rest)}
    for name, code in (
        ("username", scheme.no_username),
        ("passworddigest", scheme.no_digest),
        ("nonce", scheme.no_nonce),
        ("created", scheme.no_created),
    ):
        if not attributes.get(name):
            raise WireError(code)
    if not _NONCE.fullmatch(attributes["nonce"]):
        raise WireError("1023006", "Nonce must be 1 to 128 letters, digits and + / = _ -")
    return Credentials(
        scheme,
        attributes["username"],
        attributes["passworddigest"],
        attributes["nonce"],
        attributes["created"],
    )


def has_digest(headers: Mapping[str, str]) -> bool:
    """Whether the sender means to prove who they are by a digest."""
    return AKSK.header in headers or WSSE.header in headers


def _scheme(headers: Mapping[str, str], authorization: str) -> Scheme:
    """WSSE if either header speaks of it and none of AKSK."""
    if "X-AKSK" in headers or authorization.upper().startswith(AKSK.name):
        return AKSK
    return WSSE if "X-WSSE" in headers or authorization.upper().startswith(WSSE.name) else AKSK


def _check_authorization(text: str) -> None:
    attributes = dict(_attributes(text))
    for name, missing, wrong, value in _AUTHORIZATION:
        if name not in attributes:
            raise WireError(missing)
        if attributes[name] != value:
            raise WireError(wrong)


def _attributes(text: str) -> Iterator[tuple[str, str]]:
    for match in _ATTRIBUTE.finditer(text):
        yield match.group(1), match.group(2)
