"""Use case: the directory of a member tells of somebody new."""

from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from services.members.model.official import Official
from services.members.model.scim import ScimNameTaken, ScimUser, name_key_of
from services.members.queries.scim import is_name_taken
from services.members.use_cases.appoint_official import appoint_official
from services.members.use_cases.change_official import change_official
from services.members.use_cases.enter_by_scim import Directory
from services.members.use_cases.scim_fields import (
    DEFAULT_LANGUAGE,
    ProvisionedFields,
    ProvisionedOfficialFields,
)
from shared.actor import ANY_LOGIN


async def provision_official(
    session: AsyncSession, fields: ProvisionedFields, *, directory: Directory, now: datetime
) -> Official:
    """Appoint an official whom the directory knows. Roles come with groups.

    The caller has locked the member.

    Raises:
        ScimNameTaken: the directory calls somebody else so.
        MemberNotActive: the member is suspended.
    """
    if await is_name_taken(session, directory.member, fields.user_name, by=None):
        raise ScimNameTaken("Somebody else has this userName.")
    official = await appoint_official(
        session,
        directory.member,
        ProvisionedOfficialFields(
            function=fields.function,
            name=fields.name,
            email=fields.email,
            language=fields.language or DEFAULT_LANGUAGE,
        ),
        speaker=directory.speaker,
        login=ANY_LOGIN,
        now=now,
    )
    session.add(entry_of(official, fields, directory=directory, now=now))
    if fields.active is False:
        await session.flush()
        await change_official(
            session,
            directory.member,
            official.id,
            {"status": "blocked", "is_deactivated": True},
            expected=None,
            speaker=directory.speaker,
            login=ANY_LOGIN,
            now=now,
        )
    return official


def entry_of(
    official: Official, fields: ProvisionedFields, *, directory: Directory, now: datetime
) -> ScimUser:
    """Make what is kept of an official of whom the directory speaks for the first time."""
    return ScimUser(
        official_id=official.id,
        member=official.member,
        **said_of(fields, directory=directory),
        created_at=now,
        updated_at=now,
    )


def said_of(fields: ProvisionedFields, *, directory: Directory) -> dict[str, Any]:
    """Give what is kept of the directory's words beside the official."""
    return {
        "user_name": fields.user_name,
        "user_name_key": name_key_of(fields.user_name),
        "external_id": fields.external_id,
        "subject_space": None if fields.external_id is None else directory.subject_space,
        "email_type": fields.email_type,
        "email_is_primary": fields.email_is_primary,
        "unassigned": fields.unassigned,
    }
