"""Use case: a member says what a group of its directory stands for."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.members.model.rights import are_more
from services.members.model.scim import ScimGroup, ensure_sees_directory_of
from services.members.model.speaker import Speaker
from services.members.queries.members import member_for_change, speaker_of
from services.members.queries.scim import group_of, members_of
from services.members.use_cases.put_into_group import give_role, take_role
from services.members.use_cases.record import record
from shared.actor import LoginDemand
from shared.contracts.members import Role
from shared.http.preconditions import ensure_version


async def give_scim_group_role(
    session: AsyncSession,
    slug: str,
    group_id: UUID,
    role: Role | None,
    *,
    expected: int | None,
    speaker: Speaker,
    login: LoginDemand,
    now: datetime,
) -> ScimGroup:
    """Let a group stand for a role, or for none: everybody in it gets or loses it.

    Raises:
        MemberNotFound: there is no such member.
        SpeakerUnknown: the speaker may not act any more.
        ScimTokenNotFound: the speaker is another member.
        ScimGroupNotFound: the member has no such group.
        MissingScope: the token does not cover it.
        MemberNotActive: the member is suspended or has withdrawn.
        VersionStale: it is at another version than `expected`.
        InsufficientUserAuthentication: the role covers more than the one before, and the login
            behind the token does not meet `login`.
        LastAdministrator: the role would be taken from the last one who has it.
    """
    member = await member_for_change(session, slug)
    # Once more: while this waited for its turn, the speaker may have lost the right to do it.
    speaker = await speaker_of(session, speaker.actor)
    ensure_sees_directory_of(slug, speaker)
    group = await group_of(session, slug, group_id, for_change=True)
    member.ensure_governed_by(speaker)
    ensure_version(expected, group.state())
    former = group.role
    if role == former:
        return group
    if are_more(_all_of(role), than=_all_of(former)):
        speaker.actor.ensure_logged_in(login, at=now)
    group.role = role
    group.note_change(now)
    people = await members_of(session, group_id)
    if role is not None:
        await give_role(session, group, role, to=people, speaker=speaker, now=now)
    if former is not None:
        await take_role(session, group, former, of=people, speaker=speaker, now=now)
    await record(
        session,
        member=slug,
        action="scim.group_role_given",
        subject=f"scim_group:{group_id}",
        actor=speaker.actor,
        at=now,
        details={"role": role, "former_role": former},
    )
    return group


def _all_of(role: Role | None) -> tuple[Role, ...]:
    return () if role is None else (role,)
