"""Clients over HTTP. A member sees its own; the secretariat sees all."""

from typing import Annotated, Any

from fastapi import APIRouter, Request, Response
from pydantic import Field, StringConstraints

from services.members.http.speakers import CurrentReader, CurrentSpeaker, Speaking
from services.members.model.client import (
    Client,
    ClientContradictory,
    ClientIsRevoked,
    ClientNotFound,
    ClientWithoutSecret,
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
from services.members.use_cases.fields import Addresses, ClientFields, PublicKeys, Scopes
from services.members.use_cases.register_client import register_client
from services.members.use_cases.replace_client_secret import replace_client_secret
from services.members.use_cases.revoke_client import revoke_client
from shared.actor import MissingScope
from shared.contracts.members import ClientState, ClientStatus
from shared.fields import OMITTED, Flag, Input, Instant, Line, Slug
from shared.http.idempotency import IdempotentSecret
from shared.http.paging import CurrentPaging, CursorUnknown, Page, page
from shared.http.preconditions import ExpectedVersion, VersionRequired, VersionStale, show_version
from shared.http.problems import refusals
from shared.http.transaction import Now, Route, Transaction

router = APIRouter(
    prefix="/api/v1/members/{slug}/clients",
    tags=["clients"],
    route_class=Route,
    dependencies=[Speaking],
)

ClientId = Annotated[
    str, StringConstraints(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", min_length=2, max_length=120)
]


class ClientOut(ClientState):
    """A machine or an application of a member, without its secret."""

    keys: dict[str, Any] | None
    is_first_party: bool
    allowed_actions: list[str]

    @classmethod
    def of(cls, client: Client, member: Member, speaker: Speaker) -> "ClientOut":
        return cls(
            **client.state().model_dump(),
            keys=client.keys,
            is_first_party=client.is_first_party,
            allowed_actions=client.allowed_actions(member, speaker),
        )


class NewClientOut(ClientOut):
    """A new client with its secret, which is not shown again; nothing if it has none."""

    secret: str | None


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
        ScopeReserved,
        OnlyTheSecretariat,
        ClientContradictory,
    ),
)
async def post_client(
    slug: Slug,
    body: ClientIn,
    response: Response,
    session: Transaction,
    speaker: CurrentSpeaker,
    now: Now,
) -> NewClientOut:
    """Register a client. Only the member may; the secretariat registers a first one.

    The answer is the only sight of the secret. Sent again with the same `Idempotency-Key`, the
    request gets the same answer with the same secret.
    """
    registered = await register_client(session, slug, body, speaker=speaker, now=now)
    client = registered.client
    response.headers["Location"] = f"/api/v1/members/{slug}/clients/{client.id}"
    show_version(response, client.version)
    shown = ClientOut.of(client, await member_with(session, slug), speaker)
    return NewClientOut(**shown.model_dump(), secret=registered.secret)


@router.patch(
    "/{client_id}",
    responses=refusals(
        MemberNotFound,
        ClientNotFound,
        OnlyTheMemberItself,
        MissingScope,
        MemberNotActive,
        VersionRequired,
        VersionStale,
        ClientIsRevoked,
        ScopeReserved,
        OnlyTheSecretariat,
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
    now: Now,
) -> ClientOut:
    """Give a client another name, other scopes, keys or addresses. Only the member may."""
    client = await change_client(
        session,
        slug,
        client_id,
        body.model_dump(exclude_unset=True),
        expected=expected,
        speaker=speaker,
        now=now,
    )
    show_version(response, client.version)
    return ClientOut.of(client, await member_with(session, slug), speaker)


@router.post(
    "/{client_id}/secret",
    dependencies=[IdempotentSecret],
    responses=refusals(
        MemberNotFound,
        ClientNotFound,
        OnlyTheMemberItself,
        MissingScope,
        MemberNotActive,
        VersionRequired,
        VersionStale,
        ClientIsRevoked,
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
    now: Now,
) -> NewClientOut:
    """Give a client another secret; the former one is good no longer. Only the member may.

    The answer is the only sight of the secret. Sent again with the same `Idempotency-Key`, the
    request gets the same answer with the same secret. A client that must not pause meanwhile uses
    keys (`private_key_jwt`), of which several are good at once.
    """
    replaced = await replace_client_secret(
        session, slug, client_id, expected=expected, speaker=speaker, now=now
    )
    show_version(response, replaced.client.version)
    shown = ClientOut.of(replaced.client, await member_with(session, slug), speaker)
    return NewClientOut(**shown.model_dump(), secret=replaced.secret)


@router.delete(
    "/{client_id}",
    responses=refusals(
        MemberNotFound,
        ClientNotFound,
        OnlyTheMemberItself,
        MissingScope,
        MemberNotActive,
        VersionRequired,
        VersionStale,
        ClientIsRevoked,
    ),
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
    show_version(response, client.version)
    return ClientOut.of(client, await member_with(session, slug), speaker)
