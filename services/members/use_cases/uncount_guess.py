"""Use case: what was counted, in case that it fails, has turned out well."""

from collections.abc import Collection

from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncSession

from services.members.model.failed_guess import FailedGuess


async def uncount_guess(session: AsyncSession, keys: Collection[str]) -> None:
    """Take one off, so that what ends well never adds up."""
    await session.execute(
        update(FailedGuess)
        .where(FailedGuess.key.in_(keys), FailedGuess.count > 0)
        .values(count=FailedGuess.count - 1)
    )
