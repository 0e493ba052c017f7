"""Use case: the people in a group of the directory are others, and with them who has its role."""

from collections.abc import Set as AbstractSet
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import delete, insert
from sqlalchemy.ext.asyncio import AsyncSession

from services.members.model.scim import ScimGroup, ScimGroupMember, roles_with
from services.members.model.speaker import Speaker
from services.members.queries.officials import official_of
from services.members.queries.scim import members_of, present_officials, roles_by_other_groups
from services.members.use_cases.change_official import change_official
from shared.actor import ANY_LOGIN
from shared.contracts.members import Role
from shared.refusals import Invalid

NOBODY: Final[frozenset[UUID]] = frozenset()


class NoSuchGroupMember(Invalid):
    code = "no-such-group-member"
    title = "A group has officials of its member in it"


async def put_into_group(
    session: AsyncSession,
    group: ScimGroup,
    official_ids: AbstractSet[UUID],
    *,
    speaker: Speaker,
    now: datetime,
) -> bool:
    """Let exactly these officials be in a group, and have its role by that.

    Whoever comes gets the role first, so that a new administrator can follow upon the last one.
    The caller has locked the member.

    Returns:
        Whether others are in it now.

    Raises:
        NoSuchGroupMember: somebody is no official of the member.
        LastAdministrator: the role would be taken from the last one who has it.
    """
    present = await members_of(session, group.id)
    come, gone = official_ids - present, present - official_ids
    if await present_officials(session, group.member, come) != come:
        raise NoSuchGroupMember("Nobody has one of these ids.")
    if come:
        rows = [{"group_id": group.id, "official_id": one} for one in sorted(come)]
        await session.execute(insert(ScimGroupMember), rows)
    if gone:
        await session.execute(
            delete(ScimGroupMember).where(
                ScimGroupMember.group_id == group.id, ScimGroupMember.official_id.in_(gone)
            )
        )
    if group.role is not None:
        await give_role(session, group, group.role, to=come, speaker=speaker, now=now)
        await take_role(session, group, group.role, of=gone, speaker=speaker, now=now)
    return bool(come or gone)


async def give_role(
    session: AsyncSession,
    group: ScimGroup,
    role: Role,
    *,
    to: AbstractSet[UUID],
    speaker: Speaker,
    now: datetime,
) -> None:
    """Give people of a group its role."""
    for official_id in sorted(to):
        await _change_roles(
            session, group.member, official_id, given={role}, taken=set(), speaker=speaker, now=now
        )


async def take_role(
    session: AsyncSession,
    group: ScimGroup,
    role: Role,
    *,
    of: AbstractSet[UUID],
    speaker: Speaker,
    now: datetime,
) -> None:
    """Take a group's role from people who do not have it by another group, too.

    Raises:
        LastAdministrator: it would be taken from the last one who has it.
    """
    for official_id in sorted(of):
        if role not in await roles_by_other_groups(session, official_id, but=group.id):
            await _change_roles(
                session,
                group.member,
                official_id,
                given=set(),
                taken={role},
                speaker=speaker,
                now=now,
            )


async def _change_roles(
    session: AsyncSession,
    member: str,
    official_id: UUID,
    *,
    given: AbstractSet[Role],
    taken: AbstractSet[Role],
    speaker: Speaker,
    now: datetime,
) -> None:
    await session.flush()
    official = await official_of(session, member, official_id)
    roles = roles_with(official.roles, given=frozenset(given), taken=frozenset(taken))
    if roles != official.roles:
        await change_official(
            session,
            member,
            official_id,
            {"roles": roles},
            expected=None,
            speaker=speaker,
            login=ANY_LOGIN,  # whoever made the group one of administrators was asked for theirs
            now=now,
        )
