"""On which days a member works: neither at its weekend nor on a public holiday where it is.

Working hours are taken to be 9 to 17 on the member's own clock. Where the public holidays of a
country are not known, only its weekends are closed; `holidays_known` tells.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final, Literal
from zoneinfo import ZoneInfo

from services.projects.model.known import KnownMember
from shared.public_holidays import calendar_year

OPENS: Final = time(9)
CLOSES: Final = time(17)

ClosureKind = Literal["public_holiday", "weekend"]


@dataclass(frozen=True, slots=True)
class Closure:
    """Why nobody works on a day.

    `name` is that of the holiday, in the local language and in English where it has one; a weekend
    has none.
    """

    kind: ClosureKind
    name: dict[str, str]


@dataclass(frozen=True, slots=True)
class ClosedDay:
    """A day on which a member does not work."""

    day: date
    closure: Closure


@dataclass(frozen=True, slots=True)
class OpenDay:
    """A day on which every one of several members works.

    Attributes:
        day: the same calendar day for all, wherever they are.
        begins_at: when the last of them begins to work on that day.
        ends_at: when the first of them stops; both are missing where working hours never overlap.
    """

    day: date
    begins_at: datetime | None
    ends_at: datetime | None


WEEKEND: Final = Closure("weekend", {})


def is_closed(day: date, country: str, subdivision: str | None) -> Closure | None:
    """Tell why a day is not worked in a place; nothing where it is worked.

    A holiday that falls on a weekend is told as the holiday. A weekend that is worked in exchange
    for a holiday, as in China, is not closed.

    Args:
        day: on the calendar of the place.
        country: ISO 3166-1 alpha-2.
        subdivision: ISO 3166-2 without the country.
    """
    year = calendar_year(country, subdivision, day.year)
    if year.is_open(day):
        return None
    name = year.holidays.get(day)
    return WEEKEND if name is None else Closure("public_holiday", name)


def holidays_known(country: str, subdivision: str | None, *, begins: date, ends: date) -> bool:
    """Tell whether the public holidays of a place are known for all years of a period."""
    years = range(begins.year, ends.year + 1)
    return all(calendar_year(country, subdivision, year).is_known for year in years)


def closed_days(begins: date, ends: date, country: str, subdivision: str | None) -> list[ClosedDay]:
    """List the days of a period, both ends included, on which a place does not work."""
    found = ((day, is_closed(day, country, subdivision)) for day in _days(begins, ends))
    return [ClosedDay(day, closure) for day, closure in found if closure is not None]


def working_days_left(
    from_instant: datetime,
    deadline_instant: datetime,
    zone: str,
    country: str,
    subdivision: str | None,
) -> int:
    """Count the working days that a place has between now and a deadline.

    A day counts while at least some of its working hours lie ahead, and before the deadline: today
    until 17:00; the last day if the deadline comes after 9:00, wherever it was declared.

    Args:
        from_instant: now.
        deadline_instant: the first moment that is too late.
        zone: IANA time zone of the place.
        country: ISO 3166-1 alpha-2.
        subdivision: ISO 3166-2 without the country.

    Returns:
        0 where the deadline has passed, or nobody works before it.
    """
    clock = ZoneInfo(zone)
    begins = from_instant.astimezone(clock)
    ends = deadline_instant.astimezone(clock)
    first = begins.date() + timedelta(days=begins.time() >= CLOSES)
    last = ends.date() - timedelta(days=ends.time() <= OPENS)
    return _count_open(first, last, country, subdivision)


def whole_working_days(
    from_instant: datetime,
    until_instant: datetime,
    zone: str,
    country: str,
    subdivision: str | None,
) -> int:
    """Count the working days of a place of which all working hours lie between two moments.

    Args:
        from_instant: now.
        until_instant: the first moment that is too late.
        zone: IANA time zone of the place.
        country: ISO 3166-1 alpha-2.
        subdivision: ISO 3166-2 without the country.
    """
    clock = ZoneInfo(zone)
    begins = from_instant.astimezone(clock)
    ends = until_instant.astimezone(clock)
    first = begins.date() + timedelta(days=begins.time() > OPENS)
    last = ends.date() - timedelta(days=ends.time() < CLOSES)
    return _count_open(first, last, country, subdivision)


def days_when_all_are_open(
    members: Sequence[KnownMember], begins: date, ends: date
) -> list[OpenDay]:
    """Find the days of a period, both ends included, on which all of these members work."""
    return [
        OpenDay(day, *_overlap(members, day))
        for day in _days(begins, ends)
        if all(is_closed(day, member.country, member.subdivision) is None for member in members)
    ]


def _overlap(
    members: Sequence[KnownMember], day: date
) -> tuple[datetime, datetime] | tuple[None, None]:
    clocks = {ZoneInfo(member.time_zone) for member in members}
    begins = max(datetime.combine(day, OPENS, clock).astimezone(UTC) for clock in clocks)
    ends = min(datetime.combine(day, CLOSES, clock).astimezone(UTC) for clock in clocks)
    return (begins, ends) if begins < ends else (None, None)


def _days(begins: date, ends: date) -> list[date]:
    return [date.fromordinal(n) for n in range(begins.toordinal(), ends.toordinal() + 1)]


def _count_open(first: date, last: date, country: str, subdivision: str | None) -> int:
    """Years at a time: a deadline may be far away."""
    count = 0
    for year in range(first.year, last.year + 1):
        start = date(year, 1, 1).toordinal()
        open_days = calendar_year(country, subdivision, year).open_days
        count += open_days.count(
            1, max(first.toordinal() - start, 0), max(last.toordinal() + 1 - start, 0)
        )
    return count
