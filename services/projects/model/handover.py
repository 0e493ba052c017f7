"""The lead of a project, offered to another member: it accepts, and all who take part agree."""

from datetime import date, datetime
from typing import Final
from uuid import UUID

from sqlalchemy import ForeignKey, Index, Text, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from services.projects.model.base import Base
from services.projects.model.deadline import end_of_day
from services.projects.model.decision import ensure_can_close
from services.projects.model.project import Project
from services.projects.model.standing import MAY_WRITE, Standing
from shared.contracts.projects import DecisionRule, HandoverState, HandoverStatus
from shared.identifiers import new_id
from shared.refusals import Conflict, Forbidden, NotFound, permits


class HandoverNotFound(NotFound):
    code = "handover-not-found"
    title = "There is no such handover"


class HandoverOpen(Conflict):
    code = "handover-open"
    title = "The lead has been offered already"


class HandoverAnswered(Conflict):
    code = "handover-answered"
    title = "The offer has been answered or taken back"


class NotCandidate(Forbidden):
    code = "not-candidate"
    title = "Only the member that is to lead may answer"


class CandidateNotTakingPart(Conflict):
    code = "candidate-not-taking-part"
    title = "Only a member that takes part can lead"


OPEN: Final[frozenset[HandoverStatus]] = frozenset({"offered", "accepted"})


class Handover(Base, kw_only=True):
    """One offer and what became of it. `rule` and deadline are those of the decision about it."""

    __tablename__ = "handover"

    id: Mapped[UUID] = mapped_column(primary_key=True, default_factory=new_id)
    project_id: Mapped[UUID] = mapped_column(ForeignKey("project.id"))
    lead: Mapped[str]
    candidate: Mapped[str]
    status: Mapped[HandoverStatus] = mapped_column(Text, init=False, default="offered")
    note: Mapped[str | None]
    answer_note: Mapped[str | None] = mapped_column(init=False, default=None)
    rule: Mapped[DecisionRule] = mapped_column(Text)
    closes_on: Mapped[date]
    time_zone: Mapped[str]
    decision_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("decision.id"), init=False, default=None
    )
    offered_at: Mapped[datetime]
    answered_at: Mapped[datetime | None] = mapped_column(init=False, default=None)
    ended_at: Mapped[datetime | None] = mapped_column(init=False, default=None)
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    version: Mapped[int] = mapped_column(init=False, default=1)

    project: Mapped[Project] = relationship(lazy="raise", repr=False)

    __table_args__ = (
        Index(
            "uq_handover_project_id",
            "project_id",
            unique=True,
            postgresql_where=text("status IN ('offered', 'accepted')"),
        ),
        Index("ix_handover_project_id_created_at_id", "project_id", "created_at", "id"),
        Index(
            "ix_handover_candidate",
            "candidate",
            postgresql_where=text("status = 'offered'"),
        ),
    )
    __mapper_args__ = {"version_id_col": version, "version_id_generator": False}  # noqa: RUF012

    @classmethod
    def offer(
        cls,
        project: Project,
        *,
        candidate: str,
        note: str | None,
        rule: DecisionRule,
        closes_on: date,
        time_zone: str,
        is_another_open: bool,
        by: Standing,
        at: datetime,
    ) -> "Handover":
        """Offer the lead to a member that takes part.

        Raises:
            MissingScope, MemberNotActive, NotProjectLead: the actor may not.
            ProjectEnded: the project is over.
            CandidateNotTakingPart: the member has not accepted to take part.
            HandoverOpen: the lead has been offered already.
            ClosesTooSoon, ClosesTooLate: the decision about it could not close then.
        """
        project.ensure_led_by(by)
        project.ensure_open()
        if not by.takes_part(candidate):
            raise CandidateNotTakingPart(f"Member {candidate} has not accepted to take part.")
        if is_another_open:
            raise HandoverOpen("Take the other offer back first.")
        ensure_can_close(end_of_day(closes_on, time_zone), at)
        return cls(
            project_id=project.id,
            project=project,
            lead=project.lead,
            candidate=candidate,
            note=note,
            rule=rule,
            closes_on=closes_on,
            time_zone=time_zone,
            offered_at=at,
            created_at=at,
            updated_at=at,
        )

    def ensure_answered_by(self, standing: Standing) -> None:
        """Refuse unless the actor may speak for the candidate.

        Raises:
            MissingScope, MemberNotActive: the actor may not write.
            NotCandidate: it acts for another member.
            CandidateNotTakingPart: the member takes part no longer.
        """
        standing.ensure_may_write(MAY_WRITE)
        if standing.member != self.candidate:
            raise NotCandidate(f"Member {self.candidate} is to lead.")
        if not standing.takes_part(self.candidate):
            raise CandidateNotTakingPart(f"Member {self.candidate} takes part no longer.")

    def ensure_can_be_answered(self) -> None:
        """Refuse a second answer.

        Raises:
            HandoverAnswered: it was answered or taken back.
            ProjectEnded: the project is over.
        """
        self.project.ensure_open()
        if self.status != "offered":
            raise HandoverAnswered(f"It is {self.status}.")

    def accept(self, *, note: str | None, by: Standing, at: datetime) -> None:
        """Be ready to lead. Whether it comes to it, all who take part decide.

        Raises:
            MissingScope, MemberNotActive, NotCandidate: the actor may not.
            CandidateNotTakingPart: the member takes part no longer.
            HandoverAnswered, ProjectEnded: there is nothing to answer.
        """
        self.ensure_answered_by(by)
        self.ensure_can_be_answered()
        self.answer_note = note
        self.answered_at = at
        self._become("accepted", at)

    def decline(self, *, note: str | None, by: Standing, at: datetime) -> None:
        """Do not want to lead. Final.

        Raises:
            MissingScope, MemberNotActive, NotCandidate: the actor may not.
            CandidateNotTakingPart: the member takes part no longer.
            HandoverAnswered, ProjectEnded: there is nothing to answer.
        """
        self.ensure_answered_by(by)
        self.ensure_can_be_answered()
        self.answer_note = note
        self.answered_at = at
        self._end("declined", at)

    def withdraw(self, *, by: Standing, at: datetime) -> None:
        """Take the offer back, as long as it is not answered. Final.

        Raises:
            MissingScope, MemberNotActive, NotProjectLead: the actor may not.
            HandoverAnswered, ProjectEnded: there is nothing to take back.
        """
        self.project.ensure_led_by(by)
        self.ensure_can_be_answered()
        self._end("withdrawn", at)

    def fall_through(self, *, at: datetime) -> None:
        """End, as the candidate or the project is gone. Final."""
        self._end("withdrawn", at)

    def conclude(self, *, is_agreed: bool, at: datetime) -> None:
        """Take what the members decided. Final."""
        self._end("agreed" if is_agreed else "refused", at)

    def allowed_actions(self, by: Standing) -> list[str]:
        """Name what the actor may do to the handover now."""
        if not permits(self.ensure_can_be_answered):
            return []
        offered: list[str] = []
        if permits(self.ensure_answered_by, by):
            offered += ["accept", "decline"]
        if permits(self.project.ensure_led_by, by):
            offered.append("withdraw")
        return offered

    def state(self) -> HandoverState:
        return HandoverState.model_validate(self)

    def _end(self, status: HandoverStatus, at: datetime) -> None:
        self.ended_at = at
        self._become(status, at)

    def _become(self, status: HandoverStatus, at: datetime) -> None:
        self.status = status
        self.version += 1
        self.updated_at = at


def no_handover(handover_id: UUID) -> HandoverNotFound:
    """The same words whether there is none or the actor may not see it."""
    return HandoverNotFound(f"You see no handover with the id {handover_id}.")
