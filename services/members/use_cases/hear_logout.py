"""Use case: a provider says that somebody has left it."""

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from services.members.model.id_token import LEEWAY
from services.members.model.identity_provider import IdentityProvider
from services.members.model.logout_token import GOOD_FOR, Left
from services.members.queries.sign_ins import sign_ins_at
from services.members.use_cases.end_sign_in import end_sign_in
from services.members.use_cases.note_identifier import note_identifier


async def hear_logout(
    session: AsyncSession, provider: IdentityProvider, left: Left, *, now: datetime
) -> bool:
    """End the sessions that were opened by that login, with all that was opened from them.

    Returns:
        Whether this was said for the first time.
    """
    is_new = await session.run_sync(
        note_identifier,
        f"logout:{provider.id}",
        left.identifier,
        until=now + GOOD_FOR + LEEWAY,
    )
    if not is_new:
        return False
    sign_ins = await sign_ins_at(
        session, provider.id, upstream_sid=left.session_id, subject=left.subject
    )
    for sign_in in sign_ins:
        await end_sign_in(session, sign_in, because="left the provider", now=now)
    return True
