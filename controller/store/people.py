"""Users, their sessions and tokens."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import delete, func, select, update
from sqlmodel import Session, col

from controller.store.management_tables import ApiToken, IdempotentAnswer, LoginSession, User
from controller.store.many import pieces


def user_with_login(session: Session, login: str) -> User | None:
    """The user who logs in with this name, active or not."""
    return session.execute(select(User).where(col(User.login) == login)).scalar_one_or_none()


def users_with_logins(session: Session, logins: Iterable[str]) -> dict[str, User]:
    """Those of them that there are, by login."""
    found: dict[str, User] = {}
    for some in pieces(logins):
        statement = select(User).where(col(User.login).in_(some))
        found.update((user.login, user) for user in session.execute(statement).scalars())
    return found


def active_users(session: Session, role: str) -> dict[str | None, int]:
    """How many active users have this role, of each account that has one; None: the operator."""
    statement = (
        select(col(User.account_id), func.count())
        .where(col(User.role) == role, col(User.active))
        .group_by(col(User.account_id))
    )
    return {row[0]: row[1] for row in session.execute(statement)}


def has_users(session: Session) -> bool:
    """Whether anybody may log in at all."""
    return session.execute(select(User).limit(1)).scalar_one_or_none() is not None


_USED: Final = timedelta(minutes=1)
"""How exactly it is known when a session was used last: a write a minute."""


def user_of_session(
    session: Session, digest: str, now: datetime, idle: timedelta | None = None
) -> tuple[User, bool] | None:
    """The active user of a session that goes on, and whether it is time to note that it is used.

    :param idle: how long it may be without use; None: for as long as it likes.
    """
    found = session.execute(
        select(User, LoginSession)
        .join(LoginSession, col(LoginSession.user_id) == col(User.id))
        .where(col(LoginSession.digest) == digest, col(LoginSession.expires_at) > now, col(User.active))
    ).one_or_none()
    if found is None:
        return None
    user, row = found
    if idle is not None and row.used_at is not None and row.used_at + idle <= now:
        return None
    return user, row.used_at is None or row.used_at + _USED <= now


def note_use(session: Session, digest: str, now: datetime) -> None:
    """A session is used."""
    session.execute(update(LoginSession).where(col(LoginSession.digest) == digest).values(used_at=now))


def sessions_of(session: Session, user_id: str, now: datetime, idle: timedelta | None) -> list[LoginSession]:
    """A user's sessions that go on, the last begun first."""
    rows = session.execute(
        select(LoginSession)
        .where(col(LoginSession.user_id) == user_id, col(LoginSession.expires_at) > now)
        .order_by(col(LoginSession.expires_at).desc(), col(LoginSession.digest))
    ).scalars()
    return [row for row in rows if idle is None or row.used_at is None or row.used_at + idle > now]


def use_step(session: Session, user_id: str, step: int) -> bool:
    """Use up the code of this step of a user's second factor; False: it, or a later one, was used before."""
    used = session.execute(
        update(User)
        .where(col(User.id) == user_id, col(User.second_factor_step) < step)
        .values(second_factor_step=step)
    )
    return bool(used.rowcount)  # type: ignore[attr-defined]  # an update has it


def user_of_token(session: Session, digest: str, now: datetime) -> tuple[User, ApiToken] | None:
    """The active user of a token that is good, and the token."""
    found = session.execute(
        select(User, ApiToken)
        .join(ApiToken, col(ApiToken.user_id) == col(User.id))
        .where(col(ApiToken.digest) == digest, col(ApiToken.expires_at) > now, col(User.active))
    ).one_or_none()
    return None if found is None else (found[0], found[1])


def forget_second_factor(user: User) -> None:
    """They have none any more."""
    user.second_factor, user.second_factor_since, user.second_factor_step = None, None, 0


def end_session(session: Session, digest: str) -> None:
    """Log out."""
    session.execute(delete(LoginSession).where(col(LoginSession.digest) == digest))


def end_sessions_of(session: Session, user_id: str, *, but: str | None = None) -> None:
    """Log a user out everywhere, but for one session."""
    statement = delete(LoginSession).where(col(LoginSession.user_id) == user_id)
    session.execute(statement if but is None else statement.where(col(LoginSession.digest) != but))


def end_all_sessions(session: Session, user_ids: Iterable[str]) -> None:
    """Log all of these users out everywhere."""
    for some in pieces(user_ids):
        session.execute(delete(LoginSession).where(col(LoginSession.user_id).in_(some)))


def other_administrators(session: Session, user: User, role: str) -> int:
    """How many other active users have this role where this user belongs."""
    found: int = session.execute(
        select(func.count())
        .select_from(User)
        .where(
            col(User.account_id).is_(None)
            if user.account_id is None
            else col(User.account_id) == user.account_id,
            col(User.role) == role,
            col(User.active),
            col(User.id) != user.id,
        )
    ).scalar_one()
    return found


def forget_expired(session: Session, now: datetime) -> None:
    """Sessions that are over, and stored answers that nobody may ask for again."""
    session.execute(delete(LoginSession).where(col(LoginSession.expires_at) <= now))
    session.execute(delete(IdempotentAnswer).where(col(IdempotentAnswer.expires_at) <= now))
