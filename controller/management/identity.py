"""Who is asking: a session's cookie, or a token."""

import logging
from datetime import datetime, timedelta

from aiohttp import web
from sqlmodel import Session

from controller.api.remote import Remote
from controller.clock import Clock
from controller.management.passwords import csrf_token, digest, same
from controller.management.problems import CsrfTokenWrong, NotAuthenticated
from controller.management.roles import Actor, Role
from controller.management.second_factor import is_demanded
from controller.settings import ManagementSettings
from controller.store import people
from controller.store.database import Database
from controller.store.management_tables import User

log = logging.getLogger(__name__)

_COOKIE = "voicecall"
_SECURE_COOKIE = "__Host-voicecall"
"""Browsers take a cookie of this form over HTTPS alone, and from this host alone."""
_BEARER = "bearer "


class Identity:
    """Reads cookies and tokens."""

    def __init__(
        self, database: Database, settings: ManagementSettings, clock: Clock, remote: Remote
    ) -> None:
        self._database = database
        self._settings = settings
        self._clock = clock
        self._remote = remote

    async def of(self, request: web.Request, *, is_safe: bool, is_use: bool = True) -> Actor:
        """Who sent it. Raises NotAuthenticated, or CsrfTokenWrong for a change without that token.

        :param is_use: whether it shows that somebody is there, so that the session goes on.
        """
        authorization = request.headers.get("Authorization")
        if authorization is not None:
            if not authorization.lower().startswith(_BEARER):
                raise NotAuthenticated
            token = digest(authorization[len(_BEARER) :].strip())
            return await self._database.read(lambda session: self._by_token(session, token))
        cookie = self.cookie(request)
        if not cookie:
            raise NotAuthenticated
        key = digest(cookie)
        actor, is_to_be_noted = await self._database.read(lambda session: self._by_session(session, key))
        if not is_safe and not same(csrf_token(cookie), request.headers.get("X-CSRF-Token", "")):
            raise CsrfTokenWrong
        if is_use and is_to_be_noted:
            await note_use(self._database, key, self._clock.now())
        return actor

    def cookie(self, request: web.Request) -> str:
        """What the session's cookie holds; "" without one."""
        return request.cookies.get(self._cookie_name(request), "")

    def set_cookie(
        self, answer: web.StreamResponse, request: web.Request, session: str, lifetime: timedelta
    ) -> None:
        """Have the browser keep a session; "" ends it."""
        answer.set_cookie(
            self._cookie_name(request),
            session,
            max_age=int(lifetime.total_seconds()) if session else 0,
            path="/",
            secure=self._is_secure(request),
            httponly=True,
            samesite="Lax",
        )

    def _cookie_name(self, request: web.Request) -> str:
        return _SECURE_COOKIE if self._is_secure(request) else _COOKIE

    def _is_secure(self, request: web.Request) -> bool:
        return self._remote.base_url(request).startswith("https:")

    def _by_token(self, session: Session, token: str) -> Actor:
        found = people.user_of_token(session, token, self._clock.now())
        if found is None:
            raise NotAuthenticated
        user, row = found
        owner, given = Role(user.role), Role(row.role)
        # Whoever lost a role has no token left that still has it.
        return _actor(user, given if owner.covers(given) else owner)

    def _by_session(self, session: Session, key: str) -> tuple[Actor, bool]:
        found = people.user_of_session(session, key, self._clock.now(), self._settings.idle_limit)
        if found is None:
            raise NotAuthenticated
        user, is_to_be_noted = found
        role = Role(user.role)
        lacks_factor = not user.has_second_factor and is_demanded(self._settings, role)
        return _actor(user, role, key, lacks_factor=lacks_factor), is_to_be_noted


async def note_use(database: Database, session_key: str, now: datetime) -> None:
    """Note that a session is used. That it can't be written now keeps nobody from looking at things."""
    try:
        await database.write(lambda session: people.note_use(session, session_key, now))
    except Exception as error:
        log.warning("The use of a session can't be noted", extra={"error": type(error).__name__})


def _actor(user: User, role: Role, session: str | None = None, *, lacks_factor: bool = False) -> Actor:
    return Actor(user.id, user.login, role, user.account_id, session, lacks_factor)
