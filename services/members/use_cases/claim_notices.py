"""Use case: a sender takes notices of logout that are due, for itself alone and for a while."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.members.queries.logout_notices import due_notices

PER_CLIENT: Final = 4
"""An application that hangs does not keep others waiting."""


@dataclass(frozen=True, slots=True)
class ClaimedNotice:
    """What must be said to which application; `attempt` tells whose turn it was."""

    id: UUID
    attempt: int
    client_id: str
    uri: str
    session_id: UUID
    official_id: UUID


async def claim_notices(
    session: AsyncSession, *, at_work: Mapping[str, int], limit: int, now: datetime
) -> list[ClaimedNotice]:
    """Claim notices that are due, and drop those that nobody wants any more.

    A sender that dies loses nothing: the claim runs out, and another one tries.

    Args:
        session: of the database.
        at_work: how many attempts the sender is making, by client.
        limit: at most so many.
        now: when.
    """
    counts = dict(at_work)
    busy = [client for client, count in counts.items() if count >= PER_CLIENT]
    claimed = []
    for notice, uri in await due_notices(session, without=busy, limit=limit, now=now):
        if uri is None:
            await session.delete(notice)
            continue
        counts[notice.client_id] = counts.get(notice.client_id, 0) + 1
        if counts[notice.client_id] > PER_CLIENT:
            continue
        notice.claim(at=now)
        claimed.append(
            ClaimedNotice(
                notice.id,
                notice.attempts,
                notice.client_id,
                uri,
                notice.session_id,
                notice.official_id,
            )
        )
    return claimed
