"""The words for what is reviewed, and for how far it has come."""

from typing import Final

from controller.console.words import N_
from controller.store.reviews import QueueState, ReviewKind
from controller.store.tables import ReviewState

REVIEW_STATES: Final = (
    (ReviewState.DRAFT.value, N_("draft")),
    (ReviewState.SUBMITTED.value, N_("submitted")),
    (ReviewState.APPROVED.value, N_("approved")),
    (ReviewState.REJECTED.value, N_("rejected")),
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
