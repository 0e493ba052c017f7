"""Use case: somebody has logged in at a provider to see whether it works."""

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from services.members.model.identity_provider import IdentityProvider
from services.members.queries.identity_providers import provider_of
from services.members.queries.members import member_for_change
from services.members.use_cases.record import record


async def finish_test_login(
    session: AsyncSession, tested: IdentityProvider, *, now: datetime
) -> bool:
    """Note that a provider works as it was configured when the test began.

    A secret that was waiting for that takes over.

    Returns:
        Whether that is how it is configured still.

    Raises:
        MemberNotFound, ProviderNotFound: they are gone.
    """
    await member_for_change(session, tested.member)
    provider = await provider_of(session, tested.member, tested.id, for_change=True)
    if provider.tried != tested.tried:
        return False
    takes_over = provider.note_test(at=now)
    await record(
        session,
        member=provider.member,
        action="identity_provider.tested",
        subject=f"identity_provider:{provider.id}",
        actor=None,
        at=now,
        details={"secret_taken_over": takes_over},
    )
    return True
