"""Use case: a member wants to see whether a provider works, before its officials depend on it."""

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.members.model.identity_provider import ensure_sees_providers_of
from services.members.model.speaker import Speaker
from services.members.queries.identity_providers import provider_of
from services.members.queries.members import member_with
from shared.sealing import CannotOpen, Seals

GOOD_FOR: Final = timedelta(minutes=15)


async def offer_test_login(
    session: AsyncSession,
    slug: str,
    provider_id: UUID,
    *,
    seals: Seals,
    speaker: Speaker,
    now: datetime,
) -> tuple[str, datetime]:
    """Make a pass with which any browser can try to log in at a provider, for some minutes.

    Returns:
        The pass, and until when it is good.

    Raises:
        MemberNotFound: there is no such member.
        ProviderNotFound: the member has no such provider, or the speaker is another.
        MissingScope: the token does not cover it.
        MemberNotActive: the member is suspended or has withdrawn.
        ProviderIsRetired: it is history.
    """
    ensure_sees_providers_of(slug, speaker)
    member = await member_with(session, slug)
    provider = await provider_of(session, slug, provider_id)
    member.ensure_governed_by(speaker)
    provider.ensure_may_test()
    ends_at = now + GOOD_FOR
    said = f"{provider.id} {int(ends_at.timestamp())}"
    return seals.seal(said.encode(), place=_place(slug)), ends_at


def provider_to_test(slug: str, given: str, *, seals: Seals, now: datetime) -> UUID | None:
    """Read which provider of a member a pass is for, if it is one and still good."""
    try:
        provider_id, _, ends = seals.open(given, place=_place(slug)).decode().partition(" ")
    except CannotOpen:
        return None
    return UUID(provider_id) if now.timestamp() < int(ends) else None


def _place(slug: str) -> str:
    """What a pass is bound to."""
    return f"identity_provider.test_login {slug}"
