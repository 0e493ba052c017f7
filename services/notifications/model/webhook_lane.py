"""How fast an endpoint is sent to, and when it is left in peace: one lane for each.

A lane starts slowly and widens while its receiver answers fast; one that hangs moves out of the way
of the others; one that fails again and again is held, with single attempts in between to see
whether it is well again. What is here decides from answers alone; that several senders share the
lanes is the matter of `claim_lanes` and `record_turns`.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, Literal
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from services.notifications.model.base import Base
from services.notifications.model.retrying import PAUSE_MAX, THROTTLING, Answer, pause_asked_for

Pace = Literal["fast", "slow"]
Held = Literal["failing", "retry_after", "rate"]

QUANTUM: Final = 16
"""Deliveries of one turn; then the lane goes to the end of the queue."""

SLOW_MS: Final = 2_000
"""A receiver that takes longer on average, or is not done by then, belongs to the slow."""

MEAN_SHARE: Final = 0.2
"""Weight of the newest answer in the average."""

FAST_AGAIN: Final = 20
"""Fast answers in a row after which a slow lane is a fast one again."""

SLOW_PARALLEL_MAX: Final = 4

FAILURES_IN_A_ROW: Final = 5
WINDOW: Final = timedelta(minutes=5)
WINDOW_SENT_MIN: Final = 20
HOLD: Final = timedelta(seconds=30)
HOLD_TIMES_MAX: Final = 60
"""A pause grows to so many times the first one: from half a minute to half an hour."""

HOLD_JITTER: Final = 0.2


@dataclass(frozen=True, slots=True)
class Bounds:
    """What the owner of an endpoint allows, requests at once and a minute; and the operator.

    `hold` is how long a lane is held first that fails again and again.
    """

    parallel: int
    rate_per_minute: int | None
    hold: timedelta = HOLD


@dataclass(frozen=True, slots=True)
class Lane:
    """What is known of a receiver by its answers.

    Attributes:
        pace: whose places its requests take.
        parallel: requests that may be under way at once.
        held_until: nothing is sent before.
        tries: how often it was held since it last was well; while it is above 0, a turn is one
            attempt.
        failures: in a row.
        quick: fast answers in a row.
        mean_ms: average duration, newer answers weighing more.
        window_from: start of the window in which `window_sent` and `window_failed` count.
        failing_since: first failure after the last success.
        succeeded_at: last success.
        free_at: when one more request is within the rate.
    """

    pace: Pace = "fast"
    parallel: int = 1
    held_until: datetime | None = None
    tries: int = 0
    failures: int = 0
    quick: int = 0
    mean_ms: float = 0
    window_from: datetime | None = None
    window_sent: int = 0
    window_failed: int = 0
    failing_since: datetime | None = None
    succeeded_at: datetime | None = None
    free_at: datetime | None = None

    @property
    def turn_length(self) -> int:
        """Deliveries of the next turn, at most."""
        return 1 if self.tries else QUANTUM

    def is_held(self, now: datetime) -> bool:
        return self.held_until is not None and self.held_until > now

    def held_because(self, now: datetime) -> Held | None:
        """Say why nothing is sent at present, if nothing is."""
        if not self.is_held(now):
            return None
        if self.tries:
            return "failing"
        is_within_rate = self.free_at is None or self.free_at <= now
        return "retry_after" if is_within_rate else "rate"

    def sending(self, bounds: Bounds, *, now: datetime) -> "Lane":
        """Count a request against the rate, which may come in bursts of a second's worth.

        Source: generic cell rate algorithm, ITU-T I.371.
        """
        if bounds.rate_per_minute is None:
            return self
        interval = timedelta(minutes=1) / bounds.rate_per_minute
        free_at = max(self.free_at or now, now) + interval
        held = free_at - max(timedelta(seconds=1) - interval, timedelta())
        return replace(
            self,
            free_at=free_at,
            held_until=max(self.held_until or held, held) if held > now else self.held_until,
        )

    def after(self, answer: Answer, bounds: Bounds, *, now: datetime, chance: float) -> "Lane":
        """Learn from an answer.

        Args:
            answer: what an attempt brought.
            bounds: what the owner allows.
            now: when it is judged.
            chance: a random number from 0 to 1; makes pauses longer, never shorter.
        """
        if answer.is_success:
            return _after_success(self, answer, bounds, now)
        return _after_failure(self, answer, bounds.hold, now, chance)


def _counted(lane: Lane, answer: Answer, now: datetime) -> tuple[float, datetime, int, int]:
    """The average duration, and the window with its counts, with this answer in them."""
    mean_ms = lane.mean_ms + MEAN_SHARE * (answer.duration_ms - lane.mean_ms)
    failed = int(not answer.is_success)
    if lane.window_from is None or now - lane.window_from > WINDOW:
        return mean_ms, now, 1, failed
    return mean_ms, lane.window_from, lane.window_sent + 1, lane.window_failed + failed


def _after_success(lane: Lane, answer: Answer, bounds: Bounds, now: datetime) -> Lane:
    mean_ms, window_from, sent, failed = _counted(lane, answer, now)
    quick = lane.quick + 1 if answer.duration_ms < SLOW_MS else 0
    pace, parallel = lane.pace, lane.parallel
    if mean_ms > SLOW_MS:
        pace, parallel = "slow", min(parallel + 1, SLOW_PARALLEL_MAX)
    elif pace == "slow":
        if quick >= FAST_AGAIN:
            pace, parallel, quick = "fast", 1, 0
    elif quick >= parallel:
        # As many fast answers in a row as requests at once: twice as many may be.
        parallel, quick = parallel * 2, 0
    was_held = lane.tries > 0
    return replace(
        lane,
        pace=pace,
        parallel=1 if was_held else max(1, min(parallel, bounds.parallel)),
        held_until=None if was_held else lane.held_until,
        tries=0,
        failures=0,
        quick=quick,
        mean_ms=mean_ms,
        window_from=None if was_held else window_from,
        window_sent=sent,
        window_failed=failed,
        failing_since=None,
        succeeded_at=now,
    )


def _after_failure(
    lane: Lane, answer: Answer, hold: timedelta, now: datetime, chance: float
) -> Lane:
    mean_ms, window_from, sent, failed = _counted(lane, answer, now)
    congested = answer.error == "timeout" or answer.status in THROTTLING
    lane = replace(
        lane,
        pace="slow" if answer.error == "timeout" or mean_ms > SLOW_MS else lane.pace,
        parallel=max(1, lane.parallel // 2) if congested else lane.parallel,
        failures=lane.failures + 1,
        quick=0,
        mean_ms=mean_ms,
        window_from=window_from,
        window_sent=sent,
        window_failed=failed,
        failing_since=lane.failing_since or now,
    )
    until = now
    if answer.status in THROTTLING and answer.retry_after is not None:
        until += min(pause_asked_for(answer.retry_after, now=now), PAUSE_MAX)
    if _is_hopeless(lane):
        pause = hold * min(2**lane.tries, HOLD_TIMES_MAX)
        until = max(until, now + pause * (1 + HOLD_JITTER * chance))
        lane = replace(lane, tries=lane.tries + 1, parallel=1, window_from=None)
    if until > now:
        lane = replace(lane, held_until=max(until, lane.held_until or until))
    return lane


def _is_hopeless(lane: Lane) -> bool:
    """Tell whether a failure just now is one too many."""
    mostly_failing = (
        lane.window_sent >= WINDOW_SENT_MIN and lane.window_failed * 2 >= lane.window_sent
    )
    return lane.tries > 0 or lane.failures >= FAILURES_IN_A_ROW or mostly_failing


class WebhookLane(Base, kw_only=True):
    """The lane of an endpoint, as senders share it.

    `next_due_at` is when there is something to do: nothing, if nothing waits. Whoever takes the
    lane moves it to the end of the lease and raises `fence`, so that a sender that lost its lease
    cannot overwrite what its successor found out.
    """

    __tablename__ = "webhook_lane"
    __table_args__ = (
        CheckConstraint("pace IN ('fast', 'slow')", name="pace"),
        Index(
            "ix_webhook_lane_due",
            "pace",
            "next_due_at",
            postgresql_where=text("next_due_at IS NOT NULL"),
        ),
    )

    endpoint_id: Mapped[UUID] = mapped_column(ForeignKey("webhook_endpoint.id"), primary_key=True)
    member: Mapped[str]
    next_due_at: Mapped[datetime | None]
    leased_until: Mapped[datetime | None] = mapped_column(default=None)
    fence: Mapped[int] = mapped_column(default=0, server_default="0")
    pace: Mapped[str] = mapped_column(default="fast", server_default="fast")
    parallel: Mapped[int] = mapped_column(default=1, server_default="1")
    held_until: Mapped[datetime | None] = mapped_column(default=None)
    tries: Mapped[int] = mapped_column(default=0, server_default="0")
    failures: Mapped[int] = mapped_column(default=0, server_default="0")
    quick: Mapped[int] = mapped_column(default=0, server_default="0")
    mean_ms: Mapped[float] = mapped_column(default=0, server_default="0")
    window_from: Mapped[datetime | None] = mapped_column(default=None)
    window_sent: Mapped[int] = mapped_column(default=0, server_default="0")
    window_failed: Mapped[int] = mapped_column(default=0, server_default="0")
    failing_since: Mapped[datetime | None] = mapped_column(default=None)
    succeeded_at: Mapped[datetime | None] = mapped_column(default=None)
    free_at: Mapped[datetime | None] = mapped_column(default=None)
