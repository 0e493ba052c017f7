"""Programs that share no code with us find in a calendar the instants that we mean."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import cache
from io import StringIO
from pathlib import Path
from typing import Final, cast
from uuid import UUID, uuid5

import pytest
from dateutil.tz import tzical
from hypothesis import given, settings
from hypothesis import strategies as st

from deploy.embedded.console import Console
from deploy.embedded.node import NodeProgram, node
from services.projects.http.calendar_file import SHOWN, calendar_file
from services.projects.http.calendar_zones import observances, on_the_clock, zone_component
from services.projects.model.calendar_entry import CalendarEntry
from services.projects.model.deadline import end_of_day
from shared.fields import ZONES
from tests.projects.test_calendar_file import ENTRY, ISSUER, calendar, parsed, written

ICAL_JS: Final = NodeProgram(
    Path(__file__).parent / "icaljs",
    Path(sys.prefix) / "renkei-node-icaljs",
    "its tests cannot run",
)
READER_SECONDS: Final = 60
KNOWN: Final = [
    "Asia/Tokyo",
    "Europe/Berlin",
    "America/Sao_Paulo",
    "America/New_York",
    "Asia/Ulaanbaatar",
    "Africa/Casablanca",
    "Australia/Sydney",
]
ODD: Final = [
    "Africa/Cairo",  # changes at midnight
    "America/Havana",
    "America/Santiago",
    "Antarctica/Troll",  # by two hours
    "Asia/Kathmandu",
    "Asia/Kolkata",
    "Atlantic/Azores",
    "Australia/Lord_Howe",  # by half an hour
    "Etc/GMT+5",
    "Europe/Dublin",  # has its standard time in summer
    "Pacific/Chatham",
    "Pacific/Kiritimati",
    "UTC",
]
BEGINS: Final = date(2026, 1, 1)
YEARS: Final = (datetime(2000, 1, 1, tzinfo=UTC), datetime(2037, 12, 31, tzinfo=UTC))


def telling_days(zone: str) -> list[date]:
    """Of six years every twentieth day, and those around each change of the clock."""
    changes = [each.onset.date() for each in observances(zone, 2026, 2031)[1:]]
    around = {day + timedelta(days=days) for day in changes for days in range(-2, 3)}
    return sorted(around | {BEGINS + timedelta(days=days) for days in range(0, 6 * 365, 20)})


def deadlines(zone: str) -> list[CalendarEntry]:
    """An entry for each day that can tell a wrong clock from the right one."""
    return [
        replace(
            ENTRY,
            id=uuid5(UUID(int=0), f"{zone} {day}"),
            due_at=end_of_day(day, zone),
            time_zone=zone,
        )
        for day in telling_days(zone)
    ]


def meant(entries: list[CalendarEntry]) -> dict[str, tuple[datetime, datetime]]:
    """What the entries say, by what they are called in a file."""
    return {
        f"milestone-{each.id}@renkei.example": (each.due_at - SHOWN, each.due_at)
        for each in entries
    }


@pytest.mark.parametrize("zone", KNOWN + ODD)
def test_vobject_finds_the_instants_of_every_deadline(zone: str) -> None:
    entries = deadlines(zone)

    found = parsed(written(*entries)).vevent_list

    assert {
        event.uid.value: (
            event.dtstart.value.astimezone(UTC),
            event.dtend.value.astimezone(UTC),
        )
        for event in found
    } == meant(entries)


def test_ical_js_finds_the_instants_of_every_deadline() -> None:
    assert ICAL_JS.install(Console(), os.environ)
    entries = [entry for zone in KNOWN + ODD for entry in deadlines(zone)]

    read = subprocess.run(
        [str(node()), "read.mjs"],
        cwd=ICAL_JS.place,
        input=calendar_file(calendar(*entries), issuer=ISSUER),
        capture_output=True,
        timeout=READER_SECONDS,
        check=True,
    )

    assert json.loads(read.stdout) == {
        uid: [instant.timestamp() for instant in instants]
        for uid, instants in meant(entries).items()
    }


@cache
def read_by_dateutil(zone: str) -> tzinfo:
    """Make a clock of what a file says of a zone, and of nothing else."""
    file = zone_component(zone, YEARS).to_ical().decode()
    return cast(tzinfo, tzical(StringIO(file)).get(zone))


def ensure_same_clock(zone: str, moment: datetime) -> None:
    shown = on_the_clock(moment, zone)
    if shown is not None:
        assert shown.replace(tzinfo=read_by_dateutil(zone)).astimezone(UTC) == moment


@settings(max_examples=300)
@given(
    zone=st.sampled_from(sorted(ZONES)),
    moments=st.lists(
        st.datetimes(*(year.replace(tzinfo=None) for year in YEARS), timezones=st.just(UTC)),
        min_size=20,
        max_size=60,
    ),
)
def test_dateutil_finds_any_moment_on_any_clock(zone: str, moments: list[datetime]) -> None:
    for moment in moments:
        ensure_same_clock(zone, moment)


@pytest.mark.parametrize("zone", KNOWN + ODD)
def test_dateutil_finds_the_moments_around_each_change(zone: str) -> None:
    for change in observances(zone, 1999, 2038)[1:]:
        moment = (change.onset - change.offset_before).replace(tzinfo=UTC)
        for seconds in (-7201, -3601, -1, 0, 1, 3600, 7200):
            ensure_same_clock(zone, moment + timedelta(seconds=seconds))


def test_a_clock_that_never_changes_is_one_observance() -> None:
    [tokyo] = observances("Asia/Tokyo", 2025, 2032)

    assert (tokyo.onset, tokyo.offset_before) == (datetime(2025, 1, 1, 9), tokyo.offset)  # noqa: DTZ001
    assert (tokyo.offset, tokyo.name, tokyo.is_daylight) == (timedelta(hours=9), "JST", False)


def test_each_change_is_told_by_the_clock_that_it_ends() -> None:
    found = zone_component("Europe/Berlin", [datetime(2026, 5, 4, tzinfo=UTC)]).to_ical().decode()

    assert [part.split("\r\n")[0:6] for part in found.split("BEGIN:")[5:7]] == [
        [
            "DAYLIGHT",
            "DTSTART:20260329T020000",
            "TZNAME:CEST",
            "TZOFFSETFROM:+0100",
            "TZOFFSETTO:+0200",
            "END:DAYLIGHT",
        ],
        [
            "STANDARD",
            "DTSTART:20261025T030000",
            "TZNAME:CET",
            "TZOFFSETFROM:+0200",
            "TZOFFSETTO:+0100",
            "END:STANDARD",
        ],
    ]
    assert "RRULE" not in found
    assert "RDATE" not in found


@pytest.mark.parametrize(
    ("day", "time_zone", "told"),
    [
        # The quarter of an hour before the end comes twice, and the second is meant.
        (date(2026, 10, 29), "Africa/Cairo", "DTSTART:20261029T214500Z"),
        # Midnight comes twice, and the first is meant.
        (date(2026, 10, 31), "America/Havana", "DTEND:20261101T040000Z"),
        (date(2026, 10, 30), "America/Havana", "DTEND;TZID=America/Havana:20261031T000000"),
        (date(2026, 10, 30), "UTC", "DTEND:20261031T000000Z"),
    ],
)
def test_a_time_that_a_clock_shows_twice_is_told_in_utc(
    day: date, time_zone: str, told: str
) -> None:
    due_at = end_of_day(day, time_zone)

    lines = written(replace(ENTRY, due_at=due_at, time_zone=time_zone)).split("\r\n")

    assert told in lines
    assert ("BEGIN:VTIMEZONE" in lines) is ("TZID" in told)


def test_a_file_tells_each_zone_that_it_names_once() -> None:
    found = written(*deadlines("Asia/Tokyo"), *deadlines("Europe/Berlin"))

    assert found.count("\r\nTZID:Asia/Tokyo\r\n") == 1
    assert found.count("\r\nTZID:Europe/Berlin\r\n") == 1
    assert found.count("BEGIN:VTIMEZONE") == 2
