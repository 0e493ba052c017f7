"""Every SELECT of officials."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import any_, exists, func, literal, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.members.model.official import Official, OfficialNotFound
from services.members.model.scim import ScimUser
from services.members.model.sign_in import SignIn
from services.members.queries.ordering import Sort, columns_of, is_descending
from shared.contracts.members import OfficialStatus, Role
from shared.http.paging import Paging


async def official_of(
    session: AsyncSession, member: str, official_id: UUID, *, for_change: bool = False
) -> Official:
    """Load an official of a member; for a change the caller has locked the member.

    Raises:
        OfficialNotFound: the member has none with this id.
    """
    query = select(Official).where(Official.member == member, Official.id == official_id)
    if for_change:
        query = query.with_for_update().execution_options(populate_existing=True)
    official = await session.scalar(query)
    if official is None:
        raise OfficialNotFound(f"{member} has no official with the id {official_id}.")
    return official


async def administrators_of(session: AsyncSession, member: str) -> frozenset[UUID]:
    """Tell who can act as administrators of a member now."""
    return frozenset(
        await session.scalars(
            select(Official.id).where(
                Official.member == member,
                Official.status == "active",
                literal("administrator") == any_(Official.roles),
            )
        )
    )


async def sign_ins_of(session: AsyncSession, official_id: UUID) -> Sequence[SignIn]:
    """Load what an official is logged in to, locked."""
    query = (
        select(SignIn)
        .where(SignIn.official_id == official_id, SignIn.ended_at.is_(None))
        .order_by(SignIn.id)
        .with_for_update()
    )
    return list(await session.scalars(query))


async def list_officials(
    session: AsyncSession,
    member: str,
    *,
    status: OfficialStatus | None,
    role: Role | None,
    updated_since: datetime | None,
    sort: Sort,
    paging: Paging,
) -> tuple[Sequence[Official], str | None]:
    """Give a part of a member's officials, and the cursor of the next one."""
    query = select(Official).where(Official.member == member)
    if status is not None:
        query = query.where(Official.status == status)
    if role is not None:
        query = query.where(literal(role) == any_(Official.roles))
    if updated_since is not None:
        query = query.where(Official.updated_at >= updated_since)
    return await paging.fetch(
        session, query, *columns_of(Official, Official.id, sort), descending=is_descending(sort)
    )


async def official_with_identity(
    session: AsyncSession, member: str, identity_id: UUID
) -> Official | None:
    """Load, locked, whom somebody is for a member, if they have logged in before."""
    query = (
        select(Official)
        .where(Official.member == member, Official.identity_id == identity_id)
        .with_for_update()
    )
    found: Official | None = await session.scalar(query)
    return found


async def named_with(
    session: AsyncSession, member: str, space: str, subject: str
) -> Sequence[Official]:
    """Load, locked, whom the member's directory has named by a subject, until they log in."""
    query = (
        select(Official)
        .join(ScimUser, ScimUser.official_id == Official.id)
        .where(
            Official.member == member,
            Official.identity_id.is_(None),
            ScimUser.subject_space == space,
            ScimUser.external_id == subject,
        )
        .order_by(Official.id)
        .with_for_update(of=Official)
    )
    return list(await session.scalars(query))


async def invited_with(session: AsyncSession, member: str, email: str) -> Sequence[Official]:
    """Load, locked, the officials with this address who have not logged in yet.

    Without those whom the member's directory has named by a subject: only that one is them.
    """
    query = (
        select(Official)
        .where(
            Official.member == member,
            Official.identity_id.is_(None),
            func.lower(Official.email) == email.lower(),
            ~exists().where(
                ScimUser.official_id == Official.id,
                ScimUser.subject_space.is_not(None),
                ScimUser.external_id.is_not(None),
            ),
        )
        .order_by(Official.id)
        .with_for_update()
    )
    return list(await session.scalars(query))
