"""A deadline is the end of a local day, as an exact instant."""

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.projects.model.deadline import end_of_day
from shared.fields import ZONES


@pytest.mark.parametrize(
    ("day", "time_zone", "instant"),
    [
        (date(2026, 10, 24), "Europe/Berlin", datetime(2026, 10, 24, 22, 0, tzinfo=UTC)),
        # The clocks go back on this day, which is 25 hours long.
        (date(2026, 10, 25), "Europe/Berlin", datetime(2026, 10, 25, 23, 0, tzinfo=UTC)),
        (date(2026, 3, 28), "Europe/Berlin", datetime(2026, 3, 28, 23, 0, tzinfo=UTC)),
        # The clocks go forward on this day, which is 23 hours long.
        (date(2026, 3, 29), "Europe/Berlin", datetime(2026, 3, 29, 22, 0, tzinfo=UTC)),
        (date(2026, 5, 4), "America/Sao_Paulo", datetime(2026, 5, 5, 3, 0, tzinfo=UTC)),
        # There was no midnight after this day: at 24:00 it was 01:00.
        (date(2018, 11, 3), "America/Sao_Paulo", datetime(2018, 11, 4, 3, 0, tzinfo=UTC)),
        # At 24:00 it was 23:00 once more.
        (date(2018, 2, 17), "America/Sao_Paulo", datetime(2018, 2, 18, 3, 0, tzinfo=UTC)),
        # There were two midnights after this day; the first one ends it.
        (date(2026, 10, 31), "America/Havana", datetime(2026, 11, 1, 4, 0, tzinfo=UTC)),
        # The whole following day was skipped.
        (date(2011, 12, 29), "Pacific/Apia", datetime(2011, 12, 30, 10, 0, tzinfo=UTC)),
        (date(2026, 3, 31), "Asia/Tokyo", datetime(2026, 3, 31, 15, 0, tzinfo=UTC)),
        (date(2026, 12, 31), "Asia/Kolkata", datetime(2026, 12, 31, 18, 30, tzinfo=UTC)),
        (date(2200, 12, 31), "UTC", datetime(2201, 1, 1, 0, 0, tzinfo=UTC)),
    ],
)
def test_a_day_ends_at_this_instant(day: date, time_zone: str, instant: datetime) -> None:
    assert end_of_day(day, time_zone) == instant


@given(st.dates(date(1900, 1, 1), date(2199, 12, 31)), st.sampled_from(sorted(ZONES)))
def test_a_later_day_never_ends_earlier(day: date, time_zone: str) -> None:
    following = date.fromordinal(day.toordinal() + 1)

    assert end_of_day(day, time_zone) <= end_of_day(following, time_zone)
