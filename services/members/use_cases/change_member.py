"""Use case: names, place or time zone of a member are corrected."""

from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from services.members.model.member import Member
from services.members.model.speaker import Speaker
from services.members.queries.members import member_for_change, speaker_of
from services.members.use_cases.record import different, record
from shared.contracts.event import EVERYONE
from shared.contracts.members import MemberChanged
from shared.http.preconditions import ensure_version
from shared.messaging.outbox import announce


async def change_member(
    session: AsyncSession,
    slug: str,
    fields: dict[str, Any],
    *,
    expected: int | None,
    speaker: Speaker,
    now: datetime,
) -> Member:
    """Change what is different, and announce it if anything is.

    Raises:
        MemberNotFound: there is no such member.
        SpeakerUnknown: the speaker may not act any more.
        OnlyTheMemberItself: the speaker is neither the member nor the secretariat.
        MissingScope: the token does not cover it.
        MemberNotActive: the member may not write at present.
        SubdivisionUnknown: the country, as it would be, has no such subdivision.
        VersionStale: it is at another version than `expected`.
    """
    member = await member_for_change(session, slug)
    # Once more: while this waited for its turn, the speaker may have lost the right to do it.
    speaker = await speaker_of(session, speaker.actor)
    member.ensure_may_change(speaker)
    before = member.state()
    ensure_version(expected, before)
    if member.change(fields, at=now):
        announce(
            session,
            MemberChanged.about(
                member.state(), before=before, by=speaker.actor, at=now, audience=EVERYONE
            ),
        )
        await record(
            session,
            member=slug,
            action="member.changed",
            subject=f"member:{slug}",
            actor=speaker.actor,
            at=now,
            details={"fields": different(before, member.state())},
        )
    return member
