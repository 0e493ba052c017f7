"""Identity providers over HTTP. A member sees its own, and only the member itself changes them."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Request, Response
from pydantic import Field

from services.members.http.settings import CurrentSeals, CurrentSettings
from services.members.http.speakers import CurrentReader, CurrentSpeaker, Speaking
from services.members.model.identity_provider import (
    IdentityProvider,
    IdentityProviderState,
    IssuerNotAllowed,
    IssuerServesEveryone,
    ProviderAuthentication,
    ProviderExists,
    ProviderIsActive,
    ProviderIsRetired,
    ProviderNotFound,
    ProviderNotTested,
    ProviderStatus,
    SubjectClaim,
    UnknownPeople,
    UnknownRoleContradictory,
    ensure_sees_providers_of,
)
from services.members.model.member import Member, MemberNotFound
from services.members.model.speaker import MemberNotActive, Speaker
from services.members.queries.identity_providers import list_providers, provider_of
from services.members.queries.members import member_with
from services.members.queries.ordering import Sort
from services.members.use_cases.activate_identity_provider import activate_identity_provider
from services.members.use_cases.change_identity_provider import change_identity_provider
from services.members.use_cases.offer_test_login import offer_test_login
from services.members.use_cases.provider_fields import (
    Algorithms,
    ClaimName,
    Issuer,
    ProviderFields,
    RoleOfGroup,
    Scopes,
    Secret,
    StrongAcr,
    Visible,
)
from services.members.use_cases.register_identity_provider import register_identity_provider
from services.members.use_cases.retire_identity_provider import retire_identity_provider
from shared.actor import InsufficientUserAuthentication, MissingScope
from shared.contracts.members import Role
from shared.fields import OMITTED, Input, Instant, Line, Output, Slug
from shared.http.idempotency import Idempotent, IdempotentSecret
from shared.http.paging import CurrentPaging, CursorUnknown, Page, page
from shared.http.preconditions import ExpectedVersion, VersionRequired, VersionStale, show_version
from shared.http.problems import refusals
from shared.http.recent_login import RecentLogin
from shared.http.transaction import Now, Route, Transaction

router = APIRouter(
    prefix="/api/v1/members/{slug}/identity-providers",
    tags=["identity providers"],
    route_class=Route,
    dependencies=[Speaking],
)

CHANGING = (
    MemberNotFound,
    ProviderNotFound,
    MissingScope,
    MemberNotActive,
    VersionRequired,
    VersionStale,
    ProviderIsRetired,
)


class IdentityProviderOut(IdentityProviderState):
    """Where officials of the member log in. The secret is shown to nobody."""

    is_tested: Annotated[
        bool, Field(description="Whether a test login succeeded with what is configured now.")
    ]
    has_next_secret: Annotated[
        bool, Field(description="Whether a new secret takes over when a test login succeeds.")
    ]
    callback_url: Annotated[str, Field(description="What the provider must send people back to.")]
    backchannel_logout_url: str
    post_logout_url: str
    allowed_actions: list[str]

    @classmethod
    def of(
        cls, provider: IdentityProvider, member: Member, speaker: Speaker, *, issuer: str
    ) -> "IdentityProviderOut":
        base = f"{issuer}/login/{provider.member}"
        return cls(
            **provider.state().model_dump(),
            callback_url=f"{base}/callback",
            backchannel_logout_url=f"{base}/backchannel-logout",
            post_logout_url=f"{base}/logged-out",
            allowed_actions=provider.allowed_actions(member, speaker),
        )


class IdentityProviderIn(ProviderFields):
    """An identity provider of the member, and what we authenticate with there."""

    client_secret: Secret


class IdentityProviderChangeIn(Input):
    """What is to be different; what is left out stays."""

    name: Line = OMITTED
    issuer: Issuer = OMITTED
    client_id: Visible = OMITTED
    client_secret: Secret = OMITTED
    authentication: ProviderAuthentication = OMITTED
    scopes: Scopes = OMITTED
    algorithms: Algorithms = OMITTED
    subject_claim: SubjectClaim = OMITTED
    roles_claim: ClaimName | None = OMITTED
    role_of_group: RoleOfGroup = OMITTED
    unknown_people: UnknownPeople = OMITTED
    unknown_role: Role | None = OMITTED
    strong_acr: StrongAcr = OMITTED


class LoginTestOut(Output):
    """Where to try the provider, in any browser."""

    url: str
    ends_at: datetime


@router.get("", responses=refusals(MissingScope, MemberNotFound, ProviderNotFound, CursorUnknown))
async def get_identity_providers(
    slug: Slug,
    request: Request,
    response: Response,
    session: Transaction,
    reader: CurrentReader,
    paging: CurrentPaging,
    settings: CurrentSettings,
    status: ProviderStatus | None = None,
    updated_since: Instant | None = None,
    sort: Sort = "created",
) -> Page[IdentityProviderOut]:
    """List where officials of your member log in."""
    ensure_sees_providers_of(slug, reader)
    member = await member_with(session, slug)
    providers, cursor = await list_providers(
        session, slug, status=status, updated_since=updated_since, sort=sort, paging=paging
    )
    items = [
        IdentityProviderOut.of(provider, member, reader, issuer=settings.issuer)
        for provider in providers
    ]
    return page(request, response, items, cursor)


@router.get("/{provider_id}", responses=refusals(MissingScope, MemberNotFound, ProviderNotFound))
async def get_identity_provider(
    slug: Slug,
    provider_id: UUID,
    response: Response,
    session: Transaction,
    reader: CurrentReader,
    settings: CurrentSettings,
) -> IdentityProviderOut:
    """Show an identity provider of your member."""
    ensure_sees_providers_of(slug, reader)
    provider = await provider_of(session, slug, provider_id)
    return shown(response, provider, await member_with(session, slug), reader, settings.issuer)


@router.post(
    "",
    status_code=201,
    dependencies=[Idempotent],
    responses=refusals(
        MemberNotFound,
        ProviderNotFound,
        MissingScope,
        MemberNotActive,
        InsufficientUserAuthentication,
        IssuerNotAllowed,
        IssuerServesEveryone,
        UnknownRoleContradictory,
        ProviderExists,
    ),
)
async def post_identity_provider(
    slug: Slug,
    body: IdentityProviderIn,
    response: Response,
    session: Transaction,
    speaker: CurrentSpeaker,
    settings: CurrentSettings,
    seals: CurrentSeals,
    login: RecentLogin,
    now: Now,
) -> IdentityProviderOut:
    """Register where officials of your member log in. It serves nobody before a test login."""
    provider = await register_identity_provider(
        session,
        slug,
        ProviderFields(**body.model_dump(exclude={"client_secret"})),
        secret=body.client_secret,
        allow_private=settings.identity_allow_private,
        seals=seals,
        speaker=speaker,
        login=login,
        now=now,
    )
    response.headers["Location"] = f"/api/v1/members/{slug}/identity-providers/{provider.id}"
    return shown(response, provider, await member_with(session, slug), speaker, settings.issuer)


@router.patch(
    "/{provider_id}",
    responses=refusals(
        *CHANGING,
        InsufficientUserAuthentication,
        IssuerNotAllowed,
        IssuerServesEveryone,
        UnknownRoleContradictory,
        ProviderExists,
    ),
)
async def patch_identity_provider(
    slug: Slug,
    provider_id: UUID,
    body: IdentityProviderChangeIn,
    response: Response,
    session: Transaction,
    speaker: CurrentSpeaker,
    expected: ExpectedVersion,
    settings: CurrentSettings,
    seals: CurrentSeals,
    login: RecentLogin,
    now: Now,
) -> IdentityProviderOut:
    """Change an identity provider. What a test login shows must be shown again afterwards.

    Where only the secret of an active one is different, nobody is kept from logging in: it takes
    over when the test login succeeds, and the former one serves until then.
    """
    fields = body.model_dump(exclude_unset=True)
    if "client_secret" in fields:
        fields["secret"] = fields.pop("client_secret")
    provider = await change_identity_provider(
        session,
        slug,
        provider_id,
        fields,
        allow_private=settings.identity_allow_private,
        seals=seals,
        expected=expected,
        speaker=speaker,
        login=login,
        now=now,
    )
    return shown(response, provider, await member_with(session, slug), speaker, settings.issuer)


@router.post(
    "/{provider_id}/test",
    status_code=201,
    dependencies=[IdempotentSecret],
    responses=refusals(
        MemberNotFound, ProviderNotFound, MissingScope, MemberNotActive, ProviderIsRetired
    ),
)
async def post_identity_provider_test(
    slug: Slug,
    provider_id: UUID,
    session: Transaction,
    speaker: CurrentSpeaker,
    settings: CurrentSettings,
    seals: CurrentSeals,
    now: Now,
) -> LoginTestOut:
    """Ask for a test login. Whoever opens the address logs in, and sees what the provider says."""
    given, ends_at = await offer_test_login(
        session, slug, provider_id, seals=seals, speaker=speaker, now=now
    )
    return LoginTestOut(url=f"{settings.issuer}/login/{slug}/test/{given}", ends_at=ends_at)


@router.post(
    "/{provider_id}/activation",
    dependencies=[Idempotent],
    responses=refusals(
        *CHANGING, InsufficientUserAuthentication, ProviderIsActive, ProviderNotTested
    ),
)
async def post_identity_provider_activation(
    slug: Slug,
    provider_id: UUID,
    response: Response,
    session: Transaction,
    speaker: CurrentSpeaker,
    expected: ExpectedVersion,
    settings: CurrentSettings,
    login: RecentLogin,
    now: Now,
) -> IdentityProviderOut:
    """Let officials log in at a provider with which a test login has succeeded."""
    provider = await activate_identity_provider(
        session, slug, provider_id, expected=expected, speaker=speaker, login=login, now=now
    )
    return shown(response, provider, await member_with(session, slug), speaker, settings.issuer)


@router.post("/{provider_id}/retirement", dependencies=[Idempotent], responses=refusals(*CHANGING))
async def post_identity_provider_retirement(
    slug: Slug,
    provider_id: UUID,
    response: Response,
    session: Transaction,
    speaker: CurrentSpeaker,
    expected: ExpectedVersion,
    settings: CurrentSettings,
    now: Now,
) -> IdentityProviderOut:
    """Let nobody log in at a provider any more. Who is logged in stays so."""
    provider = await retire_identity_provider(
        session, slug, provider_id, expected=expected, speaker=speaker, now=now
    )
    return shown(response, provider, await member_with(session, slug), speaker, settings.issuer)


def shown(
    response: Response, provider: IdentityProvider, member: Member, speaker: Speaker, issuer: str
) -> IdentityProviderOut:
    show_version(response, provider.version)
    return IdentityProviderOut.of(provider, member, speaker, issuer=issuer)
