"""Use case: the directory of a member says something else of somebody."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.members.model.official import NEWCOMER, Official
from services.members.model.scim import ScimNameTaken, status_for
from services.members.queries.scim import is_name_taken, person_of
from services.members.use_cases.change_official import change_official
from services.members.use_cases.enter_by_scim import Directory
from services.members.use_cases.provision_official import entry_of, said_of
from services.members.use_cases.record import record
from services.members.use_cases.scim_fields import ProvisionedFields
from shared.actor import ANY_LOGIN


async def change_provisioned_official(
    session: AsyncSession,
    official_id: UUID,
    fields: ProvisionedFields,
    *,
    directory: Directory,
    now: datetime,
) -> None:
    """Take over all that the directory says of an official now.

    Who is active no more is blocked, and what they were logged in to has ended. The caller has
    locked the member.

    Raises:
        OfficialNotFound: the member has no such official.
        ScimNameTaken: the directory calls somebody else so.
        BlockedByHand: an administrator has blocked the official, who is to be active.
        LastAdministrator: nobody else could act as one.
        MemberNotActive: the member is suspended.
    """
    person = await person_of(session, directory.member, official_id)
    if await is_name_taken(session, directory.member, fields.user_name, by=official_id):
        raise ScimNameTaken("Somebody else has this userName.")
    changed = await change_official(
        session,
        directory.member,
        official_id,
        _wanted(person.official, fields),
        expected=None,
        speaker=directory.speaker,
        login=ANY_LOGIN,
        now=now,
    )
    if person.entry is None:
        session.add(entry_of(changed, fields, directory=directory, now=now))
    elif not person.entry.change(said_of(fields, directory=directory), at=now):
        return
    await record(
        session,
        member=directory.member,
        action="scim.user_changed",
        subject=f"official:{official_id}",
        actor=directory.speaker.actor,
        at=now,
    )


def _wanted(official: Official, fields: ProvisionedFields) -> dict[str, Any]:
    """Name how the official is to be; what the directory leaves open stays."""
    wanted: dict[str, Any] = {"name": fields.name, "email": fields.email}
    if fields.language is not None:
        wanted["language"] = fields.language
    if fields.title != title_of(official):
        wanted["function"] = fields.function
    status = status_for(official, active=fields.active)
    if status != official.status:
        wanted |= {"status": status, "is_deactivated": status == "blocked"}
    return wanted


def title_of(official: Official) -> str | None:
    """Give the function in the person's own language, as the directory knows it."""
    if official.function == NEWCOMER:
        return None
    said = official.function
    return said.get(official.language) or said.get("en") or next(iter(said.values()))
