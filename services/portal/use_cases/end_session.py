"""Use case: somebody leaves, in one browser."""

from dataclasses import dataclass, field

from sqlalchemy.ext.asyncio import AsyncSession

from services.portal.queries.browser_sessions import session_with
from services.portal.use_cases.sealed_tokens import id_token_of, refresh_token_of
from shared.one_time import hash_of
from shared.sealing import CannotOpen, Seals


@dataclass(frozen=True, slots=True)
class Remains:
    """What the authorization server has yet to be told of."""

    refresh_token: str = field(repr=False)
    id_token: str = field(repr=False)


async def end_session(session: AsyncSession, cookie: str, *, seals: Seals) -> Remains | None:
    """End the session of a browser, if it has one.

    A renewal that is under way is waited for, so that the newest tokens are the ones given back.
    """
    row = await session_with(session, hash_of(cookie), for_change=True)
    if row is None:
        return None
    await session.delete(row)
    try:
        return Remains(refresh_token_of(row, seals), id_token_of(row, seals))
    except CannotOpen:
        return None
