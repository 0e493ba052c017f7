"""Every SELECT of identity providers."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import exists, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.members.model.identity_provider import (
    IdentityProvider,
    ProviderNotFound,
    ProviderStatus,
)
from services.members.model.member import Member
from services.members.queries.ordering import Sort, columns_of, is_descending
from shared.http.paging import Paging


async def provider_of(
    session: AsyncSession, member: str, provider_id: UUID, *, for_change: bool = False
) -> IdentityProvider:
    """Load an identity provider of a member; for a change the caller has locked the member.

    Raises:
        ProviderNotFound: the member has none with this id.
    """
    query = select(IdentityProvider).where(
        IdentityProvider.member == member, IdentityProvider.id == provider_id
    )
    if for_change:
        query = query.with_for_update().execution_options(populate_existing=True)
    provider = await session.scalar(query)
    if provider is None:
        raise ProviderNotFound(f"{member} has no identity provider with the id {provider_id}.")
    return provider


async def list_providers(
    session: AsyncSession,
    member: str,
    *,
    status: ProviderStatus | None,
    updated_since: datetime | None,
    sort: Sort,
    paging: Paging,
) -> tuple[Sequence[IdentityProvider], str | None]:
    """Give a part of a member's identity providers, and the cursor of the next one."""
    query = select(IdentityProvider).where(IdentityProvider.member == member)
    if status is not None:
        query = query.where(IdentityProvider.status == status)
    if updated_since is not None:
        query = query.where(IdentityProvider.updated_at >= updated_since)
    return await paging.fetch(
        session,
        query,
        *columns_of(IdentityProvider, IdentityProvider.id, sort),
        descending=is_descending(sort),
    )


async def active_providers_of(session: AsyncSession, member: str) -> Sequence[IdentityProvider]:
    """Load where officials of a member can log in now, in the order of their names."""
    query = (
        select(IdentityProvider)
        .join(Member, Member.slug == IdentityProvider.member)
        .where(
            IdentityProvider.member == member,
            IdentityProvider.status == "active",
            Member.status != "withdrawn",
        )
        .order_by(IdentityProvider.name, IdentityProvider.id)
    )
    return list(await session.scalars(query))


async def members_to_log_in_at(session: AsyncSession) -> Sequence[Member]:
    """Load the members whose officials can log in now."""
    is_open = exists().where(
        IdentityProvider.member == Member.slug, IdentityProvider.status == "active"
    )
    query = select(Member).where(Member.status != "withdrawn", is_open).order_by(Member.slug)
    return list(await session.scalars(query))
