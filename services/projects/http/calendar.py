"""On which days members work, over HTTP."""

from datetime import date, datetime
from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Query

from services.projects.model.participation import MemberUnknown
from services.projects.model.project import ProjectNotFound
from services.projects.model.working_days import (
    ClosureKind,
    closed_days,
    days_when_all_are_open,
    holidays_known,
)
from services.projects.queries.members import members_named
from services.projects.queries.projects import project_seen
from shared.actor import MissingScope
from shared.fields import Day, Output
from shared.http.identity import CurrentActor
from shared.http.problems import refusals
from shared.http.transaction import CurrentReading, Route
from shared.refusals import Invalid

router = APIRouter(prefix="/api/v1/calendar", tags=["calendar"], route_class=Route)

DAYS_MAX: Final = 366
MEMBERS_MAX: Final = 30
SLUG: Final = "[a-z0-9]+(-[a-z0-9]+)*"


class WrongPeriod(Invalid):
    code = "wrong-period"
    title = "A period begins before it ends, and has at most 366 days"


class MembersUnclear(Invalid):
    code = "members-unclear"
    title = "Name either members, at most 30, or a project"


Members = Annotated[
    str,
    Query(
        pattern=f"^{SLUG}(,{SLUG})*$",
        max_length=2000,
        description="One or several members, separated by commas: `tokyo,seoul`.",
    ),
]
From = Annotated[Day, Query(alias="from", description="First day.")]
To = Annotated[Day, Query(description="Last day; a period has at most 366.")]


class ClosedDayOut(Output):
    """A day on which a member does not work."""

    on: date
    kind: ClosureKind
    name: dict[str, str]
    """Of the holiday, in the local language and in English if known; a weekend has none."""


class MemberCalendarOut(Output):
    """When a member does not work."""

    member: str
    country: str
    subdivision: str | None
    time_zone: str
    holidays_known: bool
    """If false, public holidays are missing, for some years at least: only weekends are told."""
    closed_days: list[ClosedDayOut]


class ClosedDaysOut(Output):
    """When members do not work, in the order of their slugs."""

    items: list[MemberCalendarOut]


class OpenDayOut(Output):
    """A day on which all work; both instants are null where working hours never overlap."""

    on: date
    begins_at: datetime | None
    ends_at: datetime | None


class OpenDaysOut(Output):
    """On which days all of some members work. Working hours are 9 to 17 on each member's clock."""

    members: list[str]
    holidays_not_known: list[str]
    """Members of which only weekends are counted as closed, for some years at least."""
    items: list[OpenDayOut]


@router.get("/closed-days", responses=refusals(MissingScope, MemberUnknown, WrongPeriod))
async def get_closed_days(
    reading: CurrentReading, actor: CurrentActor, members: Members, begins: From, to: To
) -> ClosedDaysOut:
    """Tell on which days members do not work, with the names of public holidays."""
    ensure_short(begins, to)
    found = await members_named(reading, named(members), actor=actor)
    return ClosedDaysOut(
        items=[
            MemberCalendarOut(
                member=member.slug,
                country=member.country,
                subdivision=member.subdivision,
                time_zone=member.time_zone,
                holidays_known=holidays_known(
                    member.country, member.subdivision, begins=begins, ends=to
                ),
                closed_days=[
                    ClosedDayOut(on=each.day, kind=each.closure.kind, name=each.closure.name)
                    for each in closed_days(begins, to, member.country, member.subdivision)
                ],
            )
            for member in found
        ]
    )


@router.get(
    "/open-days",
    responses=refusals(MissingScope, ProjectNotFound, MemberUnknown, MembersUnclear, WrongPeriod),
)
async def get_open_days(
    reading: CurrentReading,
    actor: CurrentActor,
    begins: From,
    to: To,
    members: Members | None = None,
    project_id: Annotated[
        UUID | None, Query(description="Its lead and the participants that have accepted.")
    ] = None,
) -> OpenDaysOut:
    """Find the days on which all work, such as for a meeting, and when their hours overlap."""
    ensure_short(begins, to)
    if (members is None) == (project_id is None):
        raise MembersUnclear("Give one of `members` and `project_id`.")
    if project_id is not None:
        project, standing, _ = await project_seen(reading, project_id, actor=actor)
        slugs = {project.lead, *filter(standing.takes_part, standing.places)}
    else:
        slugs = named(members or "")
    found = await members_named(reading, slugs, actor=actor)
    return OpenDaysOut(
        members=[member.slug for member in found],
        holidays_not_known=[
            member.slug
            for member in found
            if not holidays_known(member.country, member.subdivision, begins=begins, ends=to)
        ],
        items=[
            OpenDayOut(on=each.day, begins_at=each.begins_at, ends_at=each.ends_at)
            for each in days_when_all_are_open(found, begins, to)
        ],
    )


def ensure_short(begins: date, ends: date) -> None:
    """Refuse a period that runs backwards, or that nobody can look over.

    Raises:
        WrongPeriod: it does, or is longer than a leap year.
    """
    if not 0 <= (ends - begins).days < DAYS_MAX:
        raise WrongPeriod(f"From {begins} to {ends} it has {(ends - begins).days + 1} days.")


def named(members: str) -> set[str]:
    """Read a list of slugs.

    Raises:
        MembersUnclear: there are too many.
    """
    slugs = set(members.split(","))
    if len(slugs) > MEMBERS_MAX:
        raise MembersUnclear(f"You named {len(slugs)}.")
    return slugs
