"""A milestone: a result owed by a deadline, and what members contribute to it."""

from collections.abc import Collection, Iterable, Sequence
from datetime import date, datetime, timedelta
from typing import Any, Final, TypedDict
from uuid import UUID

from sqlalchemy import ForeignKey, Index, Text, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column, relationship

from services.projects.model.base import Base
from services.projects.model.contribution import Contribution, ContributionNotFound
from services.projects.model.deadline import end_of_day
from services.projects.model.plan import OPEN, Dependency, Plan, Step, dependencies_in, local_day
from services.projects.model.project import Project
from services.projects.model.standing import (
    MAY_CONTRIBUTE,
    MAY_WRITE,
    NotParticipating,
    Standing,
)
from shared.contracts.projects import MilestoneState, MilestoneStatus
from shared.identifiers import new_id
from shared.refusals import Conflict, Forbidden, Invalid, NotFound, permits


class MilestoneNotFound(NotFound):
    code = "milestone-not-found"
    title = "There is no such milestone"


class MilestoneUnknown(Invalid):
    code = "milestone-unknown"
    title = "The project has no such milestone"


class NotAccountable(Forbidden):
    code = "not-accountable"
    title = "Only the member accountable for the milestone may do this"


class NotLeadOrAccountable(Forbidden):
    code = "not-lead-or-accountable"
    title = "Only the lead or the member accountable for the milestone may do this"


class MemberNotParticipating(Conflict):
    code = "member-not-participating"
    title = "The member has no place in the project that lets it do this"


class MilestoneEnded(Conflict):
    code = "milestone-ended"
    title = "The milestone is completed or cancelled; it changes no more"


class MilestoneStartedBefore(Conflict):
    code = "milestone-started-before"
    title = "The milestone is in progress already"


class MilestoneNotStarted(Conflict):
    code = "milestone-not-started"
    title = "Only a milestone in progress can be completed"


class ContributionsOpen(Conflict):
    code = "contributions-open"
    title = "Not every contribution has been accepted"


class OthersAreAffected(Conflict):
    code = "others-are-affected"
    title = "What other members promised cannot be changed over their heads"


class PredecessorsOpen(Conflict):
    code = "predecessors-open"
    title = "It waits for milestones that are not completed, or not long enough"


class AccountableOwesAll(Invalid):
    code = "accountable-owes-all"
    title = "The accountable member owes the whole milestone, not a contribution to it"


class TooManyContributions(Conflict):
    code = "too-many-contributions"
    title = "The milestone has as many contributions as it can have"


class TooManyMilestones(Conflict):
    code = "too-many-milestones"
    title = "The project has as many milestones as it can have"


BEFORE_WORK: Final = frozenset({"draft", "proposed"})
CONTRIBUTIONS_MAX: Final = 20
"""A fact carries all of them, twice where they changed, and the broker takes one megabyte."""

MILESTONES_MAX: Final = 2_000
"""Whoever asks about one of them has the whole plan of the project worked out."""


class MilestoneChanges(TypedDict, total=False):
    """What of a milestone touches nobody's promise."""

    title: dict[str, str]
    description: dict[str, str] | None


class Milestone(Base, kw_only=True):
    """A result that a project owes by the end of a local day. `accountable` is a member."""

    __tablename__ = "milestone"

    id: Mapped[UUID] = mapped_column(primary_key=True, default_factory=new_id)
    project_id: Mapped[UUID] = mapped_column(ForeignKey("project.id"))
    title: Mapped[dict[str, str]]
    description: Mapped[dict[str, str] | None] = mapped_column(JSONB(none_as_null=True))
    due_on: Mapped[date]
    time_zone: Mapped[str]
    due_at: Mapped[datetime]
    accountable: Mapped[str]
    status: Mapped[MilestoneStatus] = mapped_column(Text, init=False, default="planned")
    status_reason: Mapped[str | None] = mapped_column(init=False, default=None)
    is_overdue: Mapped[bool] = mapped_column(init=False, default=False)
    completed_at: Mapped[datetime | None] = mapped_column(init=False, default=None)
    baseline_on: Mapped[date | None] = mapped_column(default=None)
    forecast_on: Mapped[date | None] = mapped_column(init=False, default=None)
    progress_percent: Mapped[int] = mapped_column(init=False, default=0, server_default="0")
    # Read with the milestone and replaced as a whole, as it is part of every fact about it.
    depends_on: Mapped[list[dict[str, Any]]] = mapped_column(
        JSONB, init=False, default_factory=list, server_default="[]"
    )
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    version: Mapped[int] = mapped_column(init=False, default=1)

    project: Mapped[Project] = relationship(lazy="raise", repr=False)
    contributions: Mapped[list[Contribution]] = relationship(
        lazy="raise", repr=False, init=False, order_by=Contribution.id
    )

    __table_args__ = (
        Index("ix_milestone_project_id_created_at_id", "project_id", "created_at", "id"),
        Index("ix_milestone_accountable", "accountable"),
        Index("ix_milestone_due_at_id", "due_at", "id"),
        Index("ix_milestone_created_at_id", "created_at", "id"),
        Index("ix_milestone_updated_at_id", "updated_at", "id"),
        Index(
            "ix_milestone_not_yet_overdue",
            "due_at",
            postgresql_where=text("status IN ('planned', 'in_progress') AND NOT is_overdue"),
        ),
        Index(
            "ix_milestone_overdue",
            "due_at",
            postgresql_where=text("is_overdue"),
        ),
    )
    __mapper_args__ = {"version_id_col": version, "version_id_generator": False}  # noqa: RUF012

    @classmethod
    def plan(
        cls,
        project: Project,
        *,
        title: dict[str, str],
        description: dict[str, str] | None,
        due_on: date,
        time_zone: str,
        accountable: str,
        others: int = 0,
        by: Standing,
        at: datetime,
    ) -> "Milestone":
        """Owe a new result; `others` is how many milestones the project has.

        Raises:
            MissingScope, MemberNotActive, NotProjectLead: the actor may not.
            ProjectEnded, ProjectNotUnderWay: the project is not open for planning.
            TooManyMilestones: it has as many as it can have.
            MemberNotParticipating: `accountable` neither leads, takes part nor is invited to.
        """
        project.ensure_led_by(by)
        project.ensure_under_way()
        if others >= MILESTONES_MAX:
            raise TooManyMilestones(f"There are {others}; it can have {MILESTONES_MAX}.")
        if accountable != project.lead and not by.may_take_part(accountable):
            raise MemberNotParticipating(f"Member {accountable} is not invited as a participant.")
        milestone = cls(
            project_id=project.id,
            project=project,
            title=title,
            description=description,
            due_on=due_on,
            time_zone=time_zone,
            due_at=end_of_day(due_on, time_zone),
            accountable=accountable,
            baseline_on=due_on,
            created_at=at,
            updated_at=at,
        )
        milestone.contributions = []  # none, rather than not loaded
        return milestone

    # Where it stands in the plan.

    @property
    def completed_on(self) -> date | None:
        """The day, where it was due, on which it was completed."""
        if self.completed_at is None:
            return None
        return local_day(self.completed_at, self.time_zone)

    @property
    def dependencies(self) -> list[Dependency]:
        return dependencies_in(self.depends_on)

    @property
    def contributors(self) -> set[str]:
        return {owed.member for owed in self.contributions}

    @property
    def step(self) -> Step:
        """What the plan of the project must know of it."""
        return Step(
            self.id,
            due_on=self.due_on,
            time_zone=self.time_zone,
            status=self.status,
            accountable=self.accountable,
            contributors=self.contributors,
            depends_on=self.dependencies,
            forecast_on=self.forecast_on,
            completed_on=self.completed_on,
        )

    def knows(self, needed: Collection[Step]) -> None:
        """Take the milestones that this one depends on: what loads it has to say how they are."""
        self.__dict__["needed"] = {step.id: step for step in needed}

    def waits_for(self, at: datetime) -> list[UUID]:
        """The milestones because of which it cannot be done at a moment."""
        needed: dict[UUID, Step] = self.__dict__["needed"] if self.depends_on else {}
        return [
            dependency.milestone_id
            for dependency in self.dependencies
            if not _is_over(needed[dependency.milestone_id], dependency.lag_days, at)
        ]

    # Who may do what.

    def ensure_worker(self, standing: Standing) -> None:
        """Refuse a member that has no part in the project's work.

        Raises:
            NotParticipating: the member neither leads the project nor has accepted to take part.
        """
        if not self.project.is_worked_in_by(standing.member, standing):
            raise NotParticipating(f"Member {standing.member} has not accepted to take part.")

    def ensure_accountable(self, standing: Standing) -> None:
        """Refuse unless the actor may speak for the accountable member.

        Raises:
            MissingScope, MemberNotActive: the actor may not write.
            NotAccountable: another member is accountable.
            NotParticipating: the member has not accepted to take part.
        """
        standing.ensure_may_write(MAY_WRITE)
        if standing.member != self.accountable:
            raise NotAccountable(f"Member {self.accountable} is accountable.")
        self.ensure_worker(standing)

    def ensure_lead_or_accountable(self, standing: Standing) -> None:
        """Refuse unless the actor may speak for the lead or the accountable member.

        Raises:
            MissingScope, MemberNotActive: the actor may not write.
            NotLeadOrAccountable: its member is neither.
            NotParticipating: the accountable member has not accepted to take part.
        """
        standing.ensure_may_write(MAY_WRITE)
        if standing.member not in {self.project.lead, self.accountable}:
            raise NotLeadOrAccountable(
                f"Members {self.project.lead} and {self.accountable} may ask."
            )
        self.ensure_worker(standing)

    def ensure_contributing(self, contribution: Contribution, standing: Standing) -> None:
        """Refuse unless the actor may speak for the contributing member.

        Raises:
            MissingScope, MemberNotActive: the actor may not write.
            NotYourContribution: another member owes the contribution.
            NotParticipating: the member no longer takes part.
        """
        standing.ensure_may_write(MAY_CONTRIBUTE, MAY_WRITE)
        contribution.ensure_owed_by(standing.member)
        self.ensure_worker(standing)

    # In which state things can be done.

    def ensure_open(self) -> None:
        """Refuse once the milestone is completed or cancelled.

        Raises:
            MilestoneEnded: it is.
        """
        if self.status not in OPEN:
            raise MilestoneEnded(f"It is {self.status}.")

    def ensure_plannable(self) -> None:
        """Refuse to plan where neither milestone nor project is open for it.

        Raises:
            ProjectEnded, ProjectNotUnderWay, MilestoneEnded: one of them is not.
        """
        self.project.ensure_under_way()
        self.ensure_open()

    def ensure_workable(self) -> None:
        """Refuse work where the project does not work, or the milestone is over.

        Raises:
            ProjectEnded, ProjectNotActive, MilestoneEnded: so it is.
        """
        self.project.ensure_active()
        self.ensure_open()

    def ensure_can_be_started(self) -> None:
        """Refuse to start what cannot be started now.

        Raises:
            ProjectEnded, ProjectNotActive, MilestoneEnded: there is no work to do.
            MilestoneStartedBefore: it is in progress.
        """
        self.ensure_workable()
        if self.status != "planned":
            raise MilestoneStartedBefore(f"It is {self.status}.")

    def ensure_can_be_completed(self, at: datetime) -> None:
        """Refuse to complete what is not complete.

        Raises:
            ProjectEnded, ProjectNotActive, MilestoneEnded: there is no work to do.
            MilestoneNotStarted: nobody has begun.
            ContributionsOpen: a contribution has not been accepted.
            PredecessorsOpen: it waits for another milestone.
        """
        self.ensure_workable()
        if self.status != "in_progress":
            raise MilestoneNotStarted(f"It is {self.status}.")
        waiting = [owed for owed in self.contributions if owed.status != "accepted"]
        if waiting:
            raise ContributionsOpen(
                "Open are those of " + ", ".join(sorted({owed.member for owed in waiting})) + ".",
                members={
                    "contributions": [
                        {"id": str(owed.id), "member": owed.member, "status": owed.status}
                        for owed in waiting
                    ]
                },
            )

        before = self.waits_for(at)
        if before:
            raise PredecessorsOpen(
                f"It waits for {len(before)} milestones.",
                members={"milestones": [str(one) for one in before]},
            )

    def with_a_stake(self, standing: Standing, waiting: Iterable[Step] = ()) -> set[str]:
        """Members that work in the project and promised something here, or in what waits for it."""
        promised = {self.accountable, *self.contributors}
        for step in waiting:
            promised |= {step.accountable, *step.contributors}
        return {each for each in promised if self.project.is_worked_in_by(each, standing)}

    def others_with_a_stake(self, standing: Standing, waiting: Iterable[Step] = ()) -> list[str]:
        """Those of them besides the lead."""
        return sorted(self.with_a_stake(standing, waiting) - {self.project.lead})

    def ensure_touches_nobody_else(self, standing: Standing, waiting: Iterable[Step] = ()) -> None:
        """Refuse to change what another member promised.

        Raises:
            ProjectEnded, ProjectNotUnderWay, MilestoneEnded: nothing here changes now.
            OthersAreAffected: others are accountable or contribute, here or in what waits for it.
        """
        self.ensure_plannable()
        ensure_nobody_is_touched(self.others_with_a_stake(standing, waiting))

    def ensure_can_change_dependencies(self, standing: Standing) -> None:
        """Refuse to change what the milestone waits for over the head of who is accountable for it.

        Raises:
            MissingScope, MemberNotActive: the actor may not write.
            NotLeadOrAccountable: its member is neither.
            NotParticipating: the accountable member has not accepted to take part.
            ProjectEnded, ProjectNotUnderWay, MilestoneEnded: nothing here changes now.
            OthersAreAffected: the lead asks, and another member is accountable.
        """
        self.ensure_lead_or_accountable(standing)
        self.ensure_plannable()
        if standing.member != self.accountable and standing.takes_part(self.accountable):
            ensure_nobody_is_touched([self.accountable])

    # What can be done.

    def change(self, changes: MilestoneChanges, *, by: Standing, at: datetime) -> None:
        """Word the milestone differently.

        Raises:
            MissingScope, MemberNotActive, NotProjectLead: the actor may not.
            ProjectEnded, ProjectNotUnderWay, MilestoneEnded: nothing here changes now.
        """
        self.project.ensure_led_by(by)
        self.ensure_plannable()
        for name, value in changes.items():
            setattr(self, name, value)
        self._changed(at)

    def reschedule(
        self,
        due_on: date,
        time_zone: str,
        *,
        plan: Plan,
        by: Standing,
        at: datetime,
    ) -> dict[UUID, date]:
        """Move the deadline. The lead may do so alone only where nobody else is touched.

        Args:
            due_on: the day at whose end it is due, in `time_zone`.
            time_zone: where that day ends.
            plan: all milestones of the project, as they are now.
            by: who wants it.
            at: when.

        Returns:
            The days to which the milestones that wait for it must move with it.

        Raises:
            MissingScope, MemberNotActive, NotProjectLead: the actor may not.
            ProjectEnded, ProjectNotUnderWay, MilestoneEnded: nothing here changes now.
            DeadlineTooEarly: it waits for something that is due later.
            TooManyMoved, MovedOutsideCalendar: what waits for it cannot move with it.
            OthersAreAffected: another member is accountable or contributes, here or behind it.
        """
        self.project.ensure_led_by(by)
        self.ensure_plannable()
        ensure_nobody_is_touched(affected_by(self, plan, by))
        return self.move(due_on, time_zone, plan=plan, at=at)

    def move(self, due_on: date, time_zone: str, *, plan: Plan, at: datetime) -> dict[UUID, date]:
        """Move the deadline with the consent of all that it touches.

        Returns:
            The days to which the milestones that wait for it must move with it.

        Raises:
            ProjectEnded, ProjectNotUnderWay, MilestoneEnded: nothing here changes now.
            DeadlineTooEarly: it waits for something that is due later.
            TooManyMoved, MovedOutsideCalendar: what waits for it cannot move with it.
        """
        self.ensure_plannable()
        plan.ensure_late_enough(self.step, due_on, time_zone)
        moved = plan.moved(self.id, due_on, time_zone)
        self._be_due(due_on, time_zone, at)
        return moved

    def give_way(self, due_on: date, *, at: datetime) -> None:
        """Be due later, as what this waits for has moved."""
        self._be_due(due_on, self.time_zone, at)

    def wait_for(
        self, depends_on: Sequence[Dependency], *, plan: Plan, by: Standing, at: datetime
    ) -> None:
        """Depend on these milestones of the project and no others.

        Once others have planned with it, it goes on waiting for what is not completed: else that
        could move, and nobody who planned with it would be asked.

        Raises:
            MissingScope, MemberNotActive, NotLeadOrAccountable, NotParticipating: the actor may
                not.
            ProjectEnded, ProjectNotUnderWay, MilestoneEnded: nothing here changes now.
            OthersAreAffected: the lead asks, and another member is accountable; or it would wait
                no longer, or less, and others contribute here, or promised what waits for it.
            DependencyUnknown: the project has no such milestone.
            TooManyDependencies: the project has as many as it can have.
            DependencyCycle: one of them waits for this milestone, or is it.
            DeadlineTooEarly: the milestone is due before it could be done.
        """
        self.ensure_can_change_dependencies(by)
        plan.ensure_can_depend(self.id, depends_on)
        if plan.lets_go(self.step, depends_on):
            others = self.others_with_a_stake(by, plan.following(self.id))
            ensure_nobody_is_touched([other for other in others if other != by.member])
        self.depends_on = [
            {"milestone_id": str(needed.milestone_id), "lag_days": needed.lag_days}
            for needed in depends_on
        ]
        self.knows([plan.steps[needed.milestone_id] for needed in depends_on])
        self._changed(at)

    def report_progress(
        self, percent: int, forecast_on: date | None, *, by: Standing, at: datetime
    ) -> None:
        """Say how far it is, and on which day, where it is due, it is expected to be done.

        Raises:
            MissingScope, MemberNotActive, NotAccountable, NotParticipating: the actor may not.
            ProjectEnded, ProjectNotActive, MilestoneEnded: there is no work to do.
        """
        self.ensure_accountable(by)
        self.ensure_workable()
        self.progress_percent = percent
        self.forecast_on = forecast_on
        self._changed(at)

    def start(self, *, by: Standing, at: datetime) -> None:
        """Begin with it.

        Raises:
            MissingScope, MemberNotActive, NotAccountable, NotParticipating: the actor may not.
            ProjectEnded, ProjectNotActive, MilestoneEnded: there is no work to do.
            MilestoneStartedBefore: it is in progress.
        """
        self.ensure_accountable(by)
        self.ensure_can_be_started()
        self.status = "in_progress"
        self._changed(at)

    def complete(self, *, by: Standing, at: datetime) -> None:
        """Declare the milestone done. Final.

        Raises:
            MissingScope, MemberNotActive, NotAccountable, NotParticipating: the actor may not.
            ProjectEnded, ProjectNotActive, MilestoneEnded: there is no work to do.
            MilestoneNotStarted: nobody has begun.
            ContributionsOpen: a contribution has not been accepted.
            PredecessorsOpen: it waits for another milestone.
        """
        self.ensure_accountable(by)
        self.ensure_can_be_completed(at)
        self.completed_at = at
        self.progress_percent = 100
        self._end("completed", at)

    def cancel(
        self, reason: str, *, waiting: Iterable[Step] = (), by: Standing, at: datetime
    ) -> None:
        """Owe the result no longer; `waiting` are the open milestones that wait for it. Final.

        Raises:
            MissingScope, MemberNotActive, NotProjectLead: the actor may not.
            ProjectEnded, ProjectNotUnderWay, MilestoneEnded: nothing here changes now.
            OthersAreAffected: another member is accountable or contributes, here or behind it.
        """
        self.project.ensure_led_by(by)
        self.ensure_touches_nobody_else(by, waiting)
        self.give_up(reason, at=at)

    def give_up(self, reason: str, *, at: datetime) -> None:
        """Owe the result no longer, with the consent of all that it touches. Final.

        Raises:
            ProjectEnded, ProjectNotUnderWay, MilestoneEnded: nothing here changes now.
        """
        self.ensure_plannable()
        self.status_reason = reason
        self._end("cancelled", at)

    def become_overdue(self, *, at: datetime) -> None:
        """Note that the deadline has passed while the milestone was open. Done by the clock."""
        self.is_overdue = True
        self._changed(at)

    def ensure_takes_contributions(self) -> None:
        """Refuse to ask for more where nothing more can be owed.

        Raises:
            ProjectEnded, ProjectNotUnderWay, MilestoneEnded: nothing here changes now.
            TooManyContributions: the milestone has as many as it can have.
        """
        self.ensure_plannable()
        if len(self.contributions) >= CONTRIBUTIONS_MAX:
            raise TooManyContributions(f"There are {CONTRIBUTIONS_MAX}.")

    def request_contribution(
        self, *, member: str, description: str, by: Standing, at: datetime
    ) -> Contribution:
        """Ask a participating member to contribute.

        Raises:
            MissingScope, MemberNotActive, NotLeadOrAccountable, NotParticipating: the actor may
                not.
            ProjectEnded, ProjectNotUnderWay, MilestoneEnded: nothing here changes now.
            TooManyContributions: the milestone has as many as it can have.
            AccountableOwesAll: the member is accountable for the whole.
            MemberNotParticipating: the member has not accepted to take part.
        """
        self.ensure_lead_or_accountable(by)
        self.ensure_takes_contributions()
        if member == self.accountable:
            raise AccountableOwesAll(f"Member {member} is accountable for the milestone.")
        if member != self.project.lead and not by.takes_part(member):
            raise MemberNotParticipating(f"Member {member} has not accepted to take part.")
        contribution = Contribution(member=member, description=description)
        self.contributions.append(contribution)
        self._changed(at)
        return contribution

    def contribution(self, contribution_id: UUID) -> Contribution:
        """Find a contribution to this milestone.

        Raises:
            ContributionNotFound: it has none with this id.
        """
        for contribution in self.contributions:
            if contribution.id == contribution_id:
                return contribution
        raise ContributionNotFound(f"The milestone has no contribution {contribution_id}.")

    def deliver(
        self,
        contribution: Contribution,
        evidence: str,
        links: Sequence[str] = (),
        *,
        by: Standing,
        at: datetime,
    ) -> None:
        """Say that a contribution is there, for the first time or after it was returned.

        Raises:
            MissingScope, MemberNotActive, NotYourContribution, NotParticipating: the actor may
                not.
            ProjectEnded, ProjectNotActive, MilestoneEnded: there is no work to do.
            NothingToDeliver: it has been delivered or accepted.
        """
        self.ensure_contributing(contribution, by)
        self.ensure_workable()
        contribution.deliver(evidence, links, at=at)
        self._changed(at)

    def accept(self, contribution: Contribution, *, by: Standing, at: datetime) -> None:
        """Take a delivered contribution. Final.

        Raises:
            MissingScope, MemberNotActive, NotAccountable, NotParticipating: the actor may not.
            ProjectEnded, ProjectNotActive, MilestoneEnded: there is no work to do.
            NothingDelivered: it waits for its member, or was accepted before.
        """
        self.ensure_accountable(by)
        self.ensure_workable()
        contribution.accept(at=at)
        self._changed(at)

    def give_back(
        self, contribution: Contribution, reason: str, *, by: Standing, at: datetime
    ) -> None:
        """Return a delivered contribution to its member, which delivers it again.

        Raises:
            MissingScope, MemberNotActive, NotAccountable, NotParticipating: the actor may not.
            ProjectEnded, ProjectNotActive, MilestoneEnded: there is no work to do.
            NothingDelivered: it waits for its member, or was accepted before.
        """
        self.ensure_accountable(by)
        self.ensure_workable()
        contribution.give_back(reason, at=at)
        self._changed(at)

    # What the actor may do now: the rules above, asked in advance.

    def allowed_actions(self, by: Standing, at: datetime) -> list[str]:
        """Name what the actor may do to the milestone now.

        Rescheduling is offered although it may need the consent of others: it says so then. So do
        cancelling and other dependencies, where others promised what waits for it.
        """
        if self.status not in OPEN:
            return []
        leads = permits(self.project.ensure_led_by, by)
        answers = permits(self.ensure_accountable, by)
        is_plannable = permits(self.ensure_plannable)
        offered = {
            "change": leads and is_plannable,
            "reschedule": leads and is_plannable,
            "cancel": leads and permits(self.ensure_touches_nobody_else, by),
            "change_dependencies": permits(self.ensure_can_change_dependencies, by),
            "start": answers and permits(self.ensure_can_be_started),
            "report_progress": answers and permits(self.ensure_workable),
            "complete": answers and permits(self.ensure_can_be_completed, at),
            "request_contribution": permits(self.ensure_lead_or_accountable, by)
            and permits(self.ensure_takes_contributions),
        }
        return [action for action, is_offered in offered.items() if is_offered]

    def allowed_actions_on(self, contribution: Contribution, by: Standing) -> list[str]:
        """Name what the actor may do to a contribution now."""
        if contribution.status == "accepted" or not permits(self.ensure_workable):
            return []
        offered: list[str] = []
        if permits(self.ensure_contributing, contribution, by) and permits(
            contribution.ensure_can_be_delivered
        ):
            offered.append("deliver")
        if permits(self.ensure_accountable, by) and permits(contribution.ensure_can_be_decided):
            offered += ["accept", "return"]
        return offered

    def state(self) -> MilestoneState:
        return MilestoneState.model_validate(self)

    def _be_due(self, due_on: date, time_zone: str, at: datetime) -> None:
        self.due_on = due_on
        self.time_zone = time_zone
        self.due_at = end_of_day(due_on, time_zone)
        self.is_overdue = self.is_overdue and self.due_at <= at
        if self.project.status in BEFORE_WORK:
            self.baseline_on = due_on  # until work begins, nothing counts as a promise that moved
        self._changed(at)

    def _end(self, status: MilestoneStatus, at: datetime) -> None:
        self.status = status
        self.is_overdue = False
        self._changed(at)

    def _changed(self, at: datetime) -> None:
        self.version += 1
        self.updated_at = at


def affected_by(milestone: Milestone, plan: Plan, standing: Standing) -> list[str]:
    """Members besides the lead that a new deadline touches: here, and in all that waits for it."""
    return milestone.others_with_a_stake(standing, plan.following(milestone.id))


def ensure_nobody_is_touched(others: list[str]) -> None:
    """Refuse what needs the consent of others.

    Raises:
        OthersAreAffected: there are others.
    """
    if others:
        raise OthersAreAffected(
            f"It touches {', '.join(others)}.", members={"affected_members": others}
        )


def _is_over(needed: Step, lag_days: int, at: datetime) -> bool:
    """Whether what a milestone waits for is done, for as long as it has to be, or given up."""
    if needed.status == "cancelled":
        return True
    if needed.completed_on is None:
        return False
    return local_day(at, needed.time_zone) >= needed.completed_on + timedelta(days=lag_days)


def no_milestone(milestone_id: UUID) -> MilestoneNotFound:
    """The same words whether there is none or the actor may not see it."""
    return MilestoneNotFound(f"You see no milestone with the id {milestone_id}.")
