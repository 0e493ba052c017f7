"""Every SELECT of what the directories of members tell."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import accumulate
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, Text, cast, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.members.model.member import Member
from services.members.model.official import Official, OfficialNotFound
from services.members.model.scim import (
    ScimGroup,
    ScimGroupMember,
    ScimGroupNotFound,
    ScimToken,
    ScimTokenNotFound,
    ScimUser,
    name_key_of,
)
from services.members.queries.ordering import Sort, columns_of, is_descending
from shared.contracts.members import Role
from shared.http.paging import Paging

Condition = ColumnElement[bool]
INCLUDED_MAX: Final = 2_000
"""People in groups, or groups of people, that are loaded at once: about a third of a second."""
PERSON_KEY: Final[Any] = func.coalesce(
    ScimUser.user_name_key, func.lower(Official.email), cast(Official.id, Text)
)
"""How the directory calls somebody; their address as long as it has not said anything."""


@dataclass(frozen=True, slots=True)
class Person:
    """An official, with what the directory has said of them and their groups there."""

    official: Official
    entry: ScimUser | None
    groups: tuple[ScimGroup, ...]


@dataclass(frozen=True, slots=True)
class Circle:
    """A group with those who are in it."""

    group: ScimGroup
    members: tuple[UUID, ...]


async def token_with(session: AsyncSession, token_hash: str) -> tuple[ScimToken, Member] | None:
    """Find the token with this hash and whose it is, also if it is good no longer."""
    found = await session.execute(
        select(ScimToken, Member)
        .join(Member, Member.slug == ScimToken.member)
        .where(ScimToken.token_hash == token_hash)
        .execution_options(populate_existing=True)
    )
    row = found.one_or_none()
    return None if row is None else (row[0], row[1])


async def scim_token_of(
    session: AsyncSession, member: str, token_id: UUID, *, for_change: bool = False
) -> ScimToken:
    """Load a token of a member's directory; for a change the caller has locked the member.

    Raises:
        ScimTokenNotFound: the member has none with this id.
    """
    query = select(ScimToken).where(ScimToken.member == member, ScimToken.id == token_id)
    if for_change:
        query = query.with_for_update().execution_options(populate_existing=True)
    token = await session.scalar(query)
    if token is None:
        raise ScimTokenNotFound(f"{member} has no token with the id {token_id}.")
    return token


async def count_good_tokens(session: AsyncSession, member: str) -> int:
    """Count the tokens of a member's directory that are good."""
    query = (
        select(func.count())
        .select_from(ScimToken)
        .where(ScimToken.member == member, ScimToken.revoked_at.is_(None))
    )
    return await session.scalar(query) or 0


async def list_scim_tokens(
    session: AsyncSession,
    member: str,
    *,
    updated_since: datetime | None,
    sort: Sort,
    paging: Paging,
) -> tuple[Sequence[ScimToken], str | None]:
    """Give a part of the tokens of a member's directory, and the cursor of the next one."""
    query = select(ScimToken).where(ScimToken.member == member)
    if updated_since is not None:
        query = query.where(ScimToken.updated_at >= updated_since)
    return await paging.fetch(
        session, query, *columns_of(ScimToken, ScimToken.id, sort), descending=is_descending(sort)
    )


def is_called(name: str) -> Condition:
    """Of people: the directory calls them so."""
    found: Condition = name_key_of(name) == PERSON_KEY
    return found


def has_address(email: str) -> Condition:
    """Of people: this is their mail address."""
    found: Condition = func.lower(Official.email) == email.lower()
    return found


async def people_of(
    session: AsyncSession,
    member: str,
    *conditions: Condition,
    offset: int = 0,
    limit: int,
) -> list[Person]:
    """Load officials of a member in the order of their appointment, without those erased.

    There are less than `limit` if these are in too many groups; but one if there is any.
    """
    query = (
        select(Official, ScimUser)
        .outerjoin(ScimUser, ScimUser.official_id == Official.id)
        .where(Official.member == member, Official.status != "erased", *conditions)
        .order_by(Official.created_at, Official.id)
        .offset(offset)
        .limit(limit)
        .execution_options(populate_existing=True)
    )
    found = [(row[0], row[1]) for row in await session.execute(query)]
    ids = [official.id for official, _ in found]
    found = found[: await _bearable(session, ScimGroupMember.official_id, ids)]
    groups = await groups_of(session, ids[: len(found)])
    return [Person(official, entry, groups[official.id]) for official, entry in found]


async def count_people(session: AsyncSession, member: str, *conditions: Condition) -> int:
    """Count what `people_of` would give without a limit."""
    query = (
        select(func.count())
        .select_from(Official)
        .outerjoin(ScimUser, ScimUser.official_id == Official.id)
        .where(Official.member == member, Official.status != "erased", *conditions)
    )
    return await session.scalar(query) or 0


async def person_of(session: AsyncSession, member: str, official_id: UUID) -> Person:
    """Load an official of a member.

    Raises:
        OfficialNotFound: the member has none with this id, or nothing is left of them.
    """
    for person in await people_of(session, member, Official.id == official_id, limit=1):
        return person
    raise OfficialNotFound(f"{member} has no official with the id {official_id}.")


async def is_name_taken(session: AsyncSession, member: str, name: str, *, by: UUID | None) -> bool:
    """Tell whether the directory calls somebody else so."""
    query = (
        select(Official.id)
        .outerjoin(ScimUser, ScimUser.official_id == Official.id)
        .where(Official.member == member, Official.status != "erased", is_called(name))
        .limit(2)
    )
    return any(found != by for found in await session.scalars(query))


async def groups_of(
    session: AsyncSession, official_ids: Sequence[UUID]
) -> defaultdict[UUID, tuple[ScimGroup, ...]]:
    """Load the groups that officials are in, by official, in the order of the groups."""
    groups: defaultdict[UUID, tuple[ScimGroup, ...]] = defaultdict(tuple)
    if official_ids:
        query = (
            select(ScimGroupMember.official_id, ScimGroup)
            .join(ScimGroup, ScimGroup.id == ScimGroupMember.group_id)
            .where(ScimGroupMember.official_id.in_(official_ids))
            .order_by(ScimGroup.created_at, ScimGroup.id)
        )
        for official_id, group in await session.execute(query):
            groups[official_id] += (group,)
    return groups


async def group_of(
    session: AsyncSession, member: str, group_id: UUID, *, for_change: bool = False
) -> ScimGroup:
    """Load a group of a member's directory; for a change the caller has locked the member.

    Raises:
        ScimGroupNotFound: the member has none with this id.
    """
    query = select(ScimGroup).where(ScimGroup.member == member, ScimGroup.id == group_id)
    if for_change:
        query = query.with_for_update().execution_options(populate_existing=True)
    group = await session.scalar(query)
    if group is None:
        raise ScimGroupNotFound(f"{member} has no group with the id {group_id}.")
    return group


async def circles_of(
    session: AsyncSession,
    member: str,
    *conditions: Condition,
    offset: int = 0,
    limit: int,
) -> list[Circle]:
    """Load groups of a member's directory, oldest first, with who is in them.

    There are less than `limit` if too many people are in these; but one if there is any.
    """
    query = (
        select(ScimGroup)
        .where(ScimGroup.member == member, *conditions)
        .order_by(ScimGroup.created_at, ScimGroup.id)
        .offset(offset)
        .limit(limit)
        .execution_options(populate_existing=True)
    )
    groups = list(await session.scalars(query))
    ids = [group.id for group in groups]
    groups = groups[: await _bearable(session, ScimGroupMember.group_id, ids)]
    people: defaultdict[UUID, list[UUID]] = defaultdict(list)
    if groups:
        members = (
            select(ScimGroupMember.group_id, ScimGroupMember.official_id)
            .where(ScimGroupMember.group_id.in_([group.id for group in groups]))
            .order_by(ScimGroupMember.official_id)
        )
        for group_id, official_id in await session.execute(members):
            people[group_id].append(official_id)
    return [Circle(group, tuple(people[group.id])) for group in groups]


async def _bearable(session: AsyncSession, key: Any, ids: Sequence[UUID]) -> int:
    """Tell how many of these, from the first one on, can be loaded with all that they include."""
    if len(ids) < 2:
        return len(ids)
    query = select(key, func.count()).where(key.in_(ids)).group_by(key)
    sizes: dict[UUID, int] = {row[0]: row[1] for row in await session.execute(query)}
    together = accumulate(sizes.get(one, 0) for one in ids)
    return max(1, sum(size <= INCLUDED_MAX for size in together))


async def count_groups(session: AsyncSession, member: str, *conditions: Condition) -> int:
    """Count the groups of a member's directory."""
    query = (
        select(func.count()).select_from(ScimGroup).where(ScimGroup.member == member, *conditions)
    )
    return await session.scalar(query) or 0


async def is_group_name_taken(
    session: AsyncSession, member: str, name: str, *, by: UUID | None
) -> bool:
    """Tell whether the directory has another group of this name."""
    query = select(ScimGroup.id).where(
        ScimGroup.member == member, ScimGroup.name_key == name_key_of(name)
    )
    return any(found != by for found in await session.scalars(query))


async def list_scim_groups(
    session: AsyncSession,
    member: str,
    *,
    updated_since: datetime | None,
    sort: Sort,
    paging: Paging,
) -> tuple[Sequence[ScimGroup], str | None]:
    """Give a part of the groups of a member's directory, and the cursor of the next one."""
    query = select(ScimGroup).where(ScimGroup.member == member)
    if updated_since is not None:
        query = query.where(ScimGroup.updated_at >= updated_since)
    return await paging.fetch(
        session, query, *columns_of(ScimGroup, ScimGroup.id, sort), descending=is_descending(sort)
    )


async def members_of(session: AsyncSession, group_id: UUID) -> frozenset[UUID]:
    """Tell which officials are in a group."""
    query = select(ScimGroupMember.official_id).where(ScimGroupMember.group_id == group_id)
    return frozenset(await session.scalars(query))


async def present_officials(
    session: AsyncSession, member: str, official_ids: Iterable[UUID]
) -> frozenset[UUID]:
    """Tell which of these are officials of the member, and not erased."""
    query = select(Official.id).where(
        Official.member == member,
        Official.status != "erased",
        Official.id.in_(list(official_ids)),
    )
    return frozenset(await session.scalars(query))


async def roles_by_other_groups(
    session: AsyncSession, official_id: UUID, *, but: UUID
) -> frozenset[Role]:
    """Tell which roles an official has through groups other than one."""
    query: Any = (
        select(ScimGroup.role)
        .join(ScimGroupMember, ScimGroupMember.group_id == ScimGroup.id)
        .where(
            ScimGroupMember.official_id == official_id,
            ScimGroup.id != but,
            ScimGroup.role.is_not(None),
        )
    )
    return frozenset(await session.scalars(query))
