"""Every SELECT of logins under way."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.members.model.authorization_request import AuthorizationRequest
from services.members.model.identity_provider import IdentityProvider
from services.members.model.login_attempt import LoginAttempt


async def attempt_with(
    session: AsyncSession, *, state_hash: str, browser_hash: str, member: str
) -> tuple[LoginAttempt, IdentityProvider] | None:
    """Load, locked, the login that this browser began at a provider of this member."""
    query = (
        select(LoginAttempt, IdentityProvider)
        .join(IdentityProvider, IdentityProvider.id == LoginAttempt.provider_id)
        .where(
            LoginAttempt.state_hash == state_hash,
            LoginAttempt.browser_hash == browser_hash,
            IdentityProvider.member == member,
        )
        .with_for_update(of=LoginAttempt)
    )
    found = (await session.execute(query)).one_or_none()
    return None if found is None else (found[0], found[1])


async def authorization_with(
    session: AsyncSession, authorization_id: UUID, *, now: datetime, for_change: bool = False
) -> AuthorizationRequest | None:
    """Load what an application asked for, if it can still be gone on with."""
    query = select(AuthorizationRequest).where(
        AuthorizationRequest.id == authorization_id,
        AuthorizationRequest.used_at.is_(None),
        AuthorizationRequest.expires_at > now,
    )
    if for_change:
        query = query.with_for_update()
    found: AuthorizationRequest | None = await session.scalar(query)
    return found
