"""Use case: the directory of a member has a group no longer."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.members.queries.members import member_with
from services.members.queries.scim import group_of
from services.members.use_cases.enter_by_scim import Directory
from services.members.use_cases.put_into_group import NOBODY, put_into_group
from services.members.use_cases.record import record


async def remove_provisioned_group(
    session: AsyncSession, group_id: UUID, *, directory: Directory, now: datetime
) -> None:
    """Forget a group; who was in it has its role no longer. The caller has locked the member.

    Raises:
        MemberNotActive: the member is suspended.
        ScimGroupNotFound: the member has no such group.
        LastAdministrator: the role would be taken from the last one who has it.
    """
    slug = directory.member
    (await member_with(session, slug)).ensure_governed_by(directory.speaker)
    group = await group_of(session, slug, group_id, for_change=True)
    await put_into_group(session, group, NOBODY, speaker=directory.speaker, now=now)
    await session.delete(group)
    await record(
        session,
        member=slug,
        action="scim.group_removed",
        subject=f"scim_group:{group_id}",
        actor=directory.speaker.actor,
        at=now,
    )
