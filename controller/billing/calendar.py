"""Days and months of the bills, which begin at midnight in the zone that the operator has set."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo


@dataclass(frozen=True)
class Calendar:
    """Days and months in a zone."""

    zone: ZoneInfo

    def day(self, moment: datetime) -> date:
        """On which day a moment is."""
        return moment.astimezone(self.zone).date()

    def month(self, moment: datetime) -> str:
        """In which month a moment is: `2026-11`."""
        return f"{self.day(moment):%Y-%m}"

    def begin_of(self, day: date) -> datetime:
        """When a day begins."""
        return datetime.combine(day, time(), self.zone).astimezone(UTC)

    def span_of_day(self, moment: datetime) -> tuple[datetime, datetime]:
        """When this moment's day begins, and when the next one does."""
        day = self.day(moment)
        return self.begin_of(day), self.begin_of(day + timedelta(days=1))

    def span_of_month(self, month: str) -> tuple[datetime, datetime]:
        """When a month such as `2026-11` begins, and when the next one does. Raises ValueError."""
        try:
            first = datetime.strptime(month, "%Y-%m").date()
            following = (first + timedelta(days=31)).replace(day=1)
            return self.begin_of(first), self.begin_of(following)
        except (ValueError, OverflowError):
            # Python's times have a first month and a last one.
            raise ValueError(f"{month!r} is not a month, as in 2026-11") from None
