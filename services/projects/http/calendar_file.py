"""A calendar as an iCalendar file, which every calendar program can subscribe to.

A deadline is an event of its last quarter of an hour, told by the clock by which it was declared,
and in UTC where that clock shows the same time twice. Decision record 21.
Source: RFC 5545, RFC 7986.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from services.projects.http.calendar_words import in_language, words_in
from services.projects.http.calendar_zones import on_the_clock, zone_component
from services.projects.model.calendar_entry import CalendarEntry
from services.projects.queries.calendar_feeds import Calendar
from shared.fields import NO_TEXT

if TYPE_CHECKING:
    from icalendar import Event, Timezone

FORM: Final = 2
"""Rises when the same calendar is written in another way."""

SHOWN: Final = timedelta(minutes=15)
REFRESHED: Final = timedelta(hours=1)
DESCRIPTION_MAX: Final = 500
UTC: Final = "UTC"


def etag_of(calendar: Calendar) -> str:
    """Tell one content from another without writing either."""
    feed = calendar.feed
    told = (FORM, feed.id, feed.kind, feed.language, calendar.name, calendar.entries)
    return f'"{hashlib.sha256(repr(told).encode("utf-8", "replace")).hexdigest()[:32]}"'


def calendar_file(calendar: Calendar, *, issuer: str) -> bytes:
    """Write a calendar, the same each time as long as it holds the same.

    Args:
        calendar: what it holds.
        issuer: public base URL of the platform.
    """
    # Loaded once somebody wants one: no process waits for it to start.
    from icalendar import Calendar as File
    from icalendar import vDuration

    feed = calendar.feed
    words = words_in(feed.language)
    named = words.names[feed.kind].format(name=in_language(calendar.name, feed.language))
    file = File()
    file.add("version", "2.0")
    file.add("prodid", "-//Renkei//Calendar//EN")
    file.add("calscale", "GREGORIAN")
    for name in ("name", "x-wr-calname"):
        file.add(name, _plain(named))
    file.add("refresh-interval", vDuration(REFRESHED), parameters={"value": "DURATION"})
    file.add("x-published-ttl", vDuration(REFRESHED))
    for zone in _zones(calendar.entries):
        file.add_component(zone)
    for entry in calendar.entries:
        file.add_component(_event(entry, issuer=issuer, language=feed.language))
    return bytes(file.to_ical())


def _local(entry: CalendarEntry) -> tuple[datetime, datetime] | None:
    """When an entry begins and ends on its own clock, if that says unmistakably when."""
    begins = on_the_clock(entry.due_at - SHOWN, entry.time_zone)
    ends = on_the_clock(entry.due_at, entry.time_zone)
    return None if entry.time_zone == UTC or begins is None or ends is None else (begins, ends)


def _zones(entries: Iterable[CalendarEntry]) -> "list[Timezone]":
    """Every time zone that an entry names, once."""
    shown = defaultdict[str, list[datetime]](list)
    for entry in entries:
        local = _local(entry)
        if local is not None:
            shown[entry.time_zone] += local
    return [zone_component(zone, shown[zone]) for zone in sorted(shown)]


def _event(entry: CalendarEntry, *, issuer: str, language: str) -> "Event":
    from icalendar import Event

    words = words_in(language)
    own = words.entries[entry.kind]
    member = in_language(entry.responsible, language)
    titled = own.title.format(title=in_language(entry.title, language), member=member)
    title = f"{titled} ({entry.project})"
    if entry.status == "cancelled":
        title = words.cancelled.format(title=title)
    told = [
        own.due.format(day=entry.due_on.isoformat(), zone=entry.time_zone),
        own.responsible.format(member=member),
    ]
    if entry.description is not None:
        told.append(_shortened(in_language(entry.description, language)))
    event = Event()
    event.add("uid", f"{entry.kind}-{entry.id}@{urlsplit(issuer).hostname}")
    event.add("dtstamp", entry.changed_at)
    event.add("last-modified", entry.changed_at)
    event.add("sequence", entry.version)
    local = _local(entry)
    begins, ends = local or (entry.due_at - SHOWN, entry.due_at)
    zone = {"tzid": entry.time_zone} if local else {}
    event.add("dtstart", begins, zone)
    event.add("dtend", ends, zone)
    event.add("summary", _plain(title))
    event.add("description", _plain("\n".join(told)))
    event.add("url", f"{issuer}{entry.path}")
    event.add("categories", [own.category, entry.project])
    event.add("status", entry.status.upper())
    event.add("transp", "TRANSPARENT")
    return event


def _plain(text: str) -> str:
    """Leave out what no text holds; the API lets none of it in, but this is read by programs."""
    return NO_TEXT.sub("", text)


def _shortened(text: str) -> str:
    return text if len(text) <= DESCRIPTION_MAX else f"{text[: DESCRIPTION_MAX - 1]}…"
