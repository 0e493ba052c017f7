"""Use case: the secretariat enters an organisation that may join."""

from datetime import date, datetime

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from services.members.model.member import Member, MemberExists
from services.members.model.speaker import Speaker
from services.members.use_cases.fields import MemberFields
from services.members.use_cases.record import record
from shared.contracts.event import EVERYONE
from shared.contracts.members import MemberInvited
from shared.messaging.outbox import announce


async def invite_member(
    session: AsyncSession,
    fields: MemberFields,
    *,
    invited_on: date,
    speaker: Speaker,
    now: datetime,
) -> Member:
    """Enter a member, with the status `invited`, and announce it.

    Args:
        session: of the request.
        fields: what is known of the organisation.
        invited_on: may lie in the past, as history is entered late.
        speaker: who asks for it.
        now: when.

    Raises:
        OnlyTheSecretariat: the speaker does not run the network.
        MissingScope: the token does not cover it.
        SubdivisionUnknown: the country has no such subdivision.
        EffectiveInFuture: the day has not come where the member is.
        MemberExists: the slug is taken.
    """
    speaker.ensure_secretariat()
    member = Member(
        **fields.model_dump(),
        is_host=False,
        status="invited",
        status_since=invited_on,
        created_at=now,
        updated_at=now,
    )
    invitation = member.begin(by=speaker.actor.reference, at=now)
    try:
        async with session.begin_nested():
            session.add(member)
    except IntegrityError as error:
        raise MemberExists(f"The slug {fields.slug} is taken.") from error
    session.add(invitation)
    announce(
        session, MemberInvited.about(member.state(), by=speaker.actor, at=now, audience=EVERYONE)
    )
    await record(
        session,
        member=member.slug,
        action="member.invited",
        subject=f"member:{member.slug}",
        actor=speaker.actor,
        at=now,
        details={"invited_on": invited_on.isoformat()},
    )
    return member
