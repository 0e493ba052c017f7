"""What waits for a member: the city where time is counted, and how much of it is left."""

from dataclasses import dataclass
from datetime import datetime

from services.projects.model.working_days import working_days_left
from shared.refusals import Forbidden


class NotYourObligations(Forbidden):
    code = "not-your-obligations"
    title = "What waits for a member is shown to that member alone"


@dataclass(frozen=True, slots=True)
class City:
    """Where a member works."""

    time_zone: str
    country: str
    subdivision: str | None = None

    def working_days_left(self, now: datetime, due_at: datetime) -> int:
        """Count the days on which this city works until a deadline; none once it has passed."""
        return working_days_left(now, due_at, self.time_zone, self.country, self.subdivision)


def ensure_own(member: str, *, of: str) -> None:
    """Refuse to look into another member's duties.

    Raises:
        NotYourObligations: it is another one.
    """
    if member != of:
        raise NotYourObligations(f"You act for {of}.")
