"""How long an invitation waits for its answer, and when its member is reminded of it."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from services.projects.model.deadline import end_of_day
from shared.refusals import Invalid


class AnswerTimePast(Invalid):
    code = "answer-time-past"
    title = "The time to answer must end in the future"


DAYS_TO_ANSWER: Final = 30
"""What a member has if the lead names no day: an invitation shows the project, so it must end."""

REMINDED_BEFORE: Final = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class AnswerTime:
    """The end of a day in a declared zone, and the moment of the one reminder before it."""

    answer_by_on: date
    time_zone: str
    answer_by_at: datetime
    remind_at: datetime


def answer_time(on: date | None, time_zone: str, *, at: datetime) -> AnswerTime:
    """Give time until the end of a day.

    The reminder comes seven days before that, or halfway where there are less than fourteen.

    Args:
        on: the last day; `DAYS_TO_ANSWER` from today if there is none.
        time_zone: where that day ends.
        at: from when on the time runs.

    Raises:
        AnswerTimePast: that day has ended.
    """
    if on is None:
        on = at.astimezone(ZoneInfo(time_zone)).date() + timedelta(days=DAYS_TO_ANSWER)
    ends_at = end_of_day(on, time_zone)
    if ends_at <= at:
        raise AnswerTimePast(f"The day {on} has ended in {time_zone}.")
    return AnswerTime(on, time_zone, ends_at, ends_at - min(REMINDED_BEFORE, (ends_at - at) / 2))
