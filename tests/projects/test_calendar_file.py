"""What stands in an iCalendar file, read by eye and by a parser that is not the writer's."""

import re
from dataclasses import replace
from datetime import UTC, date, timedelta
from typing import Any, Final
from uuid import UUID

import pytest
import vobject

from services.projects.http.calendar_feeds import CalendarReadTooOften, Pace
from services.projects.http.calendar_file import calendar_file, etag_of
from services.projects.http.calendar_words import in_language
from services.projects.model.calendar_entry import (
    CalendarEntry,
    decision_entry,
    milestone_entry,
    participation_entry,
)
from services.projects.model.calendar_feed import CalendarFeed
from services.projects.model.deadline import end_of_day
from services.projects.queries.calendar_feeds import Calendar
from shared.contracts.projects import CalendarFeedKind
from shared.http.preconditions import is_among
from tests.projects.scenes import NOON, Scene, working

ISSUER: Final = "https://renkei.example"
ID: Final = UUID("0196f000-0000-7000-8000-000000000002")

ENTRY: Final = CalendarEntry(
    kind="milestone",
    id=ID,
    version=3,
    changed_at=NOON,
    due_at=end_of_day(date(2026, 9, 30), "Asia/Tokyo"),
    time_zone="Asia/Tokyo",
    status="confirmed",
    title={"en": "Sensors placed", "ja": "センサー設置"},
    description={"en": "At each crossing."},
    project="clean-air",
    responsible={"en": "Seoul", "ja": "ソウル特別市"},
    path=f"/api/v1/milestones/{ID}",
)


def feed(kind: CalendarFeedKind = "member", language: str = "en") -> CalendarFeed:
    return CalendarFeed.make(
        "rkc_secret",
        kind=kind,
        project_id=None,
        language=language,
        by=Scene().as_("tokyo"),
        at=NOON,
    )


def calendar(*entries: CalendarEntry, language: str = "en") -> Calendar:
    return Calendar(feed(language=language), {"en": "Tokyo", "ja": "東京都"}, list(entries))


def written(*entries: CalendarEntry, language: str = "en") -> str:
    found = calendar_file(calendar(*entries, language=language), issuer=ISSUER)
    return found.decode("utf-8", "strict")


def parsed(text: str) -> Any:
    """Read a file and nothing else: the parser keeps what the first file said of a zone."""
    clocks = vars(vobject.icalendar)["__tzidMap"]
    for zone in clocks.keys() - {"UTC"}:
        del clocks[zone]
    return vobject.readOne(text)


def test_a_deadline_is_its_last_quarter_of_an_hour_by_the_declared_clock() -> None:
    assert written(ENTRY).split("\r\n") == [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//Renkei//Calendar//EN",
        "CALSCALE:GREGORIAN",
        "NAME:Renkei: projects of Tokyo",
        "X-WR-CALNAME:Renkei: projects of Tokyo",
        "REFRESH-INTERVAL;VALUE=DURATION:PT1H",
        "X-PUBLISHED-TTL:PT1H",
        "BEGIN:VTIMEZONE",
        "TZID:Asia/Tokyo",
        "BEGIN:STANDARD",
        "DTSTART:20250101T090000",
        "TZNAME:JST",
        "TZOFFSETFROM:+0900",
        "TZOFFSETTO:+0900",
        "END:STANDARD",
        "END:VTIMEZONE",
        "BEGIN:VEVENT",
        "SUMMARY:Sensors placed (clean-air)",
        "DTSTART;TZID=Asia/Tokyo:20260930T234500",
        "DTEND;TZID=Asia/Tokyo:20261001T000000",
        "DTSTAMP:20260504T120000Z",
        "UID:milestone-0196f000-0000-7000-8000-000000000002@renkei.example",
        "SEQUENCE:3",
        "CATEGORIES:Milestone,clean-air",
        "DESCRIPTION:Due by the end of 2026-09-30 in Asia/Tokyo.\\nAccountable: Seou",
        " l.\\nAt each crossing.",
        "LAST-MODIFIED:20260504T120000Z",
        "STATUS:CONFIRMED",
        "TRANSP:TRANSPARENT",
        "URL:https://renkei.example/api/v1/milestones/0196f000-0000-7000-8000-00000",
        " 0000002",
        "END:VEVENT",
        "END:VCALENDAR",
        "",
    ]


def test_titles_come_in_the_language_that_was_asked_for() -> None:
    event = parsed(written(ENTRY, language="ja")).vevent

    assert event.summary.value == "センサー設置 (clean-air)"
    assert event.description.value == (
        "期限: 2026-09-30 の終わりまで（Asia/Tokyo）\n責任者: ソウル特別市\nAt each crossing."
    )
    assert event.categories.value == ["マイルストーン", "clean-air"]


@pytest.mark.parametrize(
    ("language", "text"),
    [("zh-Hant", "繁"), ("zh-Hans", "简"), ("zh-TW", "繁"), ("ko", "Text"), ("en-GB", "Text")],
)
def test_a_text_comes_in_the_nearest_language(language: str, text: str) -> None:
    assert in_language({"zh-Hant": "繁", "en": "Text", "zh-Hans": "简"}, language) == text
    assert in_language({"ja": "文"}, language) == "文"


HOSTILE: Final = [
    "Line\r\nEND:VEVENT\r\nBEGIN:VALARM\r\nTRIGGER:PT0S\r\nEND:VALARM",
    "a;b,c:d\\n\\;\\,\\\\",
    'ATTENDEE;CN="x":mailto:all@seoul.example',
    "\x00\x07\x1b[31m\x7f\x85",
    "first\u2028second\u2029third\x0bfourth\x0cfifth",
    "ひとつの非常に長い題名" * 40,
    "🏙👩‍👩‍👧‍👦" * 60,
    "\u202eevil\u2066",
    " leading and trailing ",
    "\n\n\t\n",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_can_become_anything_but_text(text: str) -> None:
    entry = replace(ENTRY, title={"en": text}, description={"en": text}, responsible={"en": text})

    found = written(entry, replace(ENTRY, id=UUID(int=1), version=1))

    lines = found.split("\r\n")
    assert "\r" not in "".join(lines)
    assert "\n" not in "".join(lines)
    assert max(len(line.encode()) for line in lines) <= 75
    names = [re.split("[:;]", line)[0] for line in lines if line and line[0] != " "]
    assert names.count("BEGIN") == names.count("END") == 5
    assert {"ATTENDEE", "TRIGGER"}.isdisjoint(names)
    first, second = parsed(found).vevent_list
    clean = re.sub("[\x00-\x08\x0b-\x1f\x7f-\x9f]", "", text)
    assert first.summary.value == f"{clean} (clean-air)"
    assert second.uid.value == f"milestone-{UUID(int=1)}@renkei.example"


def test_a_long_description_is_cut() -> None:
    entry = replace(ENTRY, description={"en": "x" * 501})

    told = parsed(written(entry)).vevent.description.value

    assert told.endswith("x" * 499 + "…")
    assert len(told.split("\n")[-1]) == 500


@pytest.mark.parametrize(
    ("day", "time_zone"),
    [
        (date(2026, 3, 28), "Europe/Berlin"),
        (date(2026, 3, 29), "Europe/Berlin"),
        (date(2026, 10, 24), "Europe/Berlin"),
        (date(2026, 10, 25), "Europe/Berlin"),
        # At 24:00 it is 01:00.
        (date(2026, 4, 23), "Africa/Cairo"),
        # At 24:00 it is 23:00 once more.
        (date(2026, 10, 29), "Africa/Cairo"),
        # There are two midnights after this day.
        (date(2026, 10, 31), "America/Havana"),
        (date(2026, 3, 7), "America/Havana"),
        (date(2026, 10, 3), "Australia/Sydney"),
        (date(2026, 12, 31), "Asia/Kolkata"),
        (date(2026, 12, 31), "UTC"),
        (date(2030, 7, 14), "Europe/Paris"),
    ],
)
def test_a_program_finds_the_exact_moment_also_where_clocks_change(
    day: date, time_zone: str
) -> None:
    due_at = end_of_day(day, time_zone)

    event = parsed(written(replace(ENTRY, due_at=due_at, time_zone=time_zone))).vevent

    assert event.dtend.value.astimezone(UTC) == due_at
    assert event.dtstart.value.astimezone(UTC) == due_at - timedelta(minutes=15)
    assert f"Due by the end of {day} in {time_zone}." in event.description.value


def test_an_entry_follows_milestone_and_project() -> None:
    scene = working()
    milestone = scene.plan("tokyo")

    planned = milestone_entry(milestone, scene.project, {"en": "Seoul"})
    scene.project.suspend("Waiting.", by=scene.as_("tokyo"), at=NOON + timedelta(days=1))
    resting = milestone_entry(milestone, scene.project, {"en": "Seoul"})
    scene.project.resume(by=scene.as_("tokyo"), at=NOON + timedelta(days=2))
    milestone.cancel("Not needed.", by=scene.as_("tokyo"), at=NOON + timedelta(days=3))
    cancelled = milestone_entry(milestone, scene.project, None)

    assert (planned.status, planned.version, planned.changed_at) == ("confirmed", 1, NOON)
    assert (resting.status, resting.version) == ("tentative", 1)
    assert resting.changed_at == NOON + timedelta(days=1)
    assert (cancelled.status, cancelled.version) == ("cancelled", 2)
    assert cancelled.responsible == {"en": "tokyo"}
    assert (planned.due_on, planned.project) == (date(2026, 9, 30), "clean-air")


def test_a_decision_is_entered_until_it_is_withdrawn() -> None:
    scene = working()
    decision = scene.put(closes_on=date(2026, 6, 1))

    asked = decision_entry(decision, scene.project, {"en": "Tokyo"})
    scene.say(decision, "seoul")
    answered = decision_entry(decision, scene.project, None)
    decision.withdraw("Settled.", by=scene.as_("tokyo"), at=NOON + timedelta(days=1))
    withdrawn = decision_entry(decision, scene.project, None)

    assert asked.due_at == end_of_day(date(2026, 6, 1), "Asia/Tokyo")
    assert [each.status for each in (asked, answered, withdrawn)] == [
        "confirmed",
        "confirmed",
        "cancelled",
    ]
    assert [each.version for each in (asked, answered, withdrawn)] == [1, 2, 3]
    assert withdrawn.changed_at == NOON + timedelta(days=1)
    assert answered.responsible == {"en": "tokyo"}


def test_an_invitation_is_entered_until_it_is_answered() -> None:
    scene = working()
    invitation = scene.participations["paris"]

    invited = participation_entry(invitation, scene.project, {"en": "Paris"})
    scene.project.suspend("Waiting.", by=scene.as_("tokyo"), at=NOON + timedelta(days=1))
    resting = participation_entry(invitation, scene.project, None)

    assert (invited.status, invited.version) == ("confirmed", 1)
    assert (invited.due_at, invited.time_zone) == (invitation.answer_by_at, "Europe/Paris")
    assert (resting.status, resting.changed_at) == ("tentative", NOON + timedelta(days=1))
    assert resting.responsible == {"en": "paris"}
    with pytest.raises(ValueError, match="waits for no answer"):
        participation_entry(scene.participations["seoul"], scene.project, None)


def test_each_kind_of_entry_says_what_it_is() -> None:
    decision = replace(ENTRY, kind="decision", title={"en": "Go on?", "ja": "続行"})
    invitation = replace(ENTRY, kind="participation", title={"en": "Clean air", "ja": "大気"})

    english = parsed(written(decision, invitation)).vevent_list
    japanese = parsed(written(decision, invitation, language="ja")).vevent_list

    assert [each.uid.value for each in english] == [
        f"decision-{ID}@renkei.example",
        f"participation-{ID}@renkei.example",
    ]
    assert [each.summary.value for each in (*english, *japanese)] == [
        "Decision closes: Go on? (clean-air)",
        "Invitation of Seoul ends: Clean air (clean-air)",
        "決定の締切: 続行 (clean-air)",
        "ソウル特別市への招待の回答期限: 大気 (clean-air)",
    ]
    assert [each.description.value.split("\n")[:2] for each in (*english, *japanese)] == [
        ["Closes at the end of 2026-09-30 in Asia/Tokyo.", "Asked by: Seoul."],
        ["To be answered by the end of 2026-09-30 in Asia/Tokyo.", "Invited: Seoul."],
        ["締切: 2026-09-30 の終わりまで（Asia/Tokyo）", "提案者: ソウル特別市"],
        ["回答期限: 2026-09-30 の終わりまで（Asia/Tokyo）", "招待先: ソウル特別市"],
    ]
    assert [each.categories.value[0] for each in (*english, *japanese)] == [
        "Decision",
        "Invitation",
        "決定",
        "招待",
    ]


def test_what_was_cancelled_says_so() -> None:
    event = parsed(written(replace(ENTRY, status="cancelled"))).vevent

    assert event.status.value == "CANCELLED"
    assert event.summary.value == "Cancelled: Sensors placed (clean-air)"


def test_a_calendar_of_nothing_is_one() -> None:
    found = parsed(written())

    assert [child.name for child in found.getChildren() if child.name == "VEVENT"] == []
    assert found.prodid.value == "-//Renkei//Calendar//EN"


def test_the_same_content_has_the_same_tag_and_the_same_bytes() -> None:
    one, same = calendar(ENTRY), calendar(replace(ENTRY))
    same.feed.id = one.feed.id
    other = replace(one, entries=[replace(ENTRY, version=4)])

    assert etag_of(one) == etag_of(same)
    assert calendar_file(one, issuer=ISSUER) == calendar_file(same, issuer=ISSUER)
    assert etag_of(other) != etag_of(one)
    assert re.fullmatch('"[0-9a-f]{32}"', etag_of(one))


@pytest.mark.parametrize(
    ("header", "known"),
    [
        ('"a"', True),
        ('W/"a"', True),
        ('"b", "a"', True),
        ("*", True),
        ("", False),
        ("a", False),
        ('"b"', False),
        ('"a', False),
    ],
)
def test_a_tag_is_known_by_the_standard(header: str, known: bool) -> None:
    assert is_among('"a"', header) is known


def test_a_calendar_is_written_ten_times_a_minute_at_most() -> None:
    pace, other = Pace(), UUID(int=7)
    for _ in range(10):
        pace.ensure_calm(ID, NOON + timedelta(seconds=20))

    with pytest.raises(CalendarReadTooOften) as refused:
        pace.ensure_calm(ID, NOON + timedelta(seconds=50))

    assert refused.value.members == {"retry_after": 10}
    pace.ensure_calm(other, NOON + timedelta(seconds=50))
    pace.ensure_calm(ID, NOON + timedelta(seconds=60))
