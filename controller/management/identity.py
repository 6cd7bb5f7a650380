"""Who is asking: a session's cookie, or a token."""

from datetime import timedelta

from aiohttp import web
from sqlmodel import Session

from controller.api.remote import Remote
from controller.clock import Clock
from controller.management.passwords import csrf_token, digest, same
from controller.management.problems import CsrfTokenWrong, NotAuthenticated
from controller.management.roles import Actor, Role
from controller.store import people
from controller.store.database import Database
from controller.store.management_tables import User

_COOKIE = "voicecall"
_SECURE_COOKIE = "__Host-voicecall"
"""Browsers take a cookie of this form over HTTPS alone, and from this host alone."""
_BEARER = "bearer "


class Identity:
    """Reads cookies and tokens."""

    def __init__(self, database: Database, clock: Clock, remote: Remote) -> None:
        self._database = database
        self._clock = clock
        self._remote = remote

    async def of(self, request: web.Request, *, is_safe: bool) -> Actor:
        """Who sent it. Raises NotAuthenticated, or CsrfTokenWrong for a change without that token."""
        authorization = request.headers.get("Authorization")
        if authorization is not None:
            if not authorization.lower().startswith(_BEARER):
                raise NotAuthenticated
            token = digest(authorization[len(_BEARER) :].strip())
            return await self._database.read(lambda session: self._by_token(session, token))
        cookie = self.cookie(request)
        if not cookie:
            raise NotAuthenticated
        actor = await self._database.read(lambda session: self._by_session(session, digest(cookie)))
        if not is_safe and not same(csrf_token(cookie), request.headers.get("X-CSRF-Token", "")):
            raise CsrfTokenWrong
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

    def _by_session(self, session: Session, key: str) -> Actor:
        user = people.user_of_session(session, key, self._clock.now())
        if user is None:
            raise NotAuthenticated
        return _actor(user, Role(user.role), key)


def _actor(user: User, role: Role, session: str | None = None) -> Actor:
    return Actor(user.id, user.login, role, user.account_id, session)
