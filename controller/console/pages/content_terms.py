"""What pages of sounds, templates and reviews share: words for how far each has come, filters, history."""

from collections.abc import Sequence
from typing import Final

from controller.console.forms import Field, Form
from controller.console.listing import ACCOUNT
from controller.console.visit import Visit
from controller.console.words import N_
from controller.management.resources.reviews import ReviewView, list_reviews
from controller.store.reviews import QueueState, ReviewKind
from controller.store.tables import ReviewState

REVIEW_STATES: Final = (
    (ReviewState.DRAFT.value, N_("draft")),
    (ReviewState.SUBMITTED.value, N_("submitted")),
    (ReviewState.APPROVED.value, N_("approved")),
    (ReviewState.REJECTED.value, N_("rejected")),
)
FILTERS: Final = Form(
    (ACCOUNT, Field("state", N_("State"), "choice", choices=(("", N_("any")), *REVIEW_STATES)))
)
QUEUE_STATES: Final = (
    (QueueState.PENDING.value, N_("waits")),
    (QueueState.APPROVED.value, N_("approved")),
    (QueueState.REJECTED.value, N_("rejected")),
    (QueueState.WITHDRAWN.value, N_("withdrawn")),
)
REVIEW_KINDS: Final = (
    (ReviewKind.SOUND.value, N_("sound file")),
    (ReviewKind.TEMPLATE.value, N_("voice template")),
    (ReviewKind.ENTERPRISE.value, N_("enterprise")),
)


async def reviews_of(visit: Visit, account_id: str, kind: str, subject: str) -> Sequence[ReviewView]:
    """The submissions of one thing, the newest first."""
    about = {"account_id": account_id, "kind": kind, "subject": subject, "newest_first": True}
    return (await visit.run(list_reviews, query=about)).items
