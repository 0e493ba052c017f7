"""A member's place in a project: asked by the lead, answered by nobody but the member itself."""

from datetime import date, datetime
from typing import Final, Literal
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import ForeignKey, Index, Text, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from services.projects.model.answer_time import AnswerTime, answer_time
from services.projects.model.base import Base
from services.projects.model.deadline import start_of_day
from services.projects.model.known import KnownMember
from services.projects.model.project import Project
from services.projects.model.standing import MAY_WRITE, Place, Places, Standing
from shared.contracts.projects import (
    ParticipationRole,
    ParticipationState,
    ParticipationStatus,
    WithdrawnBy,
)
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


class InvitationExpired(Conflict):
    code = "invitation-expired"
    title = "The time to answer the invitation is over"


class AnswerTimeNotLonger(Invalid):
    code = "answer-time-not-longer"
    title = "An invited member can be given more time, never less"


class NotYourParticipation(Forbidden):
    code = "not-your-participation"
    title = "Only the participating member itself may withdraw"


class NotTakingPart(Conflict):
    code = "not-taking-part"
    title = "The member does not take part"


class LeadCannotWithdraw(Conflict):
    code = "lead-cannot-withdraw"
    title = "The lead of a project must hand over before it can leave"


class NoWithdrawalAnnounced(Conflict):
    code = "no-withdrawal-announced"
    title = "The member has not announced that it will withdraw"


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
    answer_by_on: Mapped[date | None] = mapped_column(init=False, default=None)
    time_zone: Mapped[str | None] = mapped_column(init=False, default=None)
    answer_by_at: Mapped[datetime | None] = mapped_column(init=False, default=None)
    # When to remind; nothing once that is done, until there is more time.
    remind_at: Mapped[datetime | None] = mapped_column(init=False, default=None)
    reminded_at: Mapped[datetime | None] = mapped_column(init=False, default=None)
    accepted_on: Mapped[date | None] = mapped_column(init=False, default=None)
    withdraws_on: Mapped[date | None] = mapped_column(init=False, default=None)
    withdraws_at: Mapped[datetime | None] = mapped_column(init=False, default=None)
    withdrawn_on: Mapped[date | None] = mapped_column(init=False, default=None)
    withdrawn_by: Mapped[WithdrawnBy | None] = mapped_column(Text, init=False, default=None)
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
        # What the clock looks for.
        Index(
            "ix_participation_to_remind", "remind_at", postgresql_where=text("status = 'invited'")
        ),
        Index(
            "ix_participation_to_expire",
            "answer_by_at",
            postgresql_where=text("status = 'invited'"),
        ),
        Index(
            "ix_participation_to_withdraw",
            "withdraws_at",
            postgresql_where=text("status = 'accepted'"),
        ),
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
        answer_by_on: date | None = None,
        time_zone: str | None = None,
        by: Standing,
        at: datetime,
    ) -> "Participation":
        """Ask a member to take part; `known` is what the network says of it, if it knows it.

        It can answer until the end of the day `answer_by_on` in `time_zone`: its own zone, and
        `DAYS_TO_ANSWER` from today, where the lead does not say otherwise.

        Raises:
            MissingScope, MemberNotActive, NotProjectLead: the actor may not.
            ProjectEnded, ProjectNotUnderWay: the project is not open for invitations.
            MemberUnknown: the network has no such member.
            AlreadyInvited: it is invited already, or takes part.
            InvitedMemberNotActive: it is not active in the network.
            AnswerTimePast: the day to answer by has ended.
        """
        project.ensure_led_by(by)
        return cls.admit(
            project,
            member=member,
            known=known,
            role=role,
            note=note,
            answer_by_on=answer_by_on,
            time_zone=time_zone,
            places=by.places,
            at=at,
        )

    @classmethod
    def admit(
        cls,
        project: Project,
        *,
        member: str,
        known: KnownMember | None,
        role: Literal["participant", "observer"],
        note: str | None = None,
        answer_by_on: date | None = None,
        time_zone: str | None = None,
        places: Places,
        at: datetime,
    ) -> "Participation":
        """Ask a member to take part, as those who may ask it have said.

        Raises:
            ProjectEnded, ProjectNotUnderWay: the project is not open for invitations.
            MemberUnknown: the network has no such member.
            AlreadyInvited: it is invited already, or takes part.
            InvitedMemberNotActive: it is not active in the network.
            AnswerTimePast: the day to answer by has ended.
        """
        known = ensure_can_be_admitted(project, member, known, places)
        time = answer_time(answer_by_on, time_zone or known.time_zone, at=at)
        participation = cls(
            project_id=project.id,
            project=project,
            member=member,
            role=role,
            note=note,
            invited_at=at,
            created_at=at,
            updated_at=at,
        )
        participation._give_time(time)
        return participation

    @classmethod
    def of_former_lead(
        cls, project: Project, *, member: str, today: date, at: datetime
    ) -> "Participation":
        """The place of a member that has led the project so far: it goes on as a participant.

        From `today` on, where it is; before that it took part as the lead, which has no place.
        """
        participation = cls(
            project_id=project.id,
            project=project,
            member=member,
            role="participant",
            invited_at=at,
            created_at=at,
            updated_at=at,
        )
        participation.status = "accepted"
        participation.answered_at = at
        participation.accepted_on = today
        return participation

    @property
    def place(self) -> Place | None:
        """The member's place that follows from this; none once it declined or withdrew."""
        return Place(self.role, self.status) if self.status in HAS_A_PLACE else None

    def takes_part_on(self, day: date) -> bool:
        """Tell whether the member takes part on a day, counted where it is, by what is known now.

        From the day of its withdrawal on it does not, also where that day has only been announced.
        """
        until = self.withdrawn_on or self.withdraws_on
        return (
            self.accepted_on is not None
            and self.accepted_on <= day
            and (until is None or day < until)
        )

    # What the lead can do, and by when it must be answered.

    def ensure_awaits_answer(self, at: datetime) -> None:
        """Refuse what is possible only as long as the member may still answer.

        Raises:
            InvitationAnswered: the member has answered, or the invitation was taken back.
            InvitationExpired: the time to answer is over, whether that was noted yet or not.
            ProjectEnded: the project is over.
        """
        if self.status == "expired" or self.is_to_expire(at):
            raise InvitationExpired(f"It had to be answered by {self.answer_by_on}.")
        if self.status != "invited":
            raise InvitationAnswered(f"The participation is {self.status}.")
        self.project.ensure_open()

    def extend(self, answer_by_on: date, time_zone: str, *, by: Standing, at: datetime) -> None:
        """Give the invited member more time; it is reminded again before that ends.

        Raises:
            MissingScope, MemberNotActive, NotProjectLead: the actor may not.
            InvitationAnswered, InvitationExpired, ProjectEnded: nobody can answer any more.
            AnswerTimePast: the day to answer by has ended.
            AnswerTimeNotLonger: the time would end no later than it does.
        """
        self.project.ensure_led_by(by)
        self.ensure_awaits_answer(at)
        new = answer_time(answer_by_on, time_zone, at=at)
        if self.answer_by_at is not None and new.answer_by_at <= self.answer_by_at:
            raise AnswerTimeNotLonger(
                f"It can be answered by {self.answer_by_on} in {self.time_zone}."
            )
        self._give_time(new)
        self._changed(at)

    def revoke(self, *, note: str | None, by: Standing, at: datetime) -> None:
        """Take the invitation back, before it is answered.

        Raises:
            MissingScope, MemberNotActive, NotProjectLead: the actor may not.
            InvitationAnswered, InvitationExpired, ProjectEnded: nobody can answer any more.
        """
        self.project.ensure_led_by(by)
        self.ensure_awaits_answer(at)
        self.note = note or self.note
        self._end(by.today(at), "lead", at)

    # What the invited member can do, and nobody else.

    def ensure_answered_by(self, standing: Standing) -> None:
        """Refuse unless the actor may speak for the invited member.

        Raises:
            MissingScope, MemberNotActive: the actor may not write.
            NotYourInvitation: it acts for another member.
        """
        standing.ensure_may_write(MAY_WRITE)
        if standing.member != self.member:
            raise NotYourInvitation(f"Member {self.member} is invited.")

    def ensure_can_be_answered(self, at: datetime) -> None:
        """Refuse a second answer, and one that comes too late.

        Raises:
            InvitationAnswered: the member has answered before, or the invitation was taken back.
            InvitationExpired: the time to answer is over.
            ProjectEnded, ProjectNotUnderWay: the project is not open for answers.
        """
        self.ensure_awaits_answer(at)
        self.project.ensure_under_way()

    def accept(
        self, *, reservation: str | None, note: str | None, by: Standing, at: datetime
    ) -> None:
        """Take part; `reservation` says what the member does not agree to, if anything.

        Raises:
            MissingScope, MemberNotActive, NotYourInvitation: the actor may not.
            InvitationAnswered, InvitationExpired: the member has answered before, or is too late.
            ProjectEnded, ProjectNotUnderWay: the project is not open for answers.
        """
        self.ensure_answered_by(by)
        self.ensure_can_be_answered(at)
        self.reservation = reservation
        self.accepted_on = by.today(at)
        self._answer("accepted", note, at)

    def decline(self, *, note: str | None, by: Standing, at: datetime) -> None:
        """Do not take part.

        Raises:
            MissingScope, MemberNotActive, NotYourInvitation: the actor may not.
            InvitationAnswered, InvitationExpired: the member has answered before, or is too late.
            ProjectEnded, ProjectNotUnderWay: the project is not open for answers.
        """
        self.ensure_answered_by(by)
        self.ensure_can_be_answered(at)
        self._answer("declined", note, at)

    # What the participating member can do, and nobody else.

    def ensure_withdrawn_by(self, standing: Standing) -> None:
        """Refuse unless the actor may speak for the participating member.

        Raises:
            MissingScope, MemberNotActive: the actor may not write.
            NotYourParticipation: it acts for another member.
        """
        standing.ensure_may_write(MAY_WRITE)
        if standing.member != self.member:
            raise NotYourParticipation(f"It is the participation of member {self.member}.")

    def ensure_can_be_withdrawn(self, at: datetime) -> None:
        """Refuse to leave what the member is not in, or what is over.

        Raises:
            NotTakingPart: the member has not accepted, or the day that it announced has come.
            LeadCannotWithdraw: the member leads the project.
            ProjectEnded: the project is over.
        """
        if self.status != "accepted":
            raise NotTakingPart(f"The participation is {self.status}.")
        if self.is_to_withdraw(at):
            raise NotTakingPart(f"Member {self.member} withdrew from {self.withdraws_on} on.")
        if self.member == self.project.lead:
            raise LeadCannotWithdraw(f"Member {self.member} leads the project.")
        self.project.ensure_open()

    def withdraw(self, *, on: date | None, note: str, by: Standing, at: datetime) -> None:
        """Leave the project: at once, or when the day `on` begins where the member is.

        A day that has not come is notice, which replaces any given before: until then the member
        keeps its place, with all that it may and must do.

        Raises:
            MissingScope, MemberNotActive, NotYourParticipation: the actor may not.
            NotTakingPart: the member has not accepted, or the day that it announced has come.
            LeadCannotWithdraw: the member leads the project.
            ProjectEnded: the project is over.
            WithdrawalInThePast: the day has passed where the member is.
        """
        self.ensure_withdrawn_by(by)
        self.ensure_can_be_withdrawn(at)
        today = by.today(at)
        if on is not None and on < today:
            raise WithdrawalInThePast(f"Today is {today} where {self.member} is.")
        self.note = note
        if on is None or on == today:
            self._end(today, "member", at)
            return
        self.withdraws_on = on
        self.withdraws_at = start_of_day(on, by.time_zone or "UTC")
        self._changed(at)

    def ensure_can_be_retracted(self, at: datetime) -> None:
        """Refuse to take back a withdrawal that was not announced, or has come about.

        Raises:
            NotTakingPart, LeadCannotWithdraw, ProjectEnded: there is nothing to withdraw from.
            NoWithdrawalAnnounced: the member has given no notice.
        """
        self.ensure_can_be_withdrawn(at)
        if self.withdraws_on is None:
            raise NoWithdrawalAnnounced(f"Member {self.member} has given no notice.")

    def retract_withdrawal(self, *, note: str | None, by: Standing, at: datetime) -> None:
        """Stay: take back the notice, until the day that it names.

        Raises:
            MissingScope, MemberNotActive, NotYourParticipation: the actor may not.
            NotTakingPart, LeadCannotWithdraw, ProjectEnded: there is nothing to withdraw from.
            NoWithdrawalAnnounced: the member has given no notice.
        """
        self.ensure_withdrawn_by(by)
        self.ensure_can_be_retracted(at)
        self.withdraws_on = self.withdraws_at = None
        self.note = note
        self._changed(at)

    def change_role(self, role: ParticipationRole, *, at: datetime) -> None:
        """Lead the project from now on, or no longer. Whoever leads has not announced to leave."""
        self.role = role
        self.withdraws_on = self.withdraws_at = None
        self._changed(at)

    # What the clock does, and when.

    def is_to_remind(self, at: datetime) -> bool:
        """Tell whether the invited member is to be reminded: not before, and not too late."""
        return (
            self.status == "invited"
            and self.remind_at is not None
            and self.remind_at <= at
            and not self.is_to_expire(at)
        )

    def remind(self, *, at: datetime) -> None:
        """Note that the invited member is reminded."""
        self.remind_at = None
        self.reminded_at = at
        self._changed(at)

    def is_to_expire(self, at: datetime) -> bool:
        """Tell whether the invitation was not answered in time."""
        return (
            self.status == "invited" and self.answer_by_at is not None and self.answer_by_at <= at
        )

    def expire(self, *, at: datetime) -> None:
        """End an invitation that was not answered in time."""
        self.status = "expired"
        self._changed(at)

    def is_to_withdraw(self, at: datetime) -> bool:
        """Tell whether the day of an announced withdrawal has come."""
        return (
            self.status == "accepted" and self.withdraws_at is not None and self.withdraws_at <= at
        )

    def withdraw_as_announced(self, *, at: datetime) -> None:
        """End the place of a member that has given notice, on the day that it named."""
        self._end(self.withdraws_on, "member", at)

    def leave_network(self, time_zone: str, *, at: datetime) -> None:
        """End the place of a member that has left the network, whatever it had answered.

        Args:
            time_zone: where the member is.
            at: now; a day that it had announced counts if it has come.
        """
        today = at.astimezone(ZoneInfo(time_zone)).date()
        self._end(min(today, self.withdraws_on or today), "network", at)

    def allowed_actions(self, by: Standing, at: datetime) -> list[str]:
        """Name what the actor may do to the participation now."""
        offered = []
        if permits(self.ensure_answered_by, by) and permits(self.ensure_can_be_answered, at):
            offered += ["accept", "decline"]
        if permits(self.ensure_withdrawn_by, by):
            if permits(self.ensure_can_be_withdrawn, at):
                offered.append("withdraw")
            if permits(self.ensure_can_be_retracted, at):
                offered.append("retract")
        if permits(self.project.ensure_led_by, by) and permits(self.ensure_awaits_answer, at):
            offered += ["extend", "revoke"]
        return offered

    def state(self) -> ParticipationState:
        return ParticipationState.model_validate(self)

    def _give_time(self, given: AnswerTime) -> None:
        self.answer_by_on = given.answer_by_on
        self.time_zone = given.time_zone
        self.answer_by_at = given.answer_by_at
        self.remind_at = given.remind_at

    def _answer(self, status: ParticipationStatus, note: str | None, at: datetime) -> None:
        self.status = status
        self.note = note or self.note
        self.answered_at = at
        self._changed(at)

    def _end(self, on: date | None, by: WithdrawnBy, at: datetime) -> None:
        self.status = "withdrawn"
        self.withdrawn_on = on
        self.withdrawn_by = by
        self.withdraws_on = self.withdraws_at = None
        self._changed(at)

    def _changed(self, at: datetime) -> None:
        self.version += 1
        self.updated_at = at


def ensure_can_be_admitted(
    project: Project, member: str, known: KnownMember | None, places: Places
) -> KnownMember:
    """Refuse to ask a member to take part that cannot.

    Returns:
        What the network says of it.

    Raises:
        ProjectEnded, ProjectNotUnderWay: the project is not open for invitations.
        MemberUnknown: the network has no such member.
        AlreadyInvited: it is invited already, or takes part.
        InvitedMemberNotActive: it is not active in the network.
    """
    project.ensure_under_way()
    if known is None:
        raise MemberUnknown(f"No member is called {member!r}.")
    if member == project.lead or member in places:
        raise AlreadyInvited(f"Member {member} has a place in the project.")
    if known.status != "active":
        raise InvitedMemberNotActive(f"Member {member} is {known.status}.")
    return known


def no_participation(participation_id: UUID) -> ParticipationNotFound:
    """The same words whether there is none or the actor may not see it."""
    return ParticipationNotFound(f"You see no participation with the id {participation_id}.")
