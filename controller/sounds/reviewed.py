"""Everything that goes through the review queue."""

from collections.abc import Mapping
from typing import Final

from controller.review.enterprises import decide_enterprise
from controller.review.queue import Decide
from controller.sounds.files import decide_sound
from controller.sounds.templates import decide_template
from controller.store.reviews import ReviewKind

REVIEWED: Final[Mapping[str, Decide]] = {
    ReviewKind.SOUND: decide_sound,
    ReviewKind.TEMPLATE: decide_template,
    ReviewKind.ENTERPRISE: decide_enterprise,
}
