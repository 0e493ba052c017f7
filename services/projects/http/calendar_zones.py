"""The clocks of time zones as calendar files tell them.

Each change of a clock is written out, with no rule of recurrence: rules say what a government meant
to do when they were written, and readers disagree about them. Only the years that a calendar needs
are told. Source: RFC 5545, section 3.6.5; decision record 21.
"""

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from icalendar import Timezone

DAY: Final = timedelta(days=1)
DAY_SECONDS: Final = 86_400


@dataclass(frozen=True, slots=True)
class Observance:
    """How far a clock is ahead of UTC from a moment on.

    Attributes:
        onset: that moment, as the clock would have shown it without the change.
        offset_before: until then.
        offset: from then on.
        name: what people call it.
        is_daylight: whether it is ahead of the standard time.
    """

    onset: datetime
    offset_before: timedelta
    offset: timedelta
    name: str
    is_daylight: bool


def on_the_clock(moment: datetime, time_zone: str) -> datetime | None:
    """What a clock shows at a moment; nothing where it shows that twice, as that names neither."""
    zone = ZoneInfo(time_zone)
    local = moment.astimezone(zone)
    is_once = local.replace(fold=0).utcoffset() == local.replace(fold=1).utcoffset()
    return local.replace(tzinfo=None, fold=0) if is_once else None


@lru_cache(maxsize=1_000)
def observances(time_zone: str, first_year: int, last_year: int) -> tuple[Observance, ...]:
    """Tell what a clock shows in some years: one observance from their start, one for each change.

    No clock changes twice within a day.
    """
    zone = ZoneInfo(time_zone)
    begins = datetime(first_year, 1, 1, tzinfo=UTC)
    days = (datetime(last_year + 1, 1, 1, tzinfo=UTC) - begins).days
    found = [_observance(zone, begins, _offset(zone, begins))]
    for day, next_day in pairwise(begins + DAY * number for number in range(days + 1)):
        before = _offset(zone, day)
        if _offset(zone, next_day) != before:
            found.append(_observance(zone, _change(zone, day), before))
    return tuple(found)


def _offset(zone: ZoneInfo, moment: datetime) -> timedelta:
    return moment.astimezone(zone).utcoffset() or timedelta()


def _change(zone: ZoneInfo, day: datetime) -> datetime:
    """Find the second of a day from which on the clock shows another offset."""
    before = _offset(zone, day)

    def is_changed(second: int) -> bool:
        return _offset(zone, day + timedelta(seconds=second)) != before

    return day + timedelta(seconds=bisect_left(range(DAY_SECONDS), True, key=is_changed))


def _observance(zone: ZoneInfo, moment: datetime, before: timedelta) -> Observance:
    local = moment.astimezone(zone)
    return Observance(
        onset=moment.replace(tzinfo=None) + before,
        offset_before=before,
        offset=_offset(zone, moment),
        name=local.tzname() or zone.key,
        is_daylight=(local.dst() or timedelta()) > timedelta(),
    )


def zone_component(time_zone: str, shown: Iterable[datetime]) -> "Timezone":
    """Write a time zone for the moments that are shown in it, with a year to spare on either side.

    Args:
        time_zone: by its name in the IANA database.
        shown: at least one moment.
    """
    from icalendar import Timezone, TimezoneDaylight, TimezoneStandard

    years = {moment.year for moment in shown}
    zone = Timezone()
    zone.add("tzid", time_zone)
    for each in observances(time_zone, min(years) - 1, max(years) + 1):
        part = TimezoneDaylight() if each.is_daylight else TimezoneStandard()
        part.add("dtstart", each.onset)
        part.add("tzoffsetfrom", each.offset_before)
        part.add("tzoffsetto", each.offset)
        part.add("tzname", each.name)
        zone.add_component(part)
    return zone
