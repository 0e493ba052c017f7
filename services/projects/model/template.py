"""A project as the template of another one, which begins anew on another day."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Final
from uuid import UUID

from services.projects.model.charter import CharterVersion
from services.projects.model.deadline import end_of_day
from services.projects.model.milestone import Milestone
from services.projects.model.plan import Plan
from services.projects.model.project import Project
from services.projects.model.standing import Standing
from services.projects.model.topic import TopicsInUse
from shared.contracts.projects import Visibility
from shared.fields import YEARS
from shared.identifiers import new_id
from shared.refusals import Conflict, Invalid

MILESTONES_MAX: Final = 200
"""A copy is one transaction, which tells a fact about each of them."""


class TemplateTooLarge(Conflict):
    code = "template-too-large"
    title = "The project has more milestones than can be copied at once"


class CopyOutsideCalendar(Invalid):
    code = "copy-outside-calendar"
    title = "The copy would have days beyond those that can be told"


@dataclass(frozen=True, slots=True)
class Copied:
    """A new project and what belongs to it, to be kept."""

    project: Project
    charter: CharterVersion | None
    milestones: list[Milestone]


@dataclass(frozen=True, slots=True)
class Template:
    """A project with its milestones, without those that were cancelled."""

    project: Project
    milestones: Sequence[Milestone]

    @property
    def begins_on(self) -> date:
        """The day from which its deadlines are counted."""
        return self.project.starts_on or self.project.created_at.date()

    def ensure_can_be_copied(self) -> None:
        """Refuse what one transaction cannot hold.

        Raises:
            TemplateTooLarge: it has too many milestones.
        """
        if len(self.milestones) > MILESTONES_MAX:
            raise TemplateTooLarge(f"Up to {MILESTONES_MAX} milestones can be copied.")

    def copy(
        self,
        *,
        by: Standing,
        at: datetime,
        reference: str,
        title: dict[str, str],
        visibility: Visibility,
        starts_on: date,
        in_use: TopicsInUse,
    ) -> Copied:
        """Draft a project that is to do the same again, led by the actor's member.

        Its charter and milestones are those of the template, with deadlines as many days after its
        beginning and on the same clocks. The new lead is accountable for all until it plans
        otherwise. Nobody takes part, nothing is owed by others. Objectives and themes that have
        been retired stay behind.

        Raises:
            MissingScope, MemberNotActive: the actor may not write.
            TemplateTooLarge: it has too many milestones.
            CopyOutsideCalendar: a day would lie beyond those that can be told.
        """
        later = starts_on - self.begins_on
        ends_on = self.project.ends_on and _moved(self.project.ends_on, later)
        project = Project.draft(
            by=by,
            at=at,
            reference=reference,
            title=title,
            summary=self.project.summary,
            objectives=tuple(each for each in self.project.objectives if each in in_use.objectives),
            themes=tuple(each for each in self.project.themes if each in in_use.themes),
            visibility=visibility,
            starts_on=starts_on,
            ends_on=ends_on,
        )
        self.ensure_can_be_copied()
        charter = self.project.charter and project.begin_with_charter(
            self.project.charter, by=by.actor, at=at
        )
        ids = {milestone.id: new_id() for milestone in self.milestones}
        days = self._days(later)
        milestones = [
            _copied(milestone, project, due_on=days[milestone.id], ids=ids, at=at)
            for milestone in self.milestones
        ]
        return Copied(project, charter or None, milestones)

    def _days(self, later: timedelta) -> dict[UUID, date]:
        """When the copies are due: what waits for something no earlier than that.

        In the template, what was done already held nothing up any more.
        """
        days = {each.id: _moved(each.due_on, later) for each in self.milestones}
        anew = (
            replace(each.step, due_on=days[each.id], status="planned") for each in self.milestones
        )
        later_still = Plan(anew).in_order()
        return days | {each: _moved(day, timedelta()) for each, day in later_still.items()}


def _copied(
    milestone: Milestone,
    project: Project,
    *,
    due_on: date,
    ids: Mapping[UUID, UUID],
    at: datetime,
) -> Milestone:
    """Owe the same result in another project; `ids` are those of the copies."""
    copy = Milestone(
        id=ids[milestone.id],
        project_id=project.id,
        project=project,
        title=milestone.title,
        description=milestone.description,
        due_on=due_on,
        time_zone=milestone.time_zone,
        due_at=end_of_day(due_on, milestone.time_zone),
        accountable=project.lead,
        baseline_on=due_on,
        created_at=at,
        updated_at=at,
    )
    copy.depends_on = [
        {"milestone_id": str(ids[needed]), "lag_days": lag_days}
        for needed, lag_days in milestone.dependencies
        if needed in ids
    ]
    copy.contributions = []  # none, rather than not loaded
    return copy


def _moved(day: date, later: timedelta) -> date:
    moved = day + later
    if not YEARS[0] <= moved.year <= YEARS[1]:
        raise CopyOutsideCalendar(f"{day} would become {moved}.")
    return moved
