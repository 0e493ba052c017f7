"""Use case: a guess has failed."""

from collections.abc import Collection
from datetime import datetime, timedelta

from sqlalchemy import case
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from services.members.model.failed_guess import FailedGuess


async def count_guess(
    session: AsyncSession, keys: Collection[str], *, lasts: timedelta, now: datetime
) -> dict[str, tuple[int, datetime]]:
    """Count a guess that failed, in one statement.

    Args:
        session: of the database; one without a transaction will do, and holds nobody up.
        keys: what it is counted under.
        lasts: for how long, from the first one on.
        now: when.

    Returns:
        How many there are under each key, and until when they count.
    """
    ends_at = now + lasts
    # In the order of the keys, so that two who count the same never wait for each other.
    given = insert(FailedGuess).values(
        [{"key": key, "count": 1, "ends_at": ends_at} for key in sorted(keys)]
    )
    is_over = FailedGuess.ends_at <= now
    counted = given.on_conflict_do_update(
        index_elements=["key"],
        set_={
            "count": case((is_over, 1), else_=FailedGuess.count + 1),
            "ends_at": case((is_over, ends_at), else_=FailedGuess.ends_at),
        },
    ).returning(FailedGuess.key, FailedGuess.count, FailedGuess.ends_at)
    return {key: (count, until) for key, count, until in await session.execute(counted)}
