"""Warnings about deadlines, as part of the answers about one milestone or decision."""

from collections.abc import Iterable
from datetime import date
from typing import TypeVar

from pydantic import BaseModel
from sqlalchemy.ext.asyncio import AsyncSession

from services.projects.model.deadline_warnings import ClosedDayWarning
from services.projects.model.milestone import Milestone
from services.projects.model.working_days import ClosureKind
from services.projects.queries.deadline_warnings import deadline_warnings
from shared.fields import Output
from shared.reading import Reading

M = TypeVar("M", bound=BaseModel)


class DeadlineWarningOut(Output):
    """A member that owes something by a deadline does not work on its day.

    `on` is that day on the member's own calendar; `name` is that of the holiday, and empty for a
    weekend.
    """

    member: str
    member_name: dict[str, str]
    on: date
    kind: ClosureKind
    name: dict[str, str]


def warnings_out(found: Iterable[ClosedDayWarning]) -> list[DeadlineWarningOut]:
    return [
        DeadlineWarningOut(
            member=each.member,
            member_name=each.name,
            on=each.day,
            kind=each.closure.kind,
            name=each.closure.name,
        )
        for each in found
    ]


async def warned(source: Reading | AsyncSession, milestone: Milestone, out: M) -> M:
    """Give an answer about a milestone with what speaks against its deadline in `warnings`."""
    warnings = warnings_out(await deadline_warnings(source, milestone))
    return out.model_copy(update={"warnings": warnings})
