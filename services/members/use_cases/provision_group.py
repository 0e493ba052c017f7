"""Use case: the directory of a member tells of a new group."""

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from services.members.model.scim import (
    GROUPS_MAX,
    ScimGroup,
    ScimNameTaken,
    TooManyScimGroups,
    name_key_of,
)
from services.members.queries.members import member_with
from services.members.queries.scim import count_groups, is_group_name_taken
from services.members.use_cases.enter_by_scim import Directory
from services.members.use_cases.put_into_group import put_into_group
from services.members.use_cases.record import record
from services.members.use_cases.scim_fields import ProvisionedGroupFields


async def provision_group(
    session: AsyncSession, fields: ProvisionedGroupFields, *, directory: Directory, now: datetime
) -> ScimGroup:
    """Keep a group with those who are in it. It stands for no role until somebody says so.

    The caller has locked the member.

    Raises:
        MemberNotActive: the member is suspended.
        TooManyScimGroups: there are as many as there can be.
        ScimNameTaken: another group has this name.
        NoSuchGroupMember: somebody is no official of the member.
    """
    slug = directory.member
    (await member_with(session, slug)).ensure_governed_by(directory.speaker)
    if await count_groups(session, slug) >= GROUPS_MAX:
        raise TooManyScimGroups(f"There can be {GROUPS_MAX}.")
    if await is_group_name_taken(session, slug, fields.display_name, by=None):
        raise ScimNameTaken("Another group has this displayName.")
    group = ScimGroup(
        member=slug,
        display_name=fields.display_name,
        name_key=name_key_of(fields.display_name),
        external_id=fields.external_id,
        created_at=now,
        updated_at=now,
    )
    session.add(group)
    await session.flush()
    await put_into_group(session, group, fields.members, speaker=directory.speaker, now=now)
    await record(
        session,
        member=slug,
        action="scim.group_created",
        subject=f"scim_group:{group.id}",
        actor=directory.speaker.actor,
        at=now,
        details={"members": len(fields.members)},
    )
    return group
