"""Use case: somebody has logged in at a provider to see whether it works."""

from datetime import datetime
from typing import Literal

from sqlalchemy.ext.asyncio import AsyncSession

from services.members.model.identity_provider import IdentityProvider
from services.members.queries.identity_providers import provider_of
from services.members.queries.members import member_for_change
from services.members.use_cases.record import record

TestOutcome = Literal["works", "took_over", "stale"]
"""`took_over`: it works with a secret that was waiting for this, and is the one from now on."""


async def finish_test_login(
    session: AsyncSession, tested: IdentityProvider, *, now: datetime
) -> TestOutcome:
    """Note that a provider works as it was configured when the test began.

    A secret that was waiting for that takes over.

    Returns:
        Whether it works, or whether it is configured in another way by now.

    Raises:
        MemberNotFound, ProviderNotFound: they are gone.
    """
    await member_for_change(session, tested.member)
    provider = await provider_of(session, tested.member, tested.id, for_change=True)
    if provider.tried != tested.tried:
        return "stale"
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
    return "took_over" if takes_over else "works"
