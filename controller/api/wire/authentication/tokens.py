"""Access tokens of the oldest clients: login, refresh, logout. Source: wire API document, section 3.

Only digests of tokens are kept. Of an app only the newest token is good: a login or refresh ends the one
before. Who still uses that one - another thread or instance of the customer's - guesses nothing, and is not
locked out for it.
"""

import hashlib
import secrets
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from controller.accounts.directory import Application, Directory
from controller.accounts.errors import AppUnknown
from controller.api.wire.authentication.digests import matches, matches_one
from controller.api.wire.authentication.lockout import WrongProof
from controller.api.wire.results import WireError
from controller.clock import Clock
from controller.store import tokens as rows
from controller.store.database import Database
from controller.store.tables import AccessToken

_BYTES = 32
_ENDED = 10_000
"""Tokens that are remembered as such that were good once."""


@dataclass(frozen=True)
class Tokens:
    """What a login or refresh gives; `lifetime` in seconds."""

    access: str
    refresh: str
    lifetime: int


class TokenDesk:
    """Gives, renews, recognises and takes back tokens."""

    def __init__(self, database: Database, clock: Clock, lifetime: timedelta) -> None:
        self._database = database
        self._clock = clock
        self._lifetime = lifetime
        self._ended: OrderedDict[str, None] = OrderedDict()

    async def login(
        self, directory: Directory, app_key: str, username: str, password: str, address: str
    ) -> Tokens:
        """Raises AddressNotAllowed, WireError 1010002, 1010003 or 1010008."""
        application = _application(directory, app_key)
        login = application.login
        # Compared in any case, so that the time taken tells nothing.
        right_user = matches(login.username if login else "", username)
        right_password = matches(login.password.get_secret_value() if login else "", password)
        if login is None or not (right_user and right_password):
            raise WrongProof("1010002", "The username or password is wrong.")
        return await self._issue(application, address)

    async def refresh(
        self, directory: Directory, app_key: str, app_secret: str, refresh_token: str, address: str
    ) -> Tokens:
        """Raises AddressNotAllowed, WireError 1010003, 1010004, 1010008 or 1010009."""
        application = _application(directory, app_key)
        if not matches_one(application.secrets(self._clock.now()), app_secret):
            raise WrongProof("1010009")
        found = await self._database.read(lambda session: rows.of_app(session, application.key))
        if found is None or not matches(found.refresh_digest, _digest(refresh_token)):
            # Whoever knows the secret guesses nothing.
            raise WireError("1010004")
        return await self._issue(application, address)

    async def logout(self, directory: Directory, token: str, address: str) -> None:
        """Raises AddressNotAllowed or WireError 1010004."""
        application = await self.authenticate(directory, token, address)
        self._remember(await self._database.write(lambda session: rows.remove(session, application.key)))

    async def authenticate(self, directory: Directory, token: str, address: str) -> Application:
        """The app that a token was given to.

        Raises AddressNotAllowed, WireError 1010004, 1010005 (expired) or 1010008.
        """
        digest = _digest(token)
        found = await self._database.read(lambda session: rows.with_access(session, digest))
        if found is None or found.app_key not in directory.applications:
            raise WireError("1010004") if digest in self._ended else WrongProof("1010004")
        if found.expires_at <= self._clock.now():
            raise WireError("1010005")
        application = _application(directory, found.app_key)
        application.check_address(address)
        return application

    async def _issue(self, application: Application, address: str) -> Tokens:
        application.check_address(address)
        # Safe in a query as they are: old clients don't escape them.
        given = Tokens(
            secrets.token_urlsafe(_BYTES),
            secrets.token_urlsafe(_BYTES),
            round(self._lifetime.total_seconds()),
        )
        row = AccessToken(
            app_key=application.key,
            access_digest=_digest(given.access),
            refresh_digest=_digest(given.refresh),
            expires_at=self._clock.now() + self._lifetime,
        )
        self._remember(await self._database.write(lambda session: rows.replace(session, row)))
        return given

    def _remember(self, ended: str | None) -> None:
        if ended is not None:
            self._ended[ended] = None
            if len(self._ended) > _ENDED:
                self._ended.popitem(last=False)


def _application(directory: Directory, app_key: str) -> Application:
    try:
        application = directory.application(app_key)
    except AppUnknown:
        raise WrongProof("1010003") from None
    if not application.active:
        raise WireError("1010008")
    return application


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def token_answer(given: Tokens) -> Mapping[str, str]:
    """The body of the answer; every value is a string, which clients rely on."""
    return {
        "access_token": given.access,
        "refresh_token": given.refresh,
        "resultcode": "0",
        "expires_in": str(given.lifetime),
        "resultdesc": "Succeed",
    }
