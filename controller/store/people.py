"""Users, their sessions and tokens."""

from datetime import datetime

from sqlalchemy import delete, func, select
from sqlmodel import Session, col

from controller.store.management_tables import ApiToken, IdempotentAnswer, LoginSession, User


def user_with_login(session: Session, login: str) -> User | None:
    """The user who logs in with this name, active or not."""
    return session.execute(select(User).where(col(User.login) == login)).scalar_one_or_none()


def has_users(session: Session) -> bool:
    """Whether anybody may log in at all."""
    return session.execute(select(User).limit(1)).scalar_one_or_none() is not None


def user_of_session(session: Session, digest: str, now: datetime) -> User | None:
    """The active user of a session that goes on."""
    return session.execute(
        select(User)
        .join(LoginSession, col(LoginSession.user_id) == col(User.id))
        .where(col(LoginSession.digest) == digest, col(LoginSession.expires_at) > now, col(User.active))
    ).scalar_one_or_none()


def user_of_token(session: Session, digest: str, now: datetime) -> tuple[User, ApiToken] | None:
    """The active user of a token that is good, and the token."""
    found = session.execute(
        select(User, ApiToken)
        .join(ApiToken, col(ApiToken.user_id) == col(User.id))
        .where(col(ApiToken.digest) == digest, col(ApiToken.expires_at) > now, col(User.active))
    ).one_or_none()
    return None if found is None else (found[0], found[1])


def end_session(session: Session, digest: str) -> None:
    """Log out."""
    session.execute(delete(LoginSession).where(col(LoginSession.digest) == digest))


def end_sessions_of(session: Session, user_id: str, *, but: str | None = None) -> None:
    """Log a user out everywhere, but for one session."""
    statement = delete(LoginSession).where(col(LoginSession.user_id) == user_id)
    session.execute(statement if but is None else statement.where(col(LoginSession.digest) != but))


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
