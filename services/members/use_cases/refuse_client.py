"""Use case: somebody names a client and does not prove to be it."""

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from services.members.queries.clients import client_with_member
from services.members.use_cases.record import record


async def refuse_client(session: AsyncSession, client_id: str, *, now: datetime) -> None:
    """Note in the trail of its member that a client was named with credentials that are not good.

    A name that is no client's leaves nothing: it could be anything.
    """
    known = await session.run_sync(client_with_member, client_id)
    if known is None:
        return
    client, member = known
    await record(
        session,
        member=member.slug,
        action="client.refused",
        subject=f"client:{client.id}",
        actor=None,
        at=now,
        outcome="refused",
        reason="wrong-credentials" if client.status == "active" else "client-revoked",
    )
