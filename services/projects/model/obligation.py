"""What waits for a member: the city where time is counted, and how much of it is left."""

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from shared.refusals import Forbidden


class NotYourObligations(Forbidden):
    code = "not-your-obligations"
    title = "What waits for a member is shown to that member alone"


OPENS: Final = time(9)
CLOSES: Final = time(17)
SATURDAY: Final = 5


@dataclass(frozen=True, slots=True)
class City:
    """Where a member works."""

    time_zone: str
    country: str
    subdivision: str | None = None

    def working_days_left(self, now: datetime, due_at: datetime) -> int:
        """Count the days on which this city works until a deadline; none once it has passed.

        A day counts while some of its working hours lie ahead and before the deadline.
        """
        # The one place to ask a calendar that knows public holidays; this one knows weekends.
        clock = ZoneInfo(self.time_zone)
        begins, ends = now.astimezone(clock), due_at.astimezone(clock)
        first = begins.date() + timedelta(days=begins.time() >= CLOSES)
        last = ends.date() - timedelta(days=ends.time() <= OPENS)
        days = map(first.fromordinal, range(first.toordinal(), last.toordinal() + 1))
        return sum(day.weekday() < SATURDAY for day in days)


def ensure_own(member: str, *, of: str) -> None:
    """Refuse to look into another member's duties.

    Raises:
        NotYourObligations: it is another one.
    """
    if member != of:
        raise NotYourObligations(f"You act for {of}.")
