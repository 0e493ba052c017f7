"""Use case: the access token of a session is replaced."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from services.portal.model.tokens import Tokens, TokensRefused
from services.portal.queries.browser_sessions import session_with
from services.portal.use_cases.sealed_tokens import (
    access_token_of,
    keep_tokens,
    refresh_token_of,
)
from services.portal.use_cases.see_session import Present, present
from shared.one_time import hash_of
from shared.sealing import CannotOpen, Seals

Refresh = Callable[[str], Awaitable[Tokens]]
"""Redeems a refresh token. Raises `TokensRefused` if the session is over there."""


async def renew_tokens(
    session: AsyncSession,
    cookie: str,
    *,
    refused: str | None,
    refresh: Refresh,
    rest: timedelta,
    seals: Seals,
    now: datetime,
) -> Present | None:
    """Replace the access token, once, however many tabs ask for it at the same time.

    A refresh token is good once, and using it twice ends the session at the authorization server
    (RFC 9700, section 4.14). So the row is locked while the server is asked: whoever waited for the
    lock finds the new tokens.

    Args:
        session: of the database.
        cookie: of the browser.
        refused: an access token that the platform did not take, however long it was to be good.
        refresh: asks the authorization server.
        rest: how long a session stands when nothing is asked.
        seals: for the tokens.
        now: when.

    Returns:
        Nothing if the session is over; its row is gone, too.
    """
    row = await session_with(session, hash_of(cookie), for_change=True)
    if row is None or not row.is_good(now, rest=rest):
        return None
    try:
        is_refused = refused is not None and access_token_of(row, seals) == refused
        if row.needs_tokens(now) or is_refused:
            keep_tokens(row, await refresh(refresh_token_of(row, seals)), seals)
    except (TokensRefused, CannotOpen):
        await session.delete(row)
        return None
    row.note_presence(now)
    return present(row, seals, now=now)
