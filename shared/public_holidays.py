"""Public holidays and weekends of countries and their parts, from the library `holidays`.

What governments have announced is exact; years further away are what law and moon suggest, and may
turn out a day off. Of a country or a year that the library does not know only weekends are told.
The library is loaded with the first question, so that no process waits for it to start.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from holidays import HolidayBase

ENGLISH: Final = "en"
AMERICAN: Final = "en_US"
"""What the library translates into."""

SUBDIVISION_CODE: Final = re.compile(r"[A-Z0-9]{1,3}")
"""Source: ISO 3166-2, the part after the country. The library knows regions without a code too."""

SATURDAY: Final = 5


@dataclass(frozen=True, slots=True)
class CalendarYear:
    """One year as people work in one place.

    Attributes:
        is_known: whether its public holidays are; where not, only weekends are closed.
        holidays: names by day and language (BCP 47): the local one, and English where there is one.
        open_days: one byte for each day of the year, 1 where people work.
    """

    is_known: bool
    holidays: Mapping[date, dict[str, str]]
    open_days: bytes

    def is_open(self, day: date) -> bool:
        return bool(self.open_days[day.timetuple().tm_yday - 1])


@lru_cache(maxsize=300)
def subdivisions_of(country: str) -> frozenset[str]:
    """Give the codes of the parts of a country that have public holidays of their own.

    Source: ISO 3166-1 alpha-2 for the country, ISO 3166-2 without it for the parts.
    """
    try:
        found = _holidays_of(country)
    except NotImplementedError:
        return frozenset()
    return frozenset(filter(SUBDIVISION_CODE.fullmatch, found.subdivisions))


@lru_cache(maxsize=2_000)
def calendar_year(country: str, subdivision: str | None, year: int) -> CalendarYear:
    """Tell which days of a year are holidays and which are worked.

    A subdivision that has no public holidays of its own has those of its country.
    """
    begins, ends = (date(each, 1, 1).toordinal() for each in (year, year + 1))
    days = [date.fromordinal(ordinal) for ordinal in range(begins, ends)]
    try:
        known = _holidays_of(country)
    except NotImplementedError:
        return CalendarYear(False, {}, bytes(day.weekday() < SATURDAY for day in days))
    part = subdivision if subdivision in subdivisions_of(country) else None
    local_language = known.default_language
    # Without a language the library would take that of the machine.
    local = _holidays_of(country, part, year, local_language)
    names = {day: {_tag(local_language): local[day]} for day in sorted(local) if day.year == year}
    if AMERICAN in known.supported_languages:
        for day, name in _holidays_of(country, part, year, AMERICAN).items():
            if day in names:
                names[day].setdefault(ENGLISH, name)
    return CalendarYear(
        known.start_year <= year <= known.end_year,
        names,
        bytes(local.is_working_day(day) for day in days),
    )


def _holidays_of(
    country: str,
    subdivision: str | None = None,
    year: int | None = None,
    language: str | None = None,
) -> "HolidayBase":
    from holidays import country_holidays  # noqa: PLC0415 -- takes a quarter of a second

    # Days that are worked in exchange are told by the holiday, which may be one of the next year.
    years = None if year is None else (year, year + 1)
    return country_holidays(country, subdiv=subdivision, years=years, language=language)


def _tag(language: str | None) -> str:
    """The library writes zh_CN for zh-CN; its national sorts of English are English."""
    if language is None or language.startswith(ENGLISH):
        return ENGLISH
    return language.replace("_", "-")
