"""Access tokens of apps: at most one each, known by digests."""

from sqlmodel import Session, col, select

from controller.store.tables import AccessToken


def replace(session: Session, token: AccessToken) -> str | None:
    """Make this the app's only token; the digest of the one before, if there was one."""
    ended = remove(session, token.app_key)
    session.add(token)
    session.flush()
    return ended


def of_app(session: Session, app_key: str) -> AccessToken | None:
    """The app's token, expired or not."""
    return session.get(AccessToken, app_key)


def with_access(session: Session, access_digest: str) -> AccessToken | None:
    """The token with this digest, expired or not."""
    return session.exec(
        select(AccessToken).where(col(AccessToken.access_digest) == access_digest)
    ).one_or_none()


def remove(session: Session, app_key: str) -> str | None:
    """Take the app's token back, if it has one; its digest."""
    found = session.get(AccessToken, app_key)
    if found is None:
        return None
    session.delete(found)
    session.flush()
    return found.access_digest
