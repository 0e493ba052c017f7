"""Use case: the lead asks a member to take part."""

from datetime import date, datetime
from typing import Literal
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.projects.model.participation import Participation
from services.projects.queries.participations import ParticipationSeen
from services.projects.queries.projects import project_for_change
from services.projects.queries.standings import known_member
from shared.actor import Actor
from shared.contracts.projects import ParticipationInvited
from shared.messaging.outbox import announce


async def invite_member(
    session: AsyncSession,
    project_id: UUID,
    *,
    actor: Actor,
    now: datetime,
    member: str,
    role: Literal["participant", "observer"],
    note: str | None,
    answer_by_on: date | None = None,
    time_zone: str | None = None,
) -> ParticipationSeen:
    """Invite a member, which from now on sees the project.

    Args:
        session: of the request.
        project_id: of the project.
        actor: who asks for it.
        now: when.
        member: who is invited.
        role: what it is invited to be.
        note: what the lead says to it.
        answer_by_on: the last day to answer; thirty days from now if there is none.
        time_zone: where that day ends; where the invited member is if nothing is said.

    Raises:
        ProjectNotFound: for the actor there is none.
        MissingScope, MemberNotActive, NotProjectLead: the actor may not.
        ProjectEnded, ProjectNotUnderWay: the project is not open for invitations.
        MemberUnknown: the network has no such member.
        AlreadyInvited: it is invited already, or takes part.
        InvitedMemberNotActive: it is not active in the network.
        AnswerTimePast: the day to answer by has ended.
    """
    known = await known_member(session, member)
    project, standing, _ = await project_for_change(session, project_id, actor=actor)
    participation = Participation.invite(
        project,
        member=member,
        known=known,
        role=role,
        note=note,
        answer_by_on=answer_by_on,
        time_zone=time_zone,
        by=standing,
        at=now,
    )
    session.add(participation)
    standing = standing.with_place(member, participation.place)
    announce(
        session,
        ParticipationInvited.about(
            participation.state(), by=actor, at=now, audience=project.audience(standing.places)
        ),
    )
    return participation, standing
