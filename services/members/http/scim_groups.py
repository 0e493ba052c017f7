"""Groups of a member's directory over HTTP: which role each stands for."""

from uuid import UUID

from fastapi import APIRouter, Request, Response

from services.members.http.speakers import CurrentReader, CurrentSpeaker, Speaking
from services.members.model.member import Member, MemberNotFound
from services.members.model.official import LastAdministrator
from services.members.model.scim import (
    ScimGroup,
    ScimGroupNotFound,
    ScimGroupState,
    ScimTokenNotFound,
    ensure_sees_directory_of,
)
from services.members.model.speaker import MemberNotActive, Speaker
from services.members.queries.members import member_with
from services.members.queries.ordering import Sort
from services.members.queries.scim import group_of, list_scim_groups
from services.members.use_cases.give_scim_group_role import give_scim_group_role
from shared.actor import InsufficientUserAuthentication, MissingScope
from shared.contracts.members import Role
from shared.fields import Input, Instant, Slug
from shared.http.paging import CurrentPaging, CursorUnknown, Page, page
from shared.http.preconditions import ExpectedVersion, VersionRequired, VersionStale, show_version
from shared.http.problems import refusals
from shared.http.recent_login import RecentLogin
from shared.http.transaction import Now, Route, Transaction
from shared.refusals import permits

router = APIRouter(
    prefix="/api/v1/members/{slug}/scim-groups",
    tags=["directories"],
    route_class=Route,
    dependencies=[Speaking],
)


class ScimGroupOut(ScimGroupState):
    """A group of the member's directory, and the role that it stands for."""

    allowed_actions: list[str]

    @classmethod
    def of(cls, group: ScimGroup, member: Member, speaker: Speaker) -> "ScimGroupOut":
        actions = ["change"] if permits(member.ensure_governed_by, speaker) else []
        return cls(**group.state().model_dump(), allowed_actions=actions)


class ScimGroupChangeIn(Input):
    """What the group is to stand for; nothing stands for no role."""

    role: Role | None


@router.get("", responses=refusals(MissingScope, ScimTokenNotFound, CursorUnknown))
async def get_scim_groups(
    slug: Slug,
    request: Request,
    response: Response,
    session: Transaction,
    reader: CurrentReader,
    paging: CurrentPaging,
    updated_since: Instant | None = None,
    sort: Sort = "created",
) -> Page[ScimGroupOut]:
    """List the groups that your member's directory has told of."""
    ensure_sees_directory_of(slug, reader)
    member = await member_with(session, slug)
    groups, cursor = await list_scim_groups(
        session, slug, updated_since=updated_since, sort=sort, paging=paging
    )
    items = [ScimGroupOut.of(group, member, reader) for group in groups]
    return page(request, response, items, cursor)


@router.get("/{group_id}", responses=refusals(MissingScope, ScimTokenNotFound, ScimGroupNotFound))
async def get_scim_group(
    slug: Slug, group_id: UUID, response: Response, session: Transaction, reader: CurrentReader
) -> ScimGroupOut:
    """Show a group that your member's directory has told of."""
    ensure_sees_directory_of(slug, reader)
    group = await group_of(session, slug, group_id)
    show_version(response, group.version)
    return ScimGroupOut.of(group, await member_with(session, slug), reader)


@router.patch(
    "/{group_id}",
    responses=refusals(
        MemberNotFound,
        ScimTokenNotFound,
        ScimGroupNotFound,
        MissingScope,
        MemberNotActive,
        VersionRequired,
        VersionStale,
        InsufficientUserAuthentication,
        LastAdministrator,
    ),
)
async def patch_scim_group(
    slug: Slug,
    group_id: UUID,
    body: ScimGroupChangeIn,
    response: Response,
    session: Transaction,
    speaker: CurrentSpeaker,
    expected: ExpectedVersion,
    login: RecentLogin,
    now: Now,
) -> ScimGroupOut:
    """Say which role a group stands for. Everybody in it has the role from now on, or loses it."""
    group = await give_scim_group_role(
        session,
        slug,
        group_id,
        body.role,
        expected=expected,
        speaker=speaker,
        login=login,
        now=now,
    )
    show_version(response, group.version)
    return ScimGroupOut.of(group, await member_with(session, slug), speaker)
