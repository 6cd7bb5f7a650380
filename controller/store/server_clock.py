"""The clock of a database server beside ours."""

import time
from datetime import datetime

from sqlalchemy import func, select
from sqlmodel import Session

from controller.clock import Clock

TOLERANCE = 0.5
"""Seconds: two controllers that are no further from the server's clock are no more than one from each other,
and still see each other's calls of the last second."""

_LOOKS = 3


def clock_ahead(session: Session, clock: Clock) -> float:
    """Seconds by which our clock is ahead of PostgreSQL's; negative: behind. In a transaction of its own."""
    looks = []
    for _look in range(_LOOKS):
        began = time.monotonic()
        before = clock.now()
        theirs: datetime = session.execute(select(func.clock_timestamp())).scalar_one()
        took = time.monotonic() - began
        looks.append((took, (before - theirs).total_seconds() + took / 2))
    # It was asked halfway through: of the quickest answer that is wrong by the least.
    return min(looks)[1]
