"""What speaks against a deadline: members that owe something by it are closed on its day."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from zoneinfo import ZoneInfo

from services.projects.model.deadline import end_of_day
from services.projects.model.known import KnownMember
from services.projects.model.working_days import Closure, is_closed


@dataclass(frozen=True, slots=True)
class ClosedDayWarning:
    """A member does not work on the day of a deadline.

    Attributes:
        member: its slug.
        name: of the member, by language.
        day: on the member's own calendar.
        closure: why it does not work.
    """

    member: str
    name: dict[str, str]
    day: date
    closure: Closure


def closed_day_warnings(
    due_on: date, time_zone: str, members: Iterable[KnownMember]
) -> list[ClosedDayWarning]:
    """Tell who is closed on the day of a deadline: in the order of the members, then of the days.

    Two days count for each member: the declared one, which everybody reads, and the one that it is
    at home in the deadline's last moment. Where it is far away that may be the day before or after.

    Args:
        due_on: the declared day.
        time_zone: of the clock by which that day ends.
        members: those that owe something by it.
    """
    last_moment = end_of_day(due_on, time_zone) - timedelta(seconds=1)
    found = []
    for member in members:
        at_home = last_moment.astimezone(ZoneInfo(member.time_zone)).date()
        for day in sorted({due_on, at_home}):
            closure = is_closed(day, member.country, member.subdivision)
            if closure is not None:
                found.append(ClosedDayWarning(member.slug, member.name, day, closure))
    return found
