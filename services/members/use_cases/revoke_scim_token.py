"""Use case: a token of a member's directory is good no longer."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.members.model.scim import ScimToken, ensure_sees_directory_of
from services.members.model.speaker import Speaker
from services.members.queries.members import member_for_change, speaker_of
from services.members.queries.scim import scim_token_of
from services.members.use_cases.record import record
from shared.http.preconditions import ensure_version


async def revoke_scim_token(
    session: AsyncSession,
    slug: str,
    token_id: UUID,
    *,
    expected: int | None,
    speaker: Speaker,
    now: datetime,
) -> ScimToken:
    """Revoke a token for good. What the directory has said so far stays.

    Raises:
        MemberNotFound: there is no such member.
        SpeakerUnknown: the speaker may not act any more.
        ScimTokenNotFound: the member has no such token, or the speaker is another.
        MissingScope: the token does not cover it.
        MemberNotActive: the member is suspended or has withdrawn.
        VersionStale: it is at another version than `expected`.
        ScimTokenIsRevoked: that has happened before.
    """
    member = await member_for_change(session, slug)
    # Once more: while this waited for its turn, the speaker may have lost the right to do it.
    speaker = await speaker_of(session, speaker.actor)
    ensure_sees_directory_of(slug, speaker)
    token = await scim_token_of(session, slug, token_id, for_change=True)
    member.ensure_governed_by(speaker)
    ensure_version(expected, token.state())
    token.revoke(at=now)
    await record(
        session,
        member=slug,
        action="scim.token_revoked",
        subject=f"scim_token:{token.id}",
        actor=speaker.actor,
        at=now,
    )
    return token
