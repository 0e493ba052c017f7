"""Use case: a browser comes back from a provider."""

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from services.members.model.identity_provider import IdentityProvider
from services.members.model.login_attempt import LoginAttempt
from services.members.queries.login_attempts import attempt_with
from shared.one_time import hash_of


async def use_attempt(
    session: AsyncSession, *, member: str, state: str, browser: str, now: datetime
) -> tuple[LoginAttempt, IdentityProvider] | None:
    """Use up the login that this browser began, so that no answer counts twice.

    Returns:
        The login and where it began; nothing if this browser began none there that is still good.
    """
    found = await attempt_with(
        session, state_hash=hash_of(state), browser_hash=hash_of(browser), member=member
    )
    if found is None or found[0].used_at is not None or found[0].expires_at <= now:
        return None
    found[0].used_at = now
    return found
