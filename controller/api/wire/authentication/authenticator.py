"""Says who sent a request, whichever of the three ways it goes about it.

Digests are compared in constant time; `Created` may be in one of several zones, all written with Z; a nonce
is taken once with the same `Created`: programs draw it from few enough that it comes again some day. Those of
a request that starts a call are kept in the database with that call, so that neither a restart nor a second
controller lets it through again.
"""

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from controller.accounts.directory import Application, Directory
from controller.accounts.errors import AppInactive, AppUnknown
from controller.api.wire.authentication.digests import aksk_digest, matches_one, wsse_digests
from controller.api.wire.authentication.headers import AKSK, Credentials, has_digest, parse_headers
from controller.api.wire.authentication.lockout import Lockout, WrongProof
from controller.api.wire.authentication.nonces import NonceMemory
from controller.api.wire.authentication.tokens import TokenDesk
from controller.api.wire.results import WireError
from controller.clock import Clock
from controller.settings import AuthenticationSettings
from controller.store.limits import NonceUse

_ANY_ZONE = [half / 2 for half in range(-24, 29)]
"""Hours east of UTC: many programs write their local time, wherever they are, with a Z."""
_CREATED = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", re.ASCII)


@dataclass(frozen=True)
class Authenticated:
    """Who sent a request, and the nonce that it has used up (a token has none)."""

    application: Application
    nonce: NonceUse | None


class Authenticator:
    """Says who sent a request, or why that can't be said."""

    def __init__(
        self, settings: AuthenticationSettings, clock: Clock, tokens: TokenDesk, lockout: Lockout
    ) -> None:
        self._clock = clock
        self._tolerance = timedelta(seconds=settings.created_tolerance)
        hours = _ANY_ZONE if settings.created_zones == "any" else settings.created_zones
        self._zones = [timedelta(hours=east) for east in hours]
        self._nonces = NonceMemory()
        self._tokens = tokens
        self._lockout = lockout

    async def authenticate(
        self, headers: Mapping[str, str], token: str | None, address: str, directory: Directory
    ) -> Authenticated:
        """Who sent it, by its headers if they have a digest, else by its access token.

        With both, either will do: a token in the query of a program that signs is a left-over, and so may be
        the headers of one that has a good token.
        Raises AddressNotAllowed, WireError: 10230xx, 1010003, 1010004, 1010005, 1010008, 1010013 or 1020176.
        """
        async with self.guarded(address):
            if token is None:
                return self._signed(headers, address, directory)
            if not has_digest(headers):
                # Clients with a token may send a left-over password in Authorization.
                return Authenticated(await self._tokens.authenticate(directory, token, address), None)
            try:
                return self._signed(headers, address, directory)
            except WireError as refused:
                try:
                    return Authenticated(await self._tokens.authenticate(directory, token, address), None)
                except WrongProof:
                    # A guess counts, however the headers beside it are.
                    raise WrongProof(refused.result.code, refused.detail) from None
                except WireError:
                    raise refused from None

    def _signed(self, headers: Mapping[str, str], address: str, directory: Directory) -> Authenticated:
        who = self._by_digest(parse_headers(headers), directory)
        # Only now: whoever has no proof is told nothing of the app.
        who.application.check_address(address)
        return who

    def guarded(self, address: str) -> "_Guard":
        """A block in which a wrong proof counts against the address. Raises WireError 1020176 if locked."""
        return _Guard(self._lockout, self._clock, address)

    def _by_digest(self, given: Credentials, directory: Directory) -> Authenticated:
        now = self._clock.now()
        created = self._created(given.created, now)
        try:
            application = directory.application(given.username)
        except AppUnknown:
            raise WrongProof("1010003") from None
        if not _right(given, application.secrets(now)):
            raise WrongProof("1023006", "PasswordDigest is wrong.")
        if not application.active:
            raise WireError("1010008") from AppInactive()
        # The last moment at which one of the zones would still let this request through.
        expires_at = created + self._tolerance - min(self._zones)
        nonce = NonceUse(application.key, _used_up(given), expires_at)
        if not self._nonces.use(nonce):
            raise replayed_nonce()
        return Authenticated(application, nonce)

    def _created(self, text: str, now: datetime) -> datetime:
        """The clock reading in the header, zone unknown. Raises WireError if no zone makes it recent."""
        try:
            if not _CREATED.fullmatch(text):
                raise ValueError(text)
            created = datetime.fromisoformat(text)
        except ValueError:
            raise WireError("1010013", "Created is not of the form yyyy-MM-dd'T'HH:mm:ss'Z'.") from None
        if all(abs(created - now - zone) > self._tolerance for zone in self._zones):
            raise WireError("1010013")
        return created


class _Guard:
    """A block in which somebody proves who they are."""

    def __init__(self, lockout: Lockout, clock: Clock, address: str) -> None:
        self._lockout = lockout
        self._clock = clock
        self._address = address

    async def __aenter__(self) -> None:
        if self._lockout.is_locked(self._address, self._clock.now()):
            raise WireError("1020176")

    async def __aexit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, WrongProof):
            self._lockout.failed(self._address, self._clock.now())


def _right(given: Credentials, secrets: Iterable[str]) -> bool:
    return matches_one(
        [digest for secret in secrets for digest in _expected(given, secret)],
        given.digest,
    )


def _expected(given: Credentials, secret: str) -> tuple[str, ...]:
    if given.scheme is AKSK:
        return (aksk_digest(secret, given.nonce, given.created),)
    return wsse_digests(secret, given.nonce, given.created)


def _used_up(given: Credentials) -> str:
    """What a request uses up; neither the scheme nor the encoding of its digest makes another of it.

    It begins with the time: what is written down of requests that come together lies together.
    """
    return f"{given.created} {hashlib.sha256(given.nonce.encode()).hexdigest()}"


def replayed_nonce() -> WireError:
    """The refusal of a nonce that was used before."""
    return WireError("1023006", "Nonce has been used before.")
