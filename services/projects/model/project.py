"""A joint project: who leads it, who may see it, and how it goes through its life."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final, TypedDict
from uuid import UUID

from sqlalchemy import Index, Text, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from services.projects.model.base import Base
from services.projects.model.charter import CharterAgreed, CharterVersion
from services.projects.model.standing import MAY_WRITE, NotParticipating, Places, Standing
from shared.actor import Actor
from shared.contracts.event import EVERYONE
from shared.contracts.projects import ProjectState, ProjectStatus, Visibility
from shared.identifiers import new_id
from shared.refusals import Conflict, Forbidden, Invalid, NotFound, permits


class ProjectNotFound(NotFound):
    code = "project-not-found"
    title = "There is no such project"


class NotProjectLead(Forbidden):
    code = "not-project-lead"
    title = "Only the lead of the project may do this"


class ReferenceTaken(Conflict):
    code = "reference-taken"
    title = "Another project has this reference"


class ProjectNotDraft(Conflict):
    code = "project-not-draft"
    title = "The project has been proposed before"


class ProjectNotProposed(Conflict):
    code = "project-not-proposed"
    title = "Only a proposed project can be activated"


class ProjectNotActive(Conflict):
    code = "project-not-active"
    title = "The project is not active"


class ProjectNotSuspended(Conflict):
    code = "project-not-suspended"
    title = "The project is not suspended"


class ProjectNotUnderWay(Conflict):
    code = "project-not-under-way"
    title = "The project is neither proposed nor active"


class ProjectEnded(Conflict):
    code = "project-ended"
    title = "The project has ended; nothing in it changes any more"


class NobodyTakesPart(Conflict):
    code = "nobody-takes-part"
    title = "No other member has accepted to take part"


class MilestonesOpen(Conflict):
    code = "milestones-open"
    title = "The project still owes results"


class NothingAchieved(Conflict):
    code = "nothing-achieved"
    title = "No milestone of the project is completed"


class NobodyToAsk(Conflict):
    code = "nobody-to-ask"
    title = "No other member is concerned"


class PeriodReversed(Invalid):
    code = "period-reversed"
    title = "The project would end before it starts"


ENDED: Final[frozenset[ProjectStatus]] = frozenset({"completed", "cancelled"})
UNDER_WAY: Final[frozenset[ProjectStatus]] = frozenset({"proposed", "active"})


@dataclass(frozen=True, slots=True)
class Progress:
    """How many results of a project are still owed, how many are there, and all ever planned."""

    open_milestones: int = 0
    completed_milestones: int = 0
    milestones: int = 0


class ProjectChanges(TypedDict, total=False):
    """What of a project can simply be changed."""

    title: dict[str, str]
    summary: dict[str, str]
    objectives: tuple[str, ...]
    themes: tuple[str, ...]
    visibility: Visibility
    starts_on: date | None
    ends_on: date | None


class NamedAnew(TypedDict):
    """What a project names that it has not named before."""

    objectives: frozenset[str]
    themes: frozenset[str]


class Project(Base, kw_only=True):
    """What members do together. `lead` is the member that answers for it."""

    __tablename__ = "project"

    id: Mapped[UUID] = mapped_column(primary_key=True, default_factory=new_id)
    reference: Mapped[str] = mapped_column(unique=True)
    title: Mapped[dict[str, str]]
    summary: Mapped[dict[str, str]]
    objectives: Mapped[tuple[str, ...]]
    themes: Mapped[tuple[str, ...]] = mapped_column(default=(), server_default="{}")
    charter: Mapped[dict[str, str] | None] = mapped_column(
        JSONB(none_as_null=True), init=False, default=None
    )
    charter_version: Mapped[int] = mapped_column(init=False, default=0, server_default="0")
    lead: Mapped[str]
    visibility: Mapped[Visibility] = mapped_column(Text)
    status: Mapped[ProjectStatus] = mapped_column(Text, init=False, default="draft")
    status_reason: Mapped[str | None] = mapped_column(init=False, default=None)
    starts_on: Mapped[date | None] = mapped_column(default=None)
    ends_on: Mapped[date | None] = mapped_column(default=None)
    # Decides who may see it: a draft that was cancelled stays the lead's alone.
    proposed_at: Mapped[datetime | None] = mapped_column(init=False, default=None)
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    version: Mapped[int] = mapped_column(init=False, default=1)

    __table_args__ = (
        Index("ix_project_created_at_id", "created_at", "id"),
        Index("ix_project_updated_at_id", "updated_at", "id"),
        Index("ix_project_lead_id", "lead", "id"),
        Index("ix_project_status", "status"),
        Index("ix_project_objectives", "objectives", postgresql_using="gin"),
        Index(
            "ix_project_network",
            "id",
            postgresql_where=text("visibility = 'network' AND proposed_at IS NOT NULL"),
        ),
        Index("ix_project_themes", "themes", postgresql_using="gin"),
    )
    __mapper_args__ = {"version_id_col": version, "version_id_generator": False}  # noqa: RUF012

    @classmethod
    def draft(
        cls,
        *,
        by: Standing,
        at: datetime,
        reference: str,
        title: dict[str, str],
        summary: dict[str, str],
        objectives: tuple[str, ...] = (),
        themes: tuple[str, ...] = (),
        visibility: Visibility = "participants",
        starts_on: date | None = None,
        ends_on: date | None = None,
    ) -> "Project":
        """Begin a project led by the actor's member, which alone sees it for now.

        Raises:
            MissingScope, MemberNotActive: the actor may not write.
            PeriodReversed: it would end before it starts.
        """
        by.ensure_may_write(MAY_WRITE)
        ensure_in_order(starts_on, ends_on)
        return cls(
            reference=reference,
            title=title,
            summary=summary,
            objectives=objectives,
            themes=themes,
            lead=by.member,
            visibility=visibility,
            starts_on=starts_on,
            ends_on=ends_on,
            created_at=at,
            updated_at=at,
        )

    # Who may see it, and who leads it.

    def audience(self, places: Places) -> tuple[str, ...]:
        """Members that may see the project and everything in it; `EVERYONE` if all may."""
        if self.proposed_at is None:
            return (self.lead,)
        return EVERYONE if self.visibility == "network" else (self.lead, *places)

    def is_worked_in_by(self, member: str, standing: Standing) -> bool:
        """Tell whether a member works in the project: it leads it or has accepted to take part."""
        return member == self.lead or standing.takes_part(member)

    def those_who_take_part(self, standing: Standing) -> set[str]:
        """The members that work in the project."""
        members = (self.lead, *standing.places)
        return {member for member in members if self.is_worked_in_by(member, standing)}

    def is_seen_by(self, standing: Standing) -> bool:
        audience = self.audience(standing.places)
        return audience == EVERYONE or standing.member in audience

    def ensure_led_by(self, standing: Standing) -> None:
        """Refuse unless the actor may write for the lead.

        Raises:
            MissingScope, MemberNotActive: the actor may not write.
            NotProjectLead: another member leads the project.
        """
        standing.ensure_may_write(MAY_WRITE)
        if standing.member != self.lead:
            raise NotProjectLead(f"Member {self.lead} leads it.")

    def ensure_can_be_asked_in(self, standing: Standing) -> None:
        """Refuse to put a question unless the actor may speak for a member that works here.

        Raises:
            MissingScope, MemberNotActive: the actor may not write.
            NotParticipating: its member neither leads nor takes part.
            ProjectEnded: the project is over.
            NobodyToAsk: nobody else takes part.
        """
        standing.ensure_may_write(MAY_WRITE)
        working = self.those_who_take_part(standing)
        if standing.member not in working:
            raise NotParticipating(f"Member {standing.member} does not take part.")
        self.ensure_open()
        if len(working) == 1:
            raise NobodyToAsk("Nobody else takes part.")

    def ensure_open(self) -> None:
        """Refuse once the project is over.

        Raises:
            ProjectEnded: it is completed or cancelled.
        """
        if self.status in ENDED:
            raise ProjectEnded(f"It is {self.status}.")

    def ensure_under_way(self) -> None:
        """Refuse to plan, invite or answer where the project is not open for it.

        Raises:
            ProjectEnded: it is completed or cancelled.
            ProjectNotUnderWay: it is a draft or suspended.
        """
        self.ensure_open()
        if self.status not in UNDER_WAY:
            raise ProjectNotUnderWay(f"It is {self.status}.")

    def ensure_active(self) -> None:
        """Refuse work where the project does not work.

        Raises:
            ProjectEnded: it is completed or cancelled.
            ProjectNotActive: work has not begun or rests.
        """
        self.ensure_open()
        if self.status != "active":
            raise ProjectNotActive(f"It is {self.status}.")

    # What the lead can do. Each `ensure_can_…` is the rule of state behind one action.

    def change(self, changes: ProjectChanges, *, by: Standing, at: datetime) -> None:
        """Replace the given fields.

        Raises:
            MissingScope, MemberNotActive, NotProjectLead: the actor may not.
            ProjectEnded: the project is over.
            PeriodReversed: it would end before it starts.
        """
        self.ensure_led_by(by)
        self.ensure_open()
        ensure_in_order(
            changes.get("starts_on", self.starts_on), changes.get("ends_on", self.ends_on)
        )
        for name, value in changes.items():
            setattr(self, name, value)
        self._changed(at)

    def named_anew(self, changes: ProjectChanges) -> NamedAnew:
        """Tell which objectives and themes the changes add to those that the project has."""
        return {
            "objectives": frozenset(changes.get("objectives", ())).difference(self.objectives),
            "themes": frozenset(changes.get("themes", ())).difference(self.themes),
        }

    def ensure_charter_is_the_leads(self, standing: Standing) -> None:
        """Refuse to move terms over the heads of those who take part on them.

        Raises:
            ProjectEnded: the project is over.
            CharterAgreed: a member besides the lead has accepted to take part.
        """
        self.ensure_open()
        others = sorted(member for member in standing.places if standing.takes_part(member))
        if others:
            raise CharterAgreed(
                f"{', '.join(others)} accepted to take part; open a decision to amend the charter.",
                members={"taking_part": others},
            )

    def write_charter(self, text: dict[str, str], *, by: Standing, at: datetime) -> CharterVersion:
        """Say on which terms members take part, before any other does.

        Returns:
            The new version, to be kept.

        Raises:
            MissingScope, MemberNotActive, NotProjectLead: the actor may not.
            ProjectEnded: the project is over.
            CharterAgreed: a member besides the lead has accepted to take part.
        """
        self.ensure_led_by(by)
        self.ensure_charter_is_the_leads(by)
        return self.adopt_charter(text, by=by.actor, at=at)

    def adopt_charter(
        self, text: dict[str, str], *, by: Actor, at: datetime, decision_id: UUID | None = None
    ) -> CharterVersion:
        """Let the charter be this from now on. Who may decide that has been asked before.

        Returns:
            The new version, to be kept.
        """
        self._changed(at)
        return self._charter_version(text, by=by, at=at, decision_id=decision_id)

    def begin_with_charter(
        self, text: dict[str, str], *, by: Actor, at: datetime
    ) -> CharterVersion:
        """Give a project that is just being drafted its first charter."""
        return self._charter_version(text, by=by, at=at, decision_id=None)

    def ensure_can_be_proposed(self) -> None:
        """Refuse to propose twice.

        Raises:
            ProjectEnded, ProjectNotDraft: it is no draft any more.
        """
        self.ensure_open()
        if self.status != "draft":
            raise ProjectNotDraft(f"It is {self.status}.")

    def propose(self, *, by: Standing, at: datetime) -> None:
        """Open the project for invitations; from here on others may see it.

        Raises:
            MissingScope, MemberNotActive, NotProjectLead: the actor may not.
            ProjectEnded, ProjectNotDraft: it is no draft any more.
        """
        self.ensure_led_by(by)
        self.ensure_can_be_proposed()
        self.proposed_at = at
        self._become("proposed", at)

    def ensure_can_be_activated(self, standing: Standing) -> None:
        """Refuse to begin alone, or twice.

        Raises:
            ProjectEnded, ProjectNotProposed: it is not proposed.
            NobodyTakesPart: no participant besides the lead has accepted.
        """
        self.ensure_open()
        if self.status != "proposed":
            raise ProjectNotProposed(f"It is {self.status}.")
        if not any(standing.takes_part(member) for member in standing.places):
            raise NobodyTakesPart("One participant besides the lead must accept first.")

    def activate(self, *, by: Standing, at: datetime) -> None:
        """Begin the work.

        Raises:
            MissingScope, MemberNotActive, NotProjectLead: the actor may not.
            ProjectEnded, ProjectNotProposed: it is not proposed.
            NobodyTakesPart: no participant besides the lead has accepted.
        """
        self.ensure_led_by(by)
        self.ensure_can_be_activated(by)
        self._become("active", at)

    def suspend(self, reason: str, *, by: Standing, at: datetime) -> None:
        """Let the work rest.

        Raises:
            MissingScope, MemberNotActive, NotProjectLead: the actor may not.
            ProjectEnded, ProjectNotActive: there is no work going on.
        """
        self.ensure_led_by(by)
        self.ensure_active()
        self._become("suspended", at, reason)

    def ensure_can_be_resumed(self) -> None:
        """Refuse to go on where nothing rests.

        Raises:
            ProjectEnded, ProjectNotSuspended: the work does not rest.
        """
        self.ensure_open()
        if self.status != "suspended":
            raise ProjectNotSuspended(f"It is {self.status}.")

    def resume(self, *, by: Standing, at: datetime) -> None:
        """Go on with the work.

        Raises:
            MissingScope, MemberNotActive, NotProjectLead: the actor may not.
            ProjectEnded, ProjectNotSuspended: the work does not rest.
        """
        self.ensure_led_by(by)
        self.ensure_can_be_resumed()
        self._become("active", at)

    def ensure_can_be_completed(self, progress: Progress) -> None:
        """Refuse to close a project that still owes results, or has none.

        Raises:
            ProjectEnded, ProjectNotActive: there is no work going on.
            MilestonesOpen: a milestone is neither completed nor cancelled.
            NothingAchieved: no milestone is completed.
        """
        self.ensure_active()
        if progress.open_milestones:
            raise MilestonesOpen(
                f"{progress.open_milestones} milestones are neither completed nor cancelled.",
                members={"open_milestones": progress.open_milestones},
            )
        if not progress.completed_milestones:
            raise NothingAchieved("Complete a milestone first, or cancel the project.")

    def complete(self, progress: Progress, *, by: Standing, at: datetime) -> None:
        """Close the project as done. Final.

        Raises:
            MissingScope, MemberNotActive, NotProjectLead: the actor may not.
            ProjectEnded, ProjectNotActive: there is no work going on.
            MilestonesOpen: a milestone is neither completed nor cancelled.
            NothingAchieved: no milestone is completed.
        """
        self.ensure_led_by(by)
        self.end_completed(progress, at=at)

    def end_completed(self, progress: Progress, *, at: datetime) -> None:
        """Be done, as those who may say so have said. Final.

        Raises:
            ProjectEnded, ProjectNotActive: there is no work going on.
            MilestonesOpen: a milestone is neither completed nor cancelled.
            NothingAchieved: no milestone is completed.
        """
        self.ensure_can_be_completed(progress)
        self._become("completed", at)

    def cancel(self, reason: str, *, by: Standing, at: datetime) -> None:
        """End the project without its result. Final.

        Raises:
            MissingScope, MemberNotActive, NotProjectLead: the actor may not.
            ProjectEnded: it has ended before.
        """
        self.ensure_led_by(by)
        self.end_cancelled(reason, at=at)

    def end_cancelled(self, reason: str, *, at: datetime) -> None:
        """End without result, as those who may say so have said. Final.

        Raises:
            ProjectEnded: it has ended before.
        """
        self.ensure_open()
        self._become("cancelled", at, reason)

    def hand_over(self, to: str, *, at: datetime) -> None:
        """Be led by another member, as all who take part have agreed.

        Raises:
            ProjectEnded: it is over.
        """
        self.ensure_open()
        self.lead = to
        self._changed(at)

    def allowed_actions(self, by: Standing, progress: Progress) -> list[str]:
        """Name what the actor may do to the project now."""
        shared = ["open_decision"] if permits(self.ensure_can_be_asked_in, by) else []
        if not permits(self.ensure_led_by, by):
            return shared
        rules: dict[str, tuple[Any, ...]] = {
            "change": (self.ensure_open,),
            "amend_charter": (self.ensure_charter_is_the_leads, by),
            "propose": (self.ensure_can_be_proposed,),
            "invite": (self.ensure_under_way,),
            "plan_milestone": (self.ensure_under_way,),
            "activate": (self.ensure_can_be_activated, by),
            "suspend": (self.ensure_active,),
            "resume": (self.ensure_can_be_resumed,),
            "complete": (self.ensure_can_be_completed, progress),
            "cancel": (self.ensure_open,),
        }
        if shared:
            rules["offer_lead"] = (self.ensure_open,)
        return [action for action, rule in rules.items() if permits(*rule)] + shared

    def state(self) -> ProjectState:
        return ProjectState.model_validate(self)

    def _charter_version(
        self, text: dict[str, str], *, by: Actor, at: datetime, decision_id: UUID | None
    ) -> CharterVersion:
        self.charter = text
        self.charter_version += 1
        return CharterVersion(
            project_id=self.id,
            number=self.charter_version,
            text=text,
            adopted_at=at,
            adopted_by=by.reference,
            adopted_by_member=by.member or None,
            decision_id=decision_id,
        )

    def _become(self, status: ProjectStatus, at: datetime, reason: str | None = None) -> None:
        self.status = status
        self.status_reason = reason
        self._changed(at)

    def _changed(self, at: datetime) -> None:
        self.version += 1
        self.updated_at = at


def no_project(project_id: UUID) -> ProjectNotFound:
    """The same words whether there is none or the actor may not see it."""
    return ProjectNotFound(f"You see no project with the id {project_id}.")


def ensure_in_order(starts_on: date | None, ends_on: date | None) -> None:
    """Refuse a period that runs backwards.

    Raises:
        PeriodReversed: it would end before it starts.
    """
    if starts_on is not None and ends_on is not None and ends_on < starts_on:
        raise PeriodReversed(f"It would start on {starts_on} and end on {ends_on}.")
