"""Use case: what a provider answered is not good, or is a no; nobody comes in."""

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from services.members.model.identity_provider import IdentityProvider
from services.members.model.login_attempt import LoginPurpose
from services.members.use_cases.record import record


async def refuse_login(
    session: AsyncSession,
    provider: IdentityProvider,
    purpose: LoginPurpose,
    *,
    code: str,
    now: datetime,
) -> None:
    """Note, in a transaction of its own, that a login which had begun came to nothing.

    Who it was is not known: what a provider says that is not to be believed is not repeated.
    """
    is_test = purpose == "test"
    await record(
        session,
        member=provider.member,
        action="identity_provider.test_failed" if is_test else "login.refused",
        subject=f"identity_provider:{provider.id}",
        actor=None,
        at=now,
        outcome="refused",
        reason=code,
    )
