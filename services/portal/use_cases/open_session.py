"""Use case: somebody comes back from the authorization server, and is logged in."""

from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from services.portal.model.browser_session import BrowserSession
from services.portal.model.id_token import Person
from services.portal.model.tokens import Tokens, TokensRefused
from services.portal.queries.browser_sessions import was_logged_out
from services.portal.use_cases.forget_sessions import forget_sessions
from services.portal.use_cases.sealed_tokens import keep_tokens
from shared.identifiers import new_id
from shared.one_time import hash_of, new_one_time_secret
from shared.sealing import Seals


async def open_session(
    session: AsyncSession,
    person: Person,
    tokens: Tokens,
    *,
    lasts: timedelta,
    rest: timedelta,
    seals: Seals,
    now: datetime,
) -> str:
    """Open a session that no browser has known before, and forget those that are over.

    Args:
        session: of the database.
        person: who logged in.
        tokens: that act for them, with an id_token.
        lasts: how long the session stands at most.
        rest: how long it stands when nothing is asked.
        seals: for the tokens.
        now: when.

    Returns:
        The secret that the browser shows from now on.

    Raises:
        TokensRefused: the authorization server has ended it in the meantime.
    """
    await forget_sessions(session, rest=rest, now=now)
    if await was_logged_out(session, person.sid, now=now):
        raise TokensRefused
    cookie = new_one_time_secret()
    row = BrowserSession(
        id=new_id(),
        cookie_hash=hash_of(cookie),
        official_id=person.official_id,
        sid=person.sid,
        sealed_access_token="",
        access_ends_at=tokens.access_ends_at,
        sealed_refresh_token="",
        sealed_id_token="",
        began_at=now,
        seen_at=now,
        ends_at=now + lasts,
    )
    keep_tokens(row, tokens, seals)
    session.add(row)
    return cookie
