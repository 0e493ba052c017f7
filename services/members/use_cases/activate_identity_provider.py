"""Use case: a member lets its officials log in at a provider that works."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.members.model.identity_provider import IdentityProvider
from services.members.model.speaker import Speaker
from services.members.use_cases.governed_provider import governed_provider
from services.members.use_cases.record import record
from shared.actor import LoginDemand


async def activate_identity_provider(
    session: AsyncSession,
    slug: str,
    provider_id: UUID,
    *,
    expected: int | None,
    speaker: Speaker,
    login: LoginDemand,
    now: datetime,
) -> IdentityProvider:
    """Let officials log in at a provider with which a test login has succeeded.

    Raises:
        MemberNotFound: there is no such member.
        SpeakerUnknown: the speaker may not act any more.
        ProviderNotFound: the member has no such provider, or the speaker is another.
        MissingScope: the token does not cover it.
        MemberNotActive: the member is suspended or has withdrawn.
        VersionStale: it is at another version than `expected`.
        InsufficientUserAuthentication: the login behind the token does not meet `login`.
        ProviderIsRetired: it is history.
        ProviderIsActive: they can already.
        ProviderNotTested: no test login has succeeded with what is configured now.
    """
    provider = await governed_provider(
        session, slug, provider_id, expected=expected, speaker=speaker, login=login, now=now
    )
    provider.activate(at=now)
    await record(
        session,
        member=slug,
        action="identity_provider.activated",
        subject=f"identity_provider:{provider.id}",
        actor=speaker.actor,
        at=now,
    )
    return provider
