"""A deadline is a date with a declared clock: the end of a local day, wherever one reads it."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo


def end_of_day(day: date, time_zone: str) -> datetime:
    """Find the first instant that is no longer `day` in a time zone.

    That is the start of the next local day, also where clocks change at midnight or a zone skips a
    whole day: a midnight that does not exist is the moment at which the clocks jump over it, and
    of two midnights the earlier one counts.
    """
    midnight = datetime.combine(day + timedelta(days=1), time.min, tzinfo=ZoneInfo(time_zone))
    return midnight.astimezone(UTC)


def start_of_day(day: date, time_zone: str) -> datetime:
    """Find the first instant that is `day` in a time zone: that in which the day before ends."""
    return end_of_day(day - timedelta(days=1), time_zone)
