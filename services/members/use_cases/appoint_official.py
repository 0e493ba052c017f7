"""Use case: a member makes somebody its official."""

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from services.members.model.official import Official
from services.members.model.speaker import Speaker
from services.members.queries.members import member_for_change, speaker_of
from services.members.use_cases.fields import OfficialFields
from services.members.use_cases.record import record
from shared.actor import LoginDemand
from shared.contracts.members import OfficialAppointed
from shared.messaging.outbox import announce


async def appoint_official(
    session: AsyncSession,
    slug: str,
    fields: OfficialFields,
    *,
    speaker: Speaker,
    login: LoginDemand,
    now: datetime,
) -> Official:
    """Appoint an official of a member, and announce it to that member alone.

    Raises:
        MemberNotFound: there is no such member.
        SpeakerUnknown: the speaker may not act any more.
        OnlyTheMemberItself: the speaker is another, and this is not a first administrator whom the
            secretariat appoints.
        MissingScope: the token does not cover it.
        MemberNotActive: the member is suspended or has withdrawn.
        MembershipEnded: the member has withdrawn.
        InsufficientUserAuthentication: the login behind the token does not meet `login`.
    """
    member = await member_for_change(session, slug)
    # Once more: while this waited for its turn, the speaker may have lost the right to do it.
    speaker = await speaker_of(session, speaker.actor)
    member.ensure_may_appoint(speaker, fields.roles)
    speaker.actor.ensure_logged_in(login, at=now)
    official = Official(member=slug, **fields.model_dump(), created_at=now, updated_at=now)
    member.has_officials = True
    session.add(official)
    announce(
        session,
        OfficialAppointed.about(official.state(), by=speaker.actor, at=now, audience=(slug,)),
    )
    await record(
        session,
        member=slug,
        action="official.appointed",
        subject=f"official:{official.id}",
        actor=speaker.actor,
        at=now,
        details={"roles": official.roles},
    )
    return official
