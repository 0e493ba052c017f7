"""Use case: a browser comes back to its session."""

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncSession

from services.members.model.sign_in import SignIn
from services.members.queries.sign_ins import sign_in_with
from shared.one_time import hash_of

NOTED_EVERY: Final = timedelta(minutes=1)
"""How exactly we know when a browser was last there; each note is a write."""


async def see_sign_in(
    session: AsyncSession, cookie: str, *, rest: timedelta, now: datetime
) -> SignIn | None:
    """Find the session of a browser, and note that the browser was there.

    Args:
        session: of the database; one without a transaction will do.
        cookie: what the browser showed.
        rest: how long a session may be left alone.
        now: when.

    Returns:
        A session that stands, of an official who may act.
    """
    sign_in = await sign_in_with(session, hash_of(cookie))
    if sign_in is None or not sign_in.is_good(now, rest=rest):
        return None
    if now - sign_in.seen_at >= NOTED_EVERY:
        await session.execute(
            update(SignIn)
            .where(SignIn.id == sign_in.id, SignIn.ended_at.is_(None), SignIn.seen_at < now)
            .values(seen_at=now)
        )
    return sign_in
