"""Use case: the directory of a member says something else of a group."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.members.model.scim import ScimNameTaken, name_key_of
from services.members.queries.members import member_with
from services.members.queries.scim import group_of, is_group_name_taken
from services.members.use_cases.enter_by_scim import Directory
from services.members.use_cases.put_into_group import put_into_group
from services.members.use_cases.record import record
from services.members.use_cases.scim_fields import ProvisionedGroupFields


async def change_provisioned_group(
    session: AsyncSession,
    group_id: UUID,
    fields: ProvisionedGroupFields,
    *,
    directory: Directory,
    now: datetime,
) -> None:
    """Take over all that the directory says of a group now: its name, and who is in it.

    The caller has locked the member.

    Raises:
        MemberNotActive: the member is suspended.
        ScimGroupNotFound: the member has no such group.
        ScimNameTaken: another group has this name.
        NoSuchGroupMember: somebody is no official of the member.
        LastAdministrator: the role would be taken from the last one who has it.
    """
    slug = directory.member
    (await member_with(session, slug)).ensure_governed_by(directory.speaker)
    group = await group_of(session, slug, group_id, for_change=True)
    if await is_group_name_taken(session, slug, fields.display_name, by=group_id):
        raise ScimNameTaken("Another group has this displayName.")
    moved = await put_into_group(session, group, fields.members, speaker=directory.speaker, now=now)
    is_renamed = (group.display_name, group.external_id) != (
        fields.display_name,
        fields.external_id,
    )
    if not (moved or is_renamed):
        return
    group.display_name, group.name_key = fields.display_name, name_key_of(fields.display_name)
    group.external_id = fields.external_id
    group.note_change(now)
    await record(
        session,
        member=slug,
        action="scim.group_changed",
        subject=f"scim_group:{group_id}",
        actor=directory.speaker.actor,
        at=now,
        details={"members": len(fields.members)},
    )
