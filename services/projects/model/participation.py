"""A member's place in a project: asked by the lead, answered by nobody but the member itself."""

from datetime import date, datetime
from typing import Final, Literal
from uuid import UUID

from sqlalchemy import ForeignKey, Index, Text, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from services.projects.model.base import Base
from services.projects.model.known import KnownMember
from services.projects.model.project import Project
from services.projects.model.standing import MAY_WRITE, Place, Standing
from shared.contracts.projects import ParticipationRole, ParticipationState, ParticipationStatus
from shared.identifiers import new_id
from shared.refusals import Conflict, Forbidden, Invalid, NotFound, permits


class ParticipationNotFound(NotFound):
    code = "participation-not-found"
    title = "There is no such participation"


class MemberUnknown(Invalid):
    code = "member-unknown"
    title = "The network has no such member"


class InvitedMemberNotActive(Conflict):
    code = "invited-member-not-active"
    title = "The member is not active in the network"


class AlreadyInvited(Conflict):
    code = "already-invited"
    title = "The member is invited already or takes part"


class NotYourInvitation(Forbidden):
    code = "not-your-invitation"
    title = "Only the invited member itself may answer"


class InvitationAnswered(Conflict):
    code = "invitation-answered"
    title = "The invitation has been answered"


class NotYourParticipation(Forbidden):
    code = "not-your-participation"
    title = "Only the participating member itself may withdraw"


class NotTakingPart(Conflict):
    code = "not-taking-part"
    title = "The member does not take part"


class WithdrawalInThePast(Invalid):
    code = "withdrawal-in-the-past"
    title = "A member cannot withdraw from a past day on"


HAS_A_PLACE: Final[frozenset[ParticipationStatus]] = frozenset({"invited", "accepted"})


class Participation(Base, kw_only=True):
    """One invitation of one member and what became of it. A later invitation is another one."""

    __tablename__ = "participation"

    id: Mapped[UUID] = mapped_column(primary_key=True, default_factory=new_id)
    project_id: Mapped[UUID] = mapped_column(ForeignKey("project.id"))
    member: Mapped[str]
    role: Mapped[ParticipationRole] = mapped_column(Text)
    status: Mapped[ParticipationStatus] = mapped_column(Text, init=False, default="invited")
    reservation: Mapped[str | None] = mapped_column(init=False, default=None)
    note: Mapped[str | None] = mapped_column(default=None)
    invited_at: Mapped[datetime]
    answered_at: Mapped[datetime | None] = mapped_column(init=False, default=None)
    withdrawn_on: Mapped[date | None] = mapped_column(init=False, default=None)
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    version: Mapped[int] = mapped_column(init=False, default=1)

    project: Mapped[Project] = relationship(lazy="raise", repr=False)

    __table_args__ = (
        Index(
            "uq_participation_project_id_member",
            "project_id",
            "member",
            unique=True,
            postgresql_where=text("status IN ('invited', 'accepted')"),
        ),
        Index("ix_participation_project_id_created_at_id", "project_id", "created_at", "id"),
        Index("ix_participation_member_status", "member", "status"),
        Index("ix_participation_created_at_id", "created_at", "id"),
        Index(
            "ix_participation_place",
            "member",
            "project_id",
            postgresql_where=text("status IN ('invited', 'accepted')"),
        ),
        Index("ix_participation_updated_at_id", "updated_at", "id"),
    )
    __mapper_args__ = {"version_id_col": version, "version_id_generator": False}  # noqa: RUF012

    @classmethod
    def invite(
        cls,
        project: Project,
        *,
        member: str,
        known: KnownMember | None,
        role: Literal["participant", "observer"],
        note: str | None,
        by: Standing,
        at: datetime,
    ) -> "Participation":
        """Ask a member to take part; `known` is what the network says of it, if it knows it.

        Raises:
            MissingScope, MemberNotActive, NotProjectLead: the actor may not.
            ProjectEnded, ProjectNotUnderWay: the project is not open for invitations.
            MemberUnknown: the network has no such member.
            AlreadyInvited: it is invited already, or takes part.
            InvitedMemberNotActive: it is not active in the network.
        """
        project.ensure_led_by(by)
        project.ensure_under_way()
        if known is None:
            raise MemberUnknown(f"No member is called {member!r}.")
        if member == project.lead or member in by.places:
            raise AlreadyInvited(f"Member {member} has a place in the project.")
        if known.status != "active":
            raise InvitedMemberNotActive(f"Member {member} is {known.status}.")
        return cls(
            project_id=project.id,
            project=project,
            member=member,
            role=role,
            note=note,
            invited_at=at,
            created_at=at,
            updated_at=at,
        )

    @property
    def place(self) -> Place | None:
        """The member's place that follows from this; none once it declined or withdrew."""
        return Place(self.role, self.status) if self.status in HAS_A_PLACE else None

    def ensure_answered_by(self, standing: Standing) -> None:
        """Refuse unless the actor may speak for the invited member.

        Raises:
            MissingScope, MemberNotActive: the actor may not write.
            NotYourInvitation: it acts for another member.
        """
        standing.ensure_may_write(MAY_WRITE)
        if standing.member != self.member:
            raise NotYourInvitation(f"Member {self.member} is invited.")

    def ensure_can_be_answered(self) -> None:
        """Refuse a second answer, and one that comes too late.

        Raises:
            InvitationAnswered: the member has answered before.
            ProjectEnded, ProjectNotUnderWay: the project is not open for answers.
        """
        if self.status != "invited":
            raise InvitationAnswered(f"The participation is {self.status}.")
        self.project.ensure_under_way()

    def accept(
        self, *, reservation: str | None, note: str | None, by: Standing, at: datetime
    ) -> None:
        """Take part; `reservation` says what the member does not agree to, if anything.

        Raises:
            MissingScope, MemberNotActive, NotYourInvitation: the actor may not.
            InvitationAnswered: the member has answered before.
            ProjectEnded, ProjectNotUnderWay: the project is not open for answers.
        """
        self.ensure_answered_by(by)
        self.ensure_can_be_answered()
        self.reservation = reservation
        self._answer("accepted", note, at)

    def decline(self, *, note: str | None, by: Standing, at: datetime) -> None:
        """Do not take part.

        Raises:
            MissingScope, MemberNotActive, NotYourInvitation: the actor may not.
            InvitationAnswered: the member has answered before.
            ProjectEnded, ProjectNotUnderWay: the project is not open for answers.
        """
        self.ensure_answered_by(by)
        self.ensure_can_be_answered()
        self._answer("declined", note, at)

    def ensure_withdrawn_by(self, standing: Standing) -> None:
        """Refuse unless the actor may speak for the participating member.

        Raises:
            MissingScope, MemberNotActive: the actor may not write.
            NotYourParticipation: it acts for another member.
        """
        standing.ensure_may_write(MAY_WRITE)
        if standing.member != self.member:
            raise NotYourParticipation(f"It is the participation of member {self.member}.")

    def ensure_can_be_withdrawn(self) -> None:
        """Refuse to leave what the member is not in, or what is over.

        Raises:
            NotTakingPart: the member has not accepted, or has withdrawn before.
            ProjectEnded: the project is over.
        """
        if self.status != "accepted":
            raise NotTakingPart(f"The participation is {self.status}.")
        self.project.ensure_open()

    def withdraw(self, *, on: date | None, note: str, by: Standing, at: datetime) -> None:
        """Leave the project, at once; `on` is the day to record, or today where the member is.

        Raises:
            MissingScope, MemberNotActive, NotYourParticipation: the actor may not.
            NotTakingPart: the member has not accepted, or has withdrawn before.
            ProjectEnded: the project is over.
            WithdrawalInThePast: the day has passed where the member is.
        """
        self.ensure_withdrawn_by(by)
        self.ensure_can_be_withdrawn()
        today = by.today(at)
        if on is not None and on < today:
            raise WithdrawalInThePast(f"Today is {today} where {self.member} is.")
        self.status = "withdrawn"
        self.withdrawn_on = on or today
        self.note = note
        self._changed(at)

    def allowed_actions(self, by: Standing) -> list[str]:
        """Name what the actor may do to the participation now."""
        if by.member != self.member or not permits(by.ensure_may_write, MAY_WRITE):
            return []
        rules = {
            "accept": self.ensure_can_be_answered,
            "decline": self.ensure_can_be_answered,
            "withdraw": self.ensure_can_be_withdrawn,
        }
        return [action for action, rule in rules.items() if permits(rule)]

    def state(self) -> ParticipationState:
        return ParticipationState.model_validate(self)

    def _answer(self, status: ParticipationStatus, note: str | None, at: datetime) -> None:
        self.status = status
        self.note = note or self.note
        self.answered_at = at
        self._changed(at)

    def _changed(self, at: datetime) -> None:
        self.version += 1
        self.updated_at = at


def no_participation(participation_id: UUID) -> ParticipationNotFound:
    """The same words whether there is none or the actor may not see it."""
    return ParticipationNotFound(f"You see no participation with the id {participation_id}.")
