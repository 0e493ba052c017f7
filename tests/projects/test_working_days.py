"""On which days a member works, by what its government has announced."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from services.projects.model.known import KnownMember
from services.projects.model.working_days import (
    Closure,
    OpenDay,
    closed_days,
    days_when_all_are_open,
    holidays_known,
    is_closed,
    whole_working_days,
    working_days_left,
)

WEEKEND = Closure("weekend", {})


def member(slug: str, time_zone: str, country: str, subdivision: str | None = None) -> KnownMember:
    return KnownMember(
        slug=slug,
        version=1,
        name={"en": slug.title()},
        status="active",
        time_zone=time_zone,
        country=country,
        subdivision=subdivision,
        is_host=False,
    )


TOKYO = member("tokyo", "Asia/Tokyo", "JP")
SEOUL = member("seoul", "Asia/Seoul", "KR")
PARIS = member("paris", "Europe/Paris", "FR")
BERLIN = member("berlin", "Europe/Berlin", "DE", "BE")
CAIRO = member("cairo", "Africa/Cairo", "EG")
NEW_YORK = member("new-york", "America/New_York", "US", "NY")


def at(zone: str, year: int, month: int, day: int, hour: int = 0, minute: int = 0) -> datetime:
    """What is shown by a clock there, as an instant."""
    return datetime(year, month, day, hour, minute, tzinfo=ZoneInfo(zone)).astimezone(UTC)


def test_golden_week_in_tokyo_closes_five_days_in_a_row() -> None:
    found = closed_days(date(2026, 4, 27), date(2026, 5, 8), "JP", None)

    assert [(each.day, each.closure.name) for each in found] == [
        (date(2026, 4, 29), {"ja": "昭和の日", "en": "Showa Day"}),
        (date(2026, 5, 2), {}),
        (date(2026, 5, 3), {"ja": "憲法記念日", "en": "Constitution Day"}),
        (date(2026, 5, 4), {"ja": "みどりの日", "en": "Greenery Day"}),
        (date(2026, 5, 5), {"ja": "こどもの日", "en": "Children's Day"}),
        (date(2026, 5, 6), {"ja": "振替休日", "en": "Substitute Holiday"}),
    ]


@pytest.mark.parametrize(
    ("day", "country", "subdivision", "name"),
    [
        (date(2026, 2, 17), "KR", None, {"ko": "설날", "en": "Korean New Year"}),
        (date(2026, 9, 25), "KR", None, {"ko": "추석", "en": "Chuseok"}),
        (date(2026, 7, 14), "FR", None, {"fr": "Fête nationale", "en": "National Day"}),
        (date(2026, 2, 17), "SG", None, {"en": "Chinese New Year"}),
        (date(2026, 10, 5), "AU", "NSW", {"en": "Labour Day"}),
        (date(2027, 3, 8), "DE", "BE", {"de": "Frauentag", "en": "Women's Day"}),
        # A holiday that falls on a weekend is one.
        (date(2026, 5, 3), "JP", None, {"ja": "憲法記念日", "en": "Constitution Day"}),
    ],
)
def test_a_public_holiday_is_told_in_the_local_language_and_in_english(
    day: date, country: str, subdivision: str | None, name: dict[str, str]
) -> None:
    assert is_closed(day, country, subdivision) == Closure("public_holiday", name)


@pytest.mark.parametrize(
    ("day", "country", "subdivision"),
    [
        (date(2026, 10, 5), "AU", "VIC"),
        (date(2026, 10, 5), "AU", None),
        (date(2027, 3, 8), "DE", "BY"),
        (date(2027, 3, 8), "DE", None),
    ],
)
def test_a_holiday_of_one_state_closes_no_other(
    day: date, country: str, subdivision: str | None
) -> None:
    assert is_closed(day, country, subdivision) is None


def test_a_weekend_is_what_the_country_takes_for_one() -> None:
    thursday, friday, saturday, sunday = (date(2026, 6, day) for day in (11, 12, 13, 14))

    assert [is_closed(day, "EG", None) for day in (thursday, friday, saturday, sunday)] == [
        None,
        WEEKEND,
        WEEKEND,
        None,
    ]
    assert [is_closed(day, "FR", None) for day in (thursday, friday, saturday, sunday)] == [
        None,
        None,
        WEEKEND,
        WEEKEND,
    ]


def test_a_weekend_changes_when_the_country_changes_it() -> None:
    # The United Arab Emirates moved theirs from Friday to Sunday in 2022.
    assert is_closed(date(2021, 11, 12), "AE", None) == WEEKEND
    assert is_closed(date(2026, 11, 13), "AE", None) is None


def test_a_weekend_that_is_worked_in_exchange_for_a_holiday_is_open() -> None:
    saturday_after_national_day = date(2026, 10, 10)

    assert is_closed(saturday_after_national_day, "CN", None) is None
    assert is_closed(saturday_after_national_day, "JP", None) == WEEKEND


def test_of_a_country_that_is_not_known_only_weekends_are_closed() -> None:
    begins, ends = date(2026, 1, 1), date(2026, 1, 9)

    assert [each.day for each in closed_days(begins, ends, "XX", None)] == [
        date(2026, 1, 3),
        date(2026, 1, 4),
    ]
    assert holidays_known("XX", None, begins=begins, ends=ends) is False
    assert holidays_known("JP", None, begins=begins, ends=ends) is True


def test_a_year_that_nobody_can_foresee_has_no_known_holidays() -> None:
    new_year = date(2199, 1, 1)

    assert is_closed(new_year, "JP", None) is None
    assert holidays_known("JP", None, begins=date(2026, 1, 1), ends=new_year) is False


def test_a_subdivision_without_holidays_of_its_own_has_those_of_its_country() -> None:
    assert is_closed(date(2026, 4, 29), "JP", "13") == is_closed(date(2026, 4, 29), "JP", None)


@pytest.mark.parametrize(
    ("now", "left"),
    [
        # Monday to Friday, and the Monday after.
        (at("Asia/Tokyo", 2026, 6, 1, 8), 6),
        (at("Asia/Tokyo", 2026, 6, 1, 16, 59), 6),
        (at("Asia/Tokyo", 2026, 6, 1, 17), 5),
        (at("Asia/Tokyo", 2026, 6, 6, 12), 1),
        (at("Asia/Tokyo", 2026, 6, 8, 16, 59), 1),
        (at("Asia/Tokyo", 2026, 6, 8, 17), 0),
        (at("Asia/Tokyo", 2026, 6, 9), 0),
        (at("Asia/Tokyo", 2026, 7, 1, 12), 0),
    ],
)
def test_a_day_counts_until_its_working_hours_are_over(now: datetime, left: int) -> None:
    deadline = at("Asia/Tokyo", 2026, 6, 9)

    assert working_days_left(now, deadline, "Asia/Tokyo", "JP", None) == left


@pytest.mark.parametrize(
    ("begins", "ends", "whole"),
    [
        # From a Monday to a Wednesday, of which single hours can be worked.
        ((2026, 6, 8, 16, 59), (2026, 6, 10, 10), 1),
        ((2026, 6, 8, 9), (2026, 6, 10, 17), 3),
        ((2026, 6, 8, 9, 1), (2026, 6, 10, 17), 2),
        ((2026, 6, 8, 9), (2026, 6, 10, 16, 59), 2),
        ((2026, 6, 8, 10), (2026, 6, 8, 16), 0),
    ],
)
def test_a_working_day_is_whole_with_all_of_its_hours(
    begins: tuple[int, ...], ends: tuple[int, ...], whole: int
) -> None:
    now, until = at("Asia/Tokyo", *begins), at("Asia/Tokyo", *ends)

    assert whole_working_days(now, until, "Asia/Tokyo", "JP", None) == whole


def test_holidays_are_no_working_days_left() -> None:
    now, deadline = at("Asia/Tokyo", 2026, 4, 27, 9), at("Asia/Tokyo", 2026, 5, 8)

    # 27, 28 and 30 April, 1 and 7 May. In Seoul 1 May is Labour Day, and 5 May is Children's Day.
    assert working_days_left(now, deadline, "Asia/Tokyo", "JP", None) == 5
    assert [each.day for each in closed_days(date(2026, 4, 27), date(2026, 5, 7), "KR", None)] == [
        date(2026, 5, 1),
        date(2026, 5, 2),
        date(2026, 5, 3),
        date(2026, 5, 5),
    ]
    assert working_days_left(now, deadline, "Asia/Seoul", "KR", None) == 7


def test_the_last_day_counts_where_the_deadline_comes_after_nine() -> None:
    monday = at("UTC", 2026, 6, 1)
    end_of_friday_in_tokyo = at("Asia/Tokyo", 2026, 6, 6)

    # It is 17:00 on Friday in Paris and 8:00 on Friday in Los Angeles.
    assert working_days_left(monday, end_of_friday_in_tokyo, "Europe/Paris", "FR", None) == 5
    assert working_days_left(monday, end_of_friday_in_tokyo, "America/Los_Angeles", "US", "CA") == 4


def test_a_day_on_which_the_clocks_change_counts_as_one() -> None:
    # In Cairo, where Sunday is worked, the clocks go forward on Friday, 24 April 2026.
    thursday, monday = at("Africa/Cairo", 2026, 4, 23, 9), at("Africa/Cairo", 2026, 4, 27)

    # Saturday is Sinai's day as well.
    assert working_days_left(thursday, monday, "Africa/Cairo", "EG", None) == 2


def test_years_are_counted_whole() -> None:
    begins, ends = at("Asia/Tokyo", 2026, 1, 1), at("Asia/Tokyo", 2028, 1, 1)
    days = [date.fromordinal(date(2026, 1, 1).toordinal() + n) for n in range(730)]

    left = working_days_left(begins, ends, "Asia/Tokyo", "JP", None)

    assert left == sum(is_closed(day, "JP", None) is None for day in days)
    assert left == 489


def test_all_are_open_on_days_that_nobody_has_off() -> None:
    found = days_when_all_are_open([TOKYO, SEOUL, BERLIN], date(2026, 5, 1), date(2026, 5, 8))

    assert found == [
        # 9:00 in Berlin is 16:00 in Tokyo and Seoul.
        OpenDay(
            date(2026, 5, 7),
            datetime(2026, 5, 7, 7, 0, tzinfo=UTC),
            datetime(2026, 5, 7, 8, 0, tzinfo=UTC),
        ),
        OpenDay(
            date(2026, 5, 8),
            datetime(2026, 5, 8, 7, 0, tzinfo=UTC),
            datetime(2026, 5, 8, 8, 0, tzinfo=UTC),
        ),
    ]


def test_working_hours_overlap_by_the_clocks_of_that_day() -> None:
    # The clocks go back in Paris on 25 October, in New York on 1 November.
    found = days_when_all_are_open([PARIS, NEW_YORK], date(2026, 10, 23), date(2026, 10, 26))

    assert found == [
        OpenDay(
            date(2026, 10, 23),
            datetime(2026, 10, 23, 13, 0, tzinfo=UTC),
            datetime(2026, 10, 23, 15, 0, tzinfo=UTC),
        ),
        OpenDay(
            date(2026, 10, 26),
            datetime(2026, 10, 26, 13, 0, tzinfo=UTC),
            datetime(2026, 10, 26, 16, 0, tzinfo=UTC),
        ),
    ]


def test_an_open_day_of_cities_far_apart_has_no_common_hours() -> None:
    found = days_when_all_are_open([TOKYO, NEW_YORK], date(2026, 6, 2), date(2026, 6, 2))

    assert found == [OpenDay(date(2026, 6, 2), None, None)]


def test_cities_with_different_weekends_share_four_days_of_a_week() -> None:
    found = days_when_all_are_open([PARIS, CAIRO], date(2026, 6, 8), date(2026, 6, 14))

    assert [each.day.isoformat() for each in found] == [
        "2026-06-08",
        "2026-06-09",
        "2026-06-10",
        "2026-06-11",
    ]
