"""Tokens for the directory of a member over HTTP. A member sees and makes its own."""

from uuid import UUID

from fastapi import APIRouter, Request, Response

from services.members.http.speakers import CurrentReader, CurrentSpeaker, Speaking
from services.members.model.identity_provider import ProviderNotFound
from services.members.model.member import Member, MemberNotFound
from services.members.model.scim import (
    ScimToken,
    ScimTokenIsRevoked,
    ScimTokenNotFound,
    ScimTokenState,
    TooManyScimTokens,
    ensure_sees_directory_of,
)
from services.members.model.speaker import MemberNotActive, Speaker
from services.members.queries.members import member_with
from services.members.queries.ordering import Sort
from services.members.queries.scim import list_scim_tokens, scim_token_of
from services.members.use_cases.issue_scim_token import issue_scim_token
from services.members.use_cases.revoke_scim_token import revoke_scim_token
from shared.actor import InsufficientUserAuthentication, MissingScope
from shared.fields import Input, Instant, Line, Slug
from shared.http.idempotency import IdempotentSecret
from shared.http.paging import CurrentPaging, CursorUnknown, Page, page
from shared.http.preconditions import ExpectedVersion, VersionRequired, VersionStale, show_version
from shared.http.problems import refusals
from shared.http.recent_login import RecentLogin
from shared.http.transaction import Now, Route, Transaction

router = APIRouter(
    prefix="/api/v1/members/{slug}/scim-tokens",
    tags=["directories"],
    route_class=Route,
    dependencies=[Speaking],
)


class ScimTokenOut(ScimTokenState):
    """A token of the member's directory, without what it says."""

    allowed_actions: list[str]

    @classmethod
    def of(cls, token: ScimToken, member: Member, speaker: Speaker) -> "ScimTokenOut":
        actions = token.allowed_actions(member, speaker)
        return cls(**token.state().model_dump(), allowed_actions=actions)


class NewScimTokenOut(ScimTokenOut):
    """A new token with what it says, which is not shown again."""

    token: str


class ScimTokenIn(Input):
    """A token that the member's directory is to have."""

    name: Line
    identity_provider_id: UUID | None = None
    """Your identity provider at which the directory's `externalId` is the subject of each person.

    Leave it out unless both are of one house: it lets people in who have no verified address.
    """


@router.get("", responses=refusals(MissingScope, ScimTokenNotFound, CursorUnknown))
async def get_scim_tokens(
    slug: Slug,
    request: Request,
    response: Response,
    session: Transaction,
    reader: CurrentReader,
    paging: CurrentPaging,
    updated_since: Instant | None = None,
    sort: Sort = "created",
) -> Page[ScimTokenOut]:
    """List the tokens of your member's directory, also those that have been revoked."""
    ensure_sees_directory_of(slug, reader)
    member = await member_with(session, slug)
    tokens, cursor = await list_scim_tokens(
        session, slug, updated_since=updated_since, sort=sort, paging=paging
    )
    items = [ScimTokenOut.of(token, member, reader) for token in tokens]
    return page(request, response, items, cursor)


@router.get("/{token_id}", responses=refusals(MissingScope, ScimTokenNotFound))
async def get_scim_token(
    slug: Slug, token_id: UUID, response: Response, session: Transaction, reader: CurrentReader
) -> ScimTokenOut:
    """Show a token of your member's directory."""
    ensure_sees_directory_of(slug, reader)
    token = await scim_token_of(session, slug, token_id)
    show_version(response, token.version)
    return ScimTokenOut.of(token, await member_with(session, slug), reader)


@router.post(
    "",
    status_code=201,
    dependencies=[IdempotentSecret],
    responses=refusals(
        MemberNotFound,
        ScimTokenNotFound,
        MissingScope,
        MemberNotActive,
        InsufficientUserAuthentication,
        TooManyScimTokens,
        ProviderNotFound,
    ),
)
async def post_scim_token(
    slug: Slug,
    body: ScimTokenIn,
    response: Response,
    session: Transaction,
    speaker: CurrentSpeaker,
    login: RecentLogin,
    now: Now,
) -> NewScimTokenOut:
    """Make a token for your member's directory, which speaks SCIM 2.0 at `/scim/v2`.

    The answer is the only sight of it. Sent again with the same `Idempotency-Key`, the request gets
    the same answer with the same token.
    """
    issued = await issue_scim_token(
        session,
        slug,
        name=body.name,
        identity_provider_id=body.identity_provider_id,
        speaker=speaker,
        login=login,
        now=now,
    )
    response.headers["Location"] = f"/api/v1/members/{slug}/scim-tokens/{issued.token.id}"
    show_version(response, issued.token.version)
    shown = ScimTokenOut.of(issued.token, await member_with(session, slug), speaker)
    return NewScimTokenOut(**shown.model_dump(), token=issued.secret)


@router.delete(
    "/{token_id}",
    responses=refusals(
        MemberNotFound,
        ScimTokenNotFound,
        MissingScope,
        MemberNotActive,
        VersionRequired,
        VersionStale,
        ScimTokenIsRevoked,
    ),
)
async def delete_scim_token(
    slug: Slug,
    token_id: UUID,
    response: Response,
    session: Transaction,
    speaker: CurrentSpeaker,
    expected: ExpectedVersion,
    now: Now,
) -> ScimTokenOut:
    """Revoke a token for good. What the directory has said with it stays."""
    token = await revoke_scim_token(
        session, slug, token_id, expected=expected, speaker=speaker, now=now
    )
    show_version(response, token.version)
    return ScimTokenOut.of(token, await member_with(session, slug), speaker)
