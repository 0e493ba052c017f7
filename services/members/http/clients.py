"""Clients over HTTP. A member sees its own; the secretariat sees all."""

from datetime import datetime, timedelta
from typing import Annotated, Any, Final

from fastapi import APIRouter, Request, Response
from pydantic import Field, StringConstraints
from sqlalchemy.ext.asyncio import AsyncSession

from services.members.http.settings import CurrentSettings
from services.members.http.speakers import CurrentReader, CurrentSpeaker, Speaking
from services.members.model.client import (
    Client,
    ClientContradictory,
    ClientIsRevoked,
    ClientNotFound,
    ClientOfThePlatform,
    ClientWithoutSecret,
    LogoutAddressNotAllowed,
    NoFormerSecret,
    ScopeReserved,
    ensure_sees_clients_of,
)
from services.members.model.member import Member, MemberNotFound, MembershipEnded
from services.members.model.speaker import (
    MemberNotActive,
    OnlyTheMemberItself,
    OnlyTheSecretariat,
    Speaker,
)
from services.members.queries.clients import client_of, list_clients
from services.members.queries.members import member_with
from services.members.queries.ordering import Sort
from services.members.use_cases.change_client import change_client
from services.members.use_cases.end_former_secret import end_former_secret
from services.members.use_cases.fields import Address, Addresses, ClientFields, PublicKeys, Scopes
from services.members.use_cases.register_client import RegisteredClient, register_client
from services.members.use_cases.replace_client_secret import replace_client_secret
from services.members.use_cases.revoke_client import revoke_client
from shared.actor import InsufficientUserAuthentication, MissingScope
from shared.contracts.members import ClientState, ClientStatus
from shared.fields import OMITTED, Flag, Input, Instant, Line, Slug, Whole
from shared.http.idempotency import IdempotentSecret
from shared.http.paging import CurrentPaging, CursorUnknown, Page, page
from shared.http.preconditions import ExpectedVersion, VersionRequired, VersionStale, show_version
from shared.http.problems import refusals
from shared.http.recent_login import RecentLogin
from shared.http.transaction import Now, Route, Transaction

router = APIRouter(
    prefix="/api/v1/members/{slug}/clients",
    tags=["clients"],
    route_class=Route,
    dependencies=[Speaking],
)

CHANGING = (
    MemberNotFound,
    ClientNotFound,
    OnlyTheMemberItself,
    MissingScope,
    MemberNotActive,
    VersionRequired,
    VersionStale,
    ClientIsRevoked,
)

OVERLAP_SECONDS: Final = 24 * 3600
LONGEST_OVERLAP_SECONDS: Final = 7 * 24 * 3600

ClientId = Annotated[
    str, StringConstraints(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", min_length=2, max_length=120)
]


class ClientOut(ClientState):
    """A machine or an application of a member, without its secret."""

    keys: dict[str, Any] | None
    is_first_party: bool
    former_secret_until: Annotated[
        datetime | None, Field(description="Until when the secret before is good, too.")
    ]
    allowed_actions: list[str]

    @classmethod
    def of(cls, client: Client, member: Member, speaker: Speaker) -> "ClientOut":
        return cls(
            **client.state().model_dump(),
            keys=client.keys,
            is_first_party=client.is_first_party,
            former_secret_until=client.former_secret_until,
            allowed_actions=client.allowed_actions(member, speaker),
        )


class NewClientOut(ClientOut):
    """A new client with its secret, which is not shown again; nothing if it has none."""

    secret: str | None


class ClientSecretIn(Input):
    """How the secrets of a client change over."""

    overlap_seconds: Annotated[
        Whole,
        Field(
            ge=0,
            le=LONGEST_OVERLAP_SECONDS,
            description="How long the former secret stays good; 0 if others may know it.",
        ),
    ] = OVERLAP_SECONDS


USUAL_OVERLAP: Final = ClientSecretIn()


class ClientIn(ClientFields):
    """A machine that is to act for the member, or an application that people are to use."""


class ClientChangeIn(Input):
    """What is to be different; what is left out stays."""

    name: Line = OMITTED
    scopes: Annotated[
        Scopes, Field(description="Tokens that are out keep theirs for some minutes.")
    ] = OMITTED
    keys: PublicKeys = OMITTED
    redirect_uris: Addresses = OMITTED
    post_logout_redirect_uris: Addresses = OMITTED
    backchannel_logout_uri: Address | None = OMITTED
    serves_network: Flag = OMITTED
    requires_dpop: Flag = OMITTED


@router.get("", responses=refusals(MissingScope, MemberNotFound, ClientNotFound, CursorUnknown))
async def get_clients(
    slug: Slug,
    request: Request,
    response: Response,
    session: Transaction,
    reader: CurrentReader,
    paging: CurrentPaging,
    status: ClientStatus | None = None,
    updated_since: Instant | None = None,
    sort: Sort = "created",
) -> Page[ClientOut]:
    """List the clients of a member."""
    ensure_sees_clients_of(slug, reader)
    member = await member_with(session, slug)
    clients, cursor = await list_clients(
        session, slug, status=status, updated_since=updated_since, sort=sort, paging=paging
    )
    items = [ClientOut.of(client, member, reader) for client in clients]
    return page(request, response, items, cursor)


@router.get("/{client_id}", responses=refusals(MissingScope, MemberNotFound, ClientNotFound))
async def get_client(
    slug: Slug,
    client_id: ClientId,
    response: Response,
    session: Transaction,
    reader: CurrentReader,
) -> ClientOut:
    """Show a client."""
    ensure_sees_clients_of(slug, reader)
    member = await member_with(session, slug)
    client = await client_of(session, slug, client_id)
    show_version(response, client.version)
    return ClientOut.of(client, member, reader)


@router.post(
    "",
    status_code=201,
    dependencies=[IdempotentSecret],
    responses=refusals(
        MemberNotFound,
        ClientNotFound,
        OnlyTheMemberItself,
        MissingScope,
        MemberNotActive,
        MembershipEnded,
        InsufficientUserAuthentication,
        ScopeReserved,
        OnlyTheSecretariat,
        LogoutAddressNotAllowed,
        ClientContradictory,
    ),
)
async def post_client(
    slug: Slug,
    body: ClientIn,
    response: Response,
    session: Transaction,
    speaker: CurrentSpeaker,
    settings: CurrentSettings,
    login: RecentLogin,
    now: Now,
) -> NewClientOut:
    """Register a client. Only the member may; the secretariat registers a first one.

    The answer is the only sight of the secret. Sent again with the same `Idempotency-Key`, the
    request gets the same answer with the same secret.
    """
    registered = await register_client(
        session,
        slug,
        body,
        allow_private=settings.identity_allow_private,
        speaker=speaker,
        login=login,
        now=now,
    )
    response.headers["Location"] = f"/api/v1/members/{slug}/clients/{registered.client.id}"
    return await _shown_with_secret(response, session, registered, speaker)


@router.patch(
    "/{client_id}",
    responses=refusals(
        *CHANGING,
        InsufficientUserAuthentication,
        ClientOfThePlatform,
        ScopeReserved,
        OnlyTheSecretariat,
        LogoutAddressNotAllowed,
        ClientContradictory,
    ),
)
async def patch_client(
    slug: Slug,
    client_id: ClientId,
    body: ClientChangeIn,
    response: Response,
    session: Transaction,
    speaker: CurrentSpeaker,
    expected: ExpectedVersion,
    settings: CurrentSettings,
    login: RecentLogin,
    now: Now,
) -> ClientOut:
    """Give a client another name, other scopes, keys or addresses. Only the member may."""
    client = await change_client(
        session,
        slug,
        client_id,
        body.model_dump(exclude_unset=True),
        expected=expected,
        allow_private=settings.identity_allow_private,
        speaker=speaker,
        login=login,
        now=now,
    )
    return await _shown(response, session, client, speaker)


@router.post(
    "/{client_id}/secret",
    dependencies=[IdempotentSecret],
    responses=refusals(
        *CHANGING,
        InsufficientUserAuthentication,
        ClientWithoutSecret,
    ),
)
async def post_client_secret(
    slug: Slug,
    client_id: ClientId,
    response: Response,
    session: Transaction,
    speaker: CurrentSpeaker,
    expected: ExpectedVersion,
    login: RecentLogin,
    now: Now,
    body: ClientSecretIn = USUAL_OVERLAP,
) -> NewClientOut:
    """Give a client another secret. Only the member may.

    The former one stays good for a day unless the request says otherwise, so that nothing stops
    meanwhile; the one before it does not. The answer is the only sight of the new one. Sent again
    with the same `Idempotency-Key`, the request gets the same answer with the same secret.
    """
    replaced = await replace_client_secret(
        session,
        slug,
        client_id,
        overlap=timedelta(seconds=body.overlap_seconds),
        expected=expected,
        speaker=speaker,
        login=login,
        now=now,
    )
    return await _shown_with_secret(response, session, replaced, speaker)


@router.delete("/{client_id}/former-secret", responses=refusals(*CHANGING, NoFormerSecret))
async def delete_client_former_secret(
    slug: Slug,
    client_id: ClientId,
    response: Response,
    session: Transaction,
    speaker: CurrentSpeaker,
    expected: ExpectedVersion,
    now: Now,
) -> ClientOut:
    """Let the former secret of a client be good no longer. Only the member may."""
    client = await end_former_secret(
        session, slug, client_id, expected=expected, speaker=speaker, now=now
    )
    return await _shown(response, session, client, speaker)


@router.delete(
    "/{client_id}",
    responses=refusals(*CHANGING, ClientOfThePlatform),
)
async def delete_client(
    slug: Slug,
    client_id: ClientId,
    response: Response,
    session: Transaction,
    speaker: CurrentSpeaker,
    expected: ExpectedVersion,
    now: Now,
) -> ClientOut:
    """Revoke a client for good. Only the member may; its history stays."""
    client = await revoke_client(
        session, slug, client_id, expected=expected, speaker=speaker, now=now
    )
    return await _shown(response, session, client, speaker)


async def _shown(
    response: Response, session: AsyncSession, client: Client, speaker: Speaker
) -> ClientOut:
    show_version(response, client.version)
    return ClientOut.of(client, await member_with(session, client.member), speaker)


async def _shown_with_secret(
    response: Response, session: AsyncSession, registered: RegisteredClient, speaker: Speaker
) -> NewClientOut:
    shown = await _shown(response, session, registered.client, speaker)
    return NewClientOut(**shown.model_dump(), secret=registered.secret)
