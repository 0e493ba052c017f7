"""Every SELECT of signing keys."""

from collections.abc import Sequence

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from services.members.model.signing_key import SigningKey


async def keys_in_use(session: AsyncSession) -> Sequence[SigningKey]:
    """Load the keys that are not retired, newest first."""
    query = (
        select(SigningKey)
        .where(SigningKey.status != "retired")
        .order_by(SigningKey.created_at.desc(), SigningKey.id)
    )
    return list(await session.scalars(query))


async def wait_for_turn(session: AsyncSession) -> None:
    """Let nobody else make a key until the transaction ends."""
    await session.execute(text("SELECT pg_advisory_xact_lock(hashtext('renkei.signing-keys'))"))
