"""Use case: a member's officials no longer log in at a provider."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.members.model.identity_provider import IdentityProvider
from services.members.model.speaker import Speaker
from services.members.use_cases.governed_provider import governed_provider
from services.members.use_cases.record import record
from shared.actor import ANY_LOGIN


async def retire_identity_provider(
    session: AsyncSession,
    slug: str,
    provider_id: UUID,
    *,
    expected: int | None,
    speaker: Speaker,
    now: datetime,
) -> IdentityProvider:
    """Let nobody log in at a provider any more; who is logged in stays so.

    Raises:
        MemberNotFound: there is no such member.
        SpeakerUnknown: the speaker may not act any more.
        ProviderNotFound: the member has no such provider, or the speaker is another.
        MissingScope: the token does not cover it.
        MemberNotActive: the member is suspended or has withdrawn.
        VersionStale: it is at another version than `expected`.
        ProviderIsRetired: that has happened before.
    """
    provider = await governed_provider(
        session, slug, provider_id, expected=expected, speaker=speaker, login=ANY_LOGIN, now=now
    )
    provider.retire(at=now)
    await record(
        session,
        member=slug,
        action="identity_provider.retired",
        subject=f"identity_provider:{provider.id}",
        actor=speaker.actor,
        at=now,
    )
    return provider
