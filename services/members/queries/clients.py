"""Every SELECT of clients."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from services.members.model.client import Client, ClientNotFound
from services.members.model.member import Member
from services.members.queries.ordering import Sort, columns_of, is_descending
from shared.contracts.members import ClientStatus
from shared.http.paging import Paging


async def client_of(
    session: AsyncSession, member: str, client_id: str, *, for_change: bool = False
) -> Client:
    """Load a client of a member; for a change the caller has locked the member.

    Raises:
        ClientNotFound: the member has none with this id.
    """
    query = select(Client).where(Client.member == member, Client.id == client_id)
    if for_change:
        query = query.with_for_update().execution_options(populate_existing=True)
    client = await session.scalar(query)
    if client is None:
        raise ClientNotFound(f"{member} has no client with the id {client_id}.")
    return client


async def first_party_client(session: AsyncSession, member: str, name: str) -> Client | None:
    """Find a part of the platform itself; the caller has locked its member."""
    query = (
        select(Client)
        .where(
            Client.member == member,
            Client.name == name,
            Client.is_first_party,
            Client.status == "active",
        )
        .order_by(Client.created_at)
        .limit(1)
        .execution_options(populate_existing=True)
    )
    found: Client | None = await session.scalar(query)
    return found


async def active_client(session: AsyncSession, client_id: str) -> Client | None:
    """Find a client of any member, unless it has been revoked."""
    query = select(Client).where(Client.id == client_id, Client.status == "active")
    found: Client | None = await session.scalar(query)
    return found


async def list_clients(
    session: AsyncSession,
    member: str,
    *,
    status: ClientStatus | None,
    updated_since: datetime | None,
    sort: Sort,
    paging: Paging,
) -> tuple[Sequence[Client], str | None]:
    """Give a part of a member's clients, and the cursor of the next one."""
    query = select(Client).where(Client.member == member)
    if status is not None:
        query = query.where(Client.status == status)
    if updated_since is not None:
        query = query.where(Client.updated_at >= updated_since)
    return await paging.fetch(
        session, query, *columns_of(Client, Client.id, sort), descending=is_descending(sort)
    )


def client_with_member(session: Session, client_id: str) -> tuple[Client, Member] | None:
    """Load a client and whom it acts for; without `await`, as Authlib asks."""
    found = session.execute(
        select(Client, Member)
        .join(Member, Member.slug == Client.member)
        .where(Client.id == client_id)
    ).one_or_none()
    return None if found is None else (found[0], found[1])
