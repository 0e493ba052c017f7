"""Officials over HTTP."""

from collections.abc import Set as AbstractSet
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Request, Response
from pydantic import Field

from services.members.http.speakers import CurrentSpeaker, Speaking
from services.members.model.member import Member, MemberNotFound, MembershipEnded
from services.members.model.official import (
    LastAdministrator,
    Official,
    OfficialErased,
    OfficialNotFound,
)
from services.members.model.speaker import MemberNotActive, OnlyTheMemberItself, Speaker
from services.members.queries.members import member_with
from services.members.queries.officials import administrators_of, list_officials, official_of
from services.members.queries.ordering import Sort
from services.members.use_cases.appoint_official import appoint_official
from services.members.use_cases.change_official import change_official
from services.members.use_cases.erase_official import erase_official
from services.members.use_cases.fields import OfficialFields, Roles
from shared.actor import InsufficientUserAuthentication, MissingScope
from shared.contracts.members import OfficialState, OfficialStatus, Role
from shared.fields import OMITTED, Email, Input, Instant, LanguageTag, Line, Lines, Slug
from shared.http.idempotency import Idempotent
from shared.http.paging import CurrentPaging, CursorUnknown, Page, page
from shared.http.preconditions import ExpectedVersion, VersionRequired, VersionStale, show_version
from shared.http.problems import refusals
from shared.http.recent_login import RecentLogin
from shared.http.transaction import Now, Route, Transaction

router = APIRouter(
    prefix="/api/v1/members/{slug}/officials",
    tags=["officials"],
    route_class=Route,
    dependencies=[Speaking],
)


class OfficialOut(OfficialState):
    """An official. Only its own member sees name and address; for others they are null."""

    allowed_actions: list[str]

    @classmethod
    def of(
        cls, official: Official, member: Member, speaker: Speaker, admins: AbstractSet[UUID]
    ) -> "OfficialOut":
        fields = official.state().model_dump()
        if speaker.member != official.member:
            fields |= {"name": None, "email": None}
        actions = official.allowed_actions(member, speaker, admins)
        return cls(**fields, allowed_actions=actions)


class OfficialIn(OfficialFields):
    """A person who begins to act for the member."""


class OfficialChangeIn(Input):
    """What is to be different; what is left out stays."""

    function: Lines = OMITTED
    name: Line | None = OMITTED
    email: Email | None = OMITTED
    language: LanguageTag = OMITTED
    roles: Roles = OMITTED
    status: Annotated[
        Literal["active", "blocked"], Field(description="A blocked official cannot act.")
    ] = OMITTED


@router.get("", responses=refusals(MissingScope, MemberNotActive, MemberNotFound, CursorUnknown))
async def get_officials(
    slug: Slug,
    request: Request,
    response: Response,
    session: Transaction,
    speaker: CurrentSpeaker,
    paging: CurrentPaging,
    status: OfficialStatus | None = None,
    role: Role | None = None,
    updated_since: Instant | None = None,
    sort: Sort = "created",
) -> Page[OfficialOut]:
    """List the officials of a member; without their names to other members."""
    speaker.ensure_sees_officials_of(slug)
    member = await member_with(session, slug)
    officials, cursor = await list_officials(
        session,
        slug,
        status=status,
        role=role,
        updated_since=updated_since,
        sort=sort,
        paging=paging,
    )
    admins = await administrators_of(session, slug)
    items = [OfficialOut.of(official, member, speaker, admins) for official in officials]
    return page(request, response, items, cursor)


@router.get(
    "/{official_id}",
    responses=refusals(MissingScope, MemberNotActive, MemberNotFound, OfficialNotFound),
)
async def get_official(
    slug: Slug,
    official_id: UUID,
    response: Response,
    session: Transaction,
    speaker: CurrentSpeaker,
) -> OfficialOut:
    """Show an official; without name and address to other members."""
    speaker.ensure_sees_officials_of(slug)
    member = await member_with(session, slug)
    official = await official_of(session, slug, official_id)
    show_version(response, official.version)
    return OfficialOut.of(official, member, speaker, await administrators_of(session, slug))


@router.post(
    "",
    status_code=201,
    dependencies=[Idempotent],
    responses=refusals(
        MemberNotFound,
        OnlyTheMemberItself,
        MissingScope,
        MemberNotActive,
        MembershipEnded,
        InsufficientUserAuthentication,
    ),
)
async def post_official(
    slug: Slug,
    body: OfficialIn,
    response: Response,
    session: Transaction,
    speaker: CurrentSpeaker,
    login: RecentLogin,
    now: Now,
) -> OfficialOut:
    """Appoint an official. Only the member may; the secretariat appoints a first administrator."""
    fields = OfficialFields(**body.model_dump())
    official = await appoint_official(session, slug, fields, speaker=speaker, login=login, now=now)
    response.headers["Location"] = f"/api/v1/members/{slug}/officials/{official.id}"
    show_version(response, official.version)
    member = await member_with(session, slug)
    return OfficialOut.of(official, member, speaker, await administrators_of(session, slug))


@router.patch(
    "/{official_id}",
    responses=refusals(
        MemberNotFound,
        OnlyTheMemberItself,
        MissingScope,
        MemberNotActive,
        OfficialNotFound,
        VersionRequired,
        VersionStale,
        InsufficientUserAuthentication,
        OfficialErased,
        LastAdministrator,
    ),
)
async def patch_official(
    slug: Slug,
    official_id: UUID,
    body: OfficialChangeIn,
    response: Response,
    session: Transaction,
    speaker: CurrentSpeaker,
    expected: ExpectedVersion,
    login: RecentLogin,
    now: Now,
) -> OfficialOut:
    """Correct, block or unblock an official. Only the member may; one administrator stays."""
    official = await change_official(
        session,
        slug,
        official_id,
        body.model_dump(exclude_unset=True),
        expected=expected,
        speaker=speaker,
        login=login,
        now=now,
    )
    show_version(response, official.version)
    member = await member_with(session, slug)
    return OfficialOut.of(official, member, speaker, await administrators_of(session, slug))


@router.post(
    "/{official_id}/erasure",
    dependencies=[Idempotent],
    responses=refusals(
        MemberNotFound,
        OnlyTheMemberItself,
        MissingScope,
        MemberNotActive,
        OfficialNotFound,
        VersionRequired,
        VersionStale,
        InsufficientUserAuthentication,
        OfficialErased,
        LastAdministrator,
    ),
)
async def post_official_erasure(
    slug: Slug,
    official_id: UUID,
    response: Response,
    session: Transaction,
    speaker: CurrentSpeaker,
    expected: ExpectedVersion,
    login: RecentLogin,
    now: Now,
) -> OfficialOut:
    """Forget who an official was, for good. Only the member may; one administrator stays."""
    official = await erase_official(
        session, slug, official_id, expected=expected, speaker=speaker, login=login, now=now
    )
    show_version(response, official.version)
    member = await member_with(session, slug)
    return OfficialOut.of(official, member, speaker, await administrators_of(session, slug))
