"""Use case: the lead asks a member to take part."""

from datetime import datetime
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
) -> ParticipationSeen:
    """Invite a member, which from now on sees the project.

    Raises:
        ProjectNotFound: for the actor there is none.
        MissingScope, MemberNotActive, NotProjectLead: the actor may not.
        ProjectEnded, ProjectNotUnderWay: the project is not open for invitations.
        MemberUnknown: the network has no such member.
        AlreadyInvited: it is invited already, or takes part.
        InvitedMemberNotActive: it is not active in the network.
    """
    project, standing, _ = await project_for_change(session, project_id, actor=actor)
    participation = Participation.invite(
        project,
        member=member,
        known=await known_member(session, member),
        role=role,
        note=note,
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
