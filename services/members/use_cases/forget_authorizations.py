"""Use case: what authorizations leave behind is forgotten when nobody can use it any more."""

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from services.members.model.token_family import LONGEST_TOKEN

BATCH: Final = 5_000
KEPT: Final = timedelta(hours=1)
"""Used codes, and requests that logins point to: a second use is noticed for so long."""

BY_EXPIRY: Final = """
DELETE FROM {table} WHERE {key} IN (
    SELECT {key} FROM {table} WHERE expires_at < :before
    ORDER BY expires_at LIMIT :batch FOR UPDATE SKIP LOCKED
)
"""

FORGET_REQUESTS: Final = """
DELETE FROM authorization_request WHERE id IN (
    SELECT id FROM authorization_request AS request WHERE expires_at < :before
      AND NOT EXISTS (SELECT FROM login_attempt WHERE authorization_id = request.id)
    ORDER BY expires_at LIMIT :batch FOR UPDATE SKIP LOCKED
)
"""

FORGET_FAMILIES: Final = """
DELETE FROM token_family WHERE id IN (
    SELECT id FROM token_family AS family WHERE ends_at < :ended
      AND NOT EXISTS (SELECT FROM authorization_code WHERE family_id = family.id)
      AND NOT EXISTS (SELECT FROM refresh_token WHERE family_id = family.id)
    ORDER BY ends_at LIMIT :batch FOR UPDATE SKIP LOCKED
)
"""

STATEMENTS: Final = (
    BY_EXPIRY.format(table="authorization_code", key="hash"),
    BY_EXPIRY.format(table="refresh_token", key="hash"),
    BY_EXPIRY.format(table="used_identifier", key="(owner, identifier)").replace(
        "SELECT (owner, identifier)", "SELECT owner, identifier"
    ),
    FORGET_REQUESTS,
    FORGET_FAMILIES,
)


async def forget_authorizations(session: AsyncSession, *, now: datetime) -> bool:
    """Forget one batch of codes, refresh tokens, identifiers, requests and sessions.

    A session is kept until no token of it can be met any more.

    Returns:
        Whether there may be more.
    """
    forgotten = 0
    for statement in STATEMENTS:
        times = {"before": now - KEPT, "ended": now - LONGEST_TOKEN}
        needed = {name: at for name, at in times.items() if f":{name}" in statement}
        result = await session.execute(text(statement), needed | {"batch": BATCH})
        forgotten = max(forgotten, result.rowcount)  # type: ignore[attr-defined]
    return forgotten == BATCH
