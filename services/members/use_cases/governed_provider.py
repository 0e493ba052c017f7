"""What every use case begins with that changes an identity provider."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.members.model.identity_provider import IdentityProvider, ensure_sees_providers_of
from services.members.model.speaker import Speaker
from services.members.queries.identity_providers import provider_of
from services.members.queries.members import member_for_change, speaker_of
from shared.actor import LoginDemand
from shared.http.preconditions import ensure_version


async def governed_provider(
    session: AsyncSession,
    slug: str,
    provider_id: UUID,
    *,
    expected: int | None,
    speaker: Speaker,
    login: LoginDemand,
    now: datetime,
) -> IdentityProvider:
    """Load a provider, locked, for a speaker who may change it and has seen it as it is.

    Raises:
        MemberNotFound: there is no such member.
        SpeakerUnknown: the speaker may not act any more.
        ProviderNotFound: the member has no such provider, or the speaker is another.
        MissingScope: the token does not cover it.
        MemberNotActive: the member is suspended or has withdrawn.
        VersionStale: it is at another version than `expected`.
        InsufficientUserAuthentication: the login behind the token does not meet `login`.
    """
    member = await member_for_change(session, slug)
    # Once more: while this waited for its turn, the speaker may have lost the right to do it.
    speaker = await speaker_of(session, speaker.actor)
    ensure_sees_providers_of(slug, speaker)
    provider = await provider_of(session, slug, provider_id, for_change=True)
    member.ensure_governed_by(speaker)
    ensure_version(expected, provider.state())
    speaker.actor.ensure_logged_in(login, at=now)
    return provider
