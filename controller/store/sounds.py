"""Sound files and templates: what was uploaded or written, how far it has come, what calls use of it."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import func, or_, select
from sqlmodel import Session, col

from controller.store.tables import Call, ReviewState, SoundFile, Template


def sound(session: Session, account_id: str, name: str) -> SoundFile | None:
    """One sound file."""
    return session.get(SoundFile, (account_id, name))


def sounds(
    session: Session, account_id: str, *, after: str = "", limit: int = 50, state: ReviewState | None = None
) -> list[SoundFile]:
    """Sound files of an account by name, those behind `after`."""
    query = select(SoundFile).where(col(SoundFile.account_id) == account_id, col(SoundFile.name) > after)
    if state is not None:
        query = query.where(col(SoundFile.state) == state)
    return list(session.execute(query.order_by(col(SoundFile.name)).limit(limit)).scalars())


def count_sounds(session: Session, account_id: str) -> int:
    """How many sound files an account has."""
    count: int = session.execute(
        select(func.count()).select_from(SoundFile).where(col(SoundFile.account_id) == account_id)
    ).scalar_one()
    return count


def is_referenced(session: Session, digest: str) -> bool:
    """Whether any account's sound file has this audio."""
    found = session.execute(
        select(col(SoundFile.name)).where(
            or_(col(SoundFile.digest) == digest, col(SoundFile.usable_digest) == digest)
        )
    )
    return found.first() is not None


def referenced(session: Session) -> set[str]:
    """Digests of everything that any account's sound files need: uploaded, approved or played."""
    found = session.execute(select(col(SoundFile.digest), col(SoundFile.usable_digest)))
    return {digest for row in found for digest in row if digest is not None}


def media_of_live_plans(session: Session) -> dict[str, list[str]]:
    """What calls under way still play that outlive their controller: medium -> session ids."""
    found = session.execute(
        select(col(Call.session_id), col(Call.plan)).where(
            col(Call.ended_at).is_(None), col(Call.plan).is_not(None)
        )
    )
    playing: dict[str, list[str]] = {}
    for session_id, plan in found:
        for voice in (plan or {}).values():
            if isinstance(voice, dict) and "media" in voice:
                playing.setdefault(voice["media"], []).append(session_id)
    return playing


def drafts(session: Session) -> set[str]:
    """Digests of everything that was uploaded last."""
    return set(session.execute(select(col(SoundFile.digest))).scalars())


@dataclass(frozen=True)
class Undistributed:
    """A sound file that was approved and that not every node is known to play yet."""

    account_id: str
    name: str
    digest: str
    duration_ms: int


def undistributed(session: Session) -> list[Undistributed]:
    """What was approved and can't be used yet."""
    found = session.execute(
        select(
            col(SoundFile.account_id), col(SoundFile.name), col(SoundFile.digest), col(SoundFile.duration_ms)
        ).where(
            col(SoundFile.state) == ReviewState.APPROVED,
            or_(
                col(SoundFile.usable_digest).is_(None), col(SoundFile.usable_digest) != col(SoundFile.digest)
            ),
        )
    )
    return [Undistributed(*row) for row in found]


def usable(session: Session) -> dict[str, int]:
    """What calls can use: digest -> milliseconds."""
    found = session.execute(
        select(col(SoundFile.usable_digest), col(SoundFile.usable_ms)).where(
            col(SoundFile.usable_digest).is_not(None), col(SoundFile.usable_ms).is_not(None)
        )
    )
    return {row[0]: row[1] for row in found}


def template(session: Session, account_id: str, template_id: str) -> Template | None:
    """One template."""
    return session.get(Template, (account_id, template_id))


def templates(
    session: Session, account_id: str, *, after: str = "", limit: int = 50, state: ReviewState | None = None
) -> Sequence[Template]:
    """Templates of an account by id, those behind `after`."""
    query = select(Template).where(col(Template.account_id) == account_id, col(Template.id) > after)
    if state is not None:
        query = query.where(col(Template.state) == state)
    return list(session.execute(query.order_by(col(Template.id)).limit(limit)).scalars())
