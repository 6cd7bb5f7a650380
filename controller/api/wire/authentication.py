"""X-AKSK authentication. Source: wire API document 2.1.

The digest is compared in constant time; `Created` may be in one of several zones, all written with Z;
a nonce is taken once. The nonce of a request that starts a call is kept in the database with that call,
so that neither a restart nor a second controller lets it through again.
"""

import base64
import hashlib
import hmac
import re
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from controller.accounts.directory import Application, Directory
from controller.accounts.errors import AppInactive, AppUnknown
from controller.api.wire.results import WireError
from controller.clock import Clock
from controller.settings import AuthenticationSettings
from controller.store.calls import NonceUse

_ATTRIBUTE = re.compile(r'([A-Za-z]+)\s*=\s*"([^"]*)"')
_NONCE = re.compile(r"[A-Za-z0-9]{1,128}")
_CREATED = "%Y-%m-%dT%H:%M:%SZ"
_NONCES_REMEMBERED = 200_000


@dataclass(frozen=True)
class Authenticated:
    """Who sent a request, and the nonce that it has used up."""

    application: Application
    nonce: NonceUse


def password_digest(secret: str, nonce: str, created: str) -> str:
    """Base64 of HMAC-SHA256 with the secret as key over nonce and created."""
    digest = hmac.new(secret.encode(), (nonce + created).encode(), hashlib.sha256).digest()
    return base64.b64encode(digest).decode()


@dataclass(frozen=True)
class AkskHeader:
    """The parts of X-AKSK."""

    username: str
    digest: str
    nonce: str
    created: str


def parse_headers(headers: Mapping[str, str]) -> AkskHeader:
    """Take Authorization and X-AKSK apart. Raises WireError with the code of what is missing."""
    _check_authorization(headers.get("Authorization"))
    text = headers.get("X-AKSK")
    if text is None:
        raise WireError("1023033")
    scheme, _, rest = text.strip().partition(" ")
    if scheme != "UsernameToken":
        raise WireError("1023038")
    attributes = {name.lower(): value for name, value in _attributes(rest)}
    for name, code in (
        ("username", "1023034"),
        ("passworddigest", "1023037"),
        ("nonce", "1023035"),
        ("created", "1023036"),
    ):
        if not attributes.get(name):
            raise WireError(code)
    return AkskHeader(
        attributes["username"], attributes["passworddigest"], attributes["nonce"], attributes["created"]
    )


def _check_authorization(text: str | None) -> None:
    if text is None or not text.strip().upper().startswith("AKSK"):
        raise WireError("1023006")
    attributes = dict(_attributes(text))
    for name, missing, wrong, value in (
        ("realm", "1023007", "1023009", "SDP"),
        ("profile", "1023008", "1023010", "UsernameToken"),
        ("type", "1023012", "1023011", "Appkey"),
    ):
        if name not in attributes:
            raise WireError(missing)
        if attributes[name] != value:
            raise WireError(wrong)


def _attributes(text: str) -> Iterator[tuple[str, str]]:
    for match in _ATTRIBUTE.finditer(text):
        yield match.group(1), match.group(2)


class NonceMemory:
    """Nonces seen lately by this process; the oldest are forgotten when there are too many."""

    def __init__(self, capacity: int = _NONCES_REMEMBERED) -> None:
        self._seen: OrderedDict[tuple[str, str], datetime] = OrderedDict()
        self._capacity = capacity

    def use(self, use: NonceUse, now: datetime) -> bool:
        """Remember a nonce; False if it was used before."""
        while self._seen and (len(self._seen) >= self._capacity or next(iter(self._seen.values())) < now):
            self._seen.popitem(last=False)
        key = (use.app_key, use.nonce)
        if key in self._seen:
            return False
        self._seen[key] = use.expires_at
        return True


class Authenticator:
    """Says who sent a request, or why that can't be said."""

    def __init__(self, settings: AuthenticationSettings, clock: Clock) -> None:
        self._clock = clock
        self._tolerance = timedelta(seconds=settings.created_tolerance)
        self._zones = [timedelta(hours=hours) for hours in settings.created_zones]
        self._nonces = NonceMemory()

    def authenticate(self, headers: Mapping[str, str], directory: Directory) -> Authenticated:
        """Raises WireError: 10230xx, 1010003, 1010008 or 1010013."""
        header = parse_headers(headers)
        if not _NONCE.fullmatch(header.nonce):
            raise WireError("1023006", "Nonce must be 1 to 128 letters and digits.")
        now = self._clock.now()
        created = self._created(header.created, now)
        try:
            application = directory.application(header.username)
        except AppUnknown:
            raise WireError("1010003") from None
        secret = application.secret.get_secret_value()
        expected = password_digest(secret, header.nonce, header.created)
        if not hmac.compare_digest(expected.encode(), header.digest.encode()):
            raise WireError("1023006", "PasswordDigest is wrong.")
        if not application.active:
            raise WireError("1010008") from AppInactive()
        # The last moment at which one of the zones would still let this request through.
        expires_at = created + self._tolerance - min(self._zones)
        nonce = NonceUse(application.key, header.nonce, expires_at)
        if not self._nonces.use(nonce, now):
            raise replayed_nonce()
        return Authenticated(application, nonce)

    def _created(self, text: str, now: datetime) -> datetime:
        """The clock reading in the header, zone unknown. Raises WireError if no zone makes it recent."""
        try:
            created = datetime.strptime(text, _CREATED).replace(tzinfo=UTC)
        except ValueError:
            raise WireError("1010013", "Created is not of the form yyyy-MM-dd'T'HH:mm:ss'Z'.") from None
        if all(abs(created - zone - now) > self._tolerance for zone in self._zones):
            raise WireError("1010013")
        return created


def replayed_nonce() -> WireError:
    """The refusal of a nonce that was used before."""
    return WireError("1023006", "Nonce has been used before.")
