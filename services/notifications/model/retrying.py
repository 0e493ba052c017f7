"""When a failed attempt is repeated, and when it is given up. Source: Standard Webhooks 1.0.0."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final, Literal

THROTTLING: Final = frozenset({429, 503})
GONE: Final = 410
PAUSE_MAX: Final = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of one request: a status, or the class of error that left us without one."""

    started_at: datetime
    duration_ms: int
    status: int | None = None
    error: str | None = None
    retry_after: str | None = None
    excerpt: str | None = None

    @property
    def is_success(self) -> bool:
        return self.status is not None and 200 <= self.status < 300

    @property
    def is_gone(self) -> bool:
        return self.status == GONE


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of a delivery after an attempt."""

    state: Literal["pending", "delivered", "failed", "cancelled"]
    reason: str | None = None
    due_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Schedule:
    """Pauses before each attempt, in seconds; chance only ever makes them longer."""

    seconds: tuple[float, ...]
    jitter: float

    def judge(self, answer: Answer, *, step: int, now: datetime, chance: float) -> Verdict:
        """Decide what becomes of a delivery.

        Args:
            answer: what the attempt brought.
            step: how many attempts of this round were made before it.
            now: when the answer is judged.
            chance: a random number from 0 to 1.
        """
        if answer.is_success:
            return Verdict("delivered")
        if answer.is_gone:
            return Verdict("failed", "gone")
        if step + 1 >= len(self.seconds):
            return Verdict("failed", "attempts_exhausted")
        own = timedelta(seconds=self.seconds[step + 1] * (1 + self.jitter * chance))
        asked = timedelta()
        if answer.status in THROTTLING and answer.retry_after is not None:
            asked = min(pause_asked_for(answer.retry_after, now=now), PAUSE_MAX)
        return Verdict("pending", due_at=now + max(own, asked))


def pause_asked_for(retry_after: str, *, now: datetime) -> timedelta:
    """Read `Retry-After`, as seconds or as a date; what cannot be read asks for nothing.

    Source: RFC 9110, section 10.2.3.
    """
    written = retry_after.strip()
    if written.isascii() and written.isdecimal():
        # More digits than a day needs could not be a timedelta.
        return PAUSE_MAX if len(written) > 6 else timedelta(seconds=int(written))
    try:
        moment = parsedate_to_datetime(written)
    except (ValueError, OverflowError):  # a year of twenty digits overflows
        return timedelta()
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(moment - now, timedelta())
