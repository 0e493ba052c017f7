"""Every SELECT of notices of logout."""

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from services.members.model.client import Client
from services.members.model.logout_notice import LogoutNotice


def clients_to_tell(session: Session, client_ids: Collection[str]) -> frozenset[str]:
    """Find those of these clients that want to know of a logout."""
    query = select(Client.id).where(
        Client.id.in_(client_ids), Client.backchannel_logout_uri.is_not(None)
    )
    return frozenset(session.scalars(query))


async def due_notices(
    session: AsyncSession, *, without: Collection[str], limit: int, now: datetime
) -> Sequence[tuple[LogoutNotice, str | None]]:
    """Load, locked, what is due, and where it goes; nothing that another sender has locked.

    Args:
        session: of the database.
        without: clients that are passed over.
        limit: at most so many.
        now: when.
    """
    query = (
        select(LogoutNotice, Client.backchannel_logout_uri)
        .join(Client, Client.id == LogoutNotice.client_id)
        .where(LogoutNotice.due_at <= now, LogoutNotice.client_id.not_in(without))
        .order_by(LogoutNotice.due_at, LogoutNotice.id)
        .limit(limit)
        .with_for_update(of=LogoutNotice, skip_locked=True)
    )
    return [(notice, uri) for notice, uri in await session.execute(query)]


async def notice_for_change(
    session: AsyncSession, notice_id: UUID
) -> tuple[LogoutNotice, Client] | None:
    """Load a notice, locked, with the client that it is for."""
    query = (
        select(LogoutNotice, Client)
        .join(Client, Client.id == LogoutNotice.client_id)
        .where(LogoutNotice.id == notice_id)
        .with_for_update(of=LogoutNotice)
    )
    found = (await session.execute(query)).one_or_none()
    return None if found is None else (found[0], found[1])
