"""Webhook endpoints over HTTP."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response
from pydantic import AfterValidator, Field, SecretStr, Strict, StringConstraints
from sqlalchemy.ext.asyncio import AsyncSession

from services.notifications.http.settings import CurrentSeals, CurrentSettings
from services.notifications.http.speaking import CurrentSpeaker, Speaking
from services.notifications.model.authentication import (
    Authentication,
    ClientCertificate,
    ClientCredentials,
    WebhookAuthenticationContradictory,
    WebhookCertificateUnusable,
)
from services.notifications.model.custom_headers import HEADERS_MAX, WebhookHeaderNotAllowed
from services.notifications.model.event_types import EventTypePattern, EventTypeUnknown
from services.notifications.model.known import MemberNotActive
from services.notifications.model.signing import SignatureKind
from services.notifications.model.webhook_address import WebhookAddressNotAllowed
from services.notifications.model.webhook_endpoint import (
    PARALLEL_MAX,
    PARALLEL_USUAL,
    RATE_MAX,
    TooManyNewWebhookEndpoints,
    TooManyWebhookEndpoints,
    TooManyWebhookKeys,
    WebhookEndpoint,
    WebhookEndpointNotActive,
    WebhookEndpointNotFound,
    WebhookProjectUnknown,
)
from services.notifications.model.webhook_verification import (
    State,
    WebhookEndpointVerifiedAlready,
    WebhookVerification,
)
from services.notifications.queries.members import is_active
from services.notifications.queries.webhook_endpoints import (
    verifications_of,
    visible_endpoint,
    webhook_endpoints,
)
from services.notifications.use_cases.change_webhook_endpoint import change_webhook_endpoint
from services.notifications.use_cases.create_webhook_endpoint import create_webhook_endpoint
from services.notifications.use_cases.delete_webhook_endpoint import delete_webhook_endpoint
from services.notifications.use_cases.rotate_webhook_keys import rotate_webhook_keys
from services.notifications.use_cases.verify_webhook_endpoint import verify_webhook_endpoint
from services.notifications.use_cases.webhook_wishes import Workshop
from shared.actor import Actor, InsufficientUserAuthentication, MissingScope
from shared.addresses import LENGTH_MAX
from shared.contracts.notifications import Ordering, Payload, WebhookEndpointState
from shared.fields import OMITTED, Input, Instant, Line, Output
from shared.http.idempotency import Idempotent, IdempotentSecret, KeyInUse, KeyReused
from shared.http.paging import CurrentPaging, CursorUnknown, Page, page
from shared.http.preconditions import (
    ExpectedVersion,
    VersionRequired,
    VersionStale,
    show_version,
)
from shared.http.problems import refusals
from shared.http.recent_login import RecentLogin
from shared.http.transaction import Now, Route, Transaction

router = APIRouter(
    prefix="/api/v1/webhook-endpoints",
    tags=["webhook endpoints"],
    route_class=Route,
    dependencies=[Speaking],
)

Sort = Literal["created", "-created", "updated", "-updated"]
Address = Annotated[
    str, StringConstraints(min_length=1, max_length=LENGTH_MAX, pattern=r"^[!-~¡-\U0010ffff]+$")
]


OVERLAP_HOURS_MAX: Final = 168
PEM_MAX: Final = 20_000


def _once_each(values: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(dict.fromkeys(values))


EventTypes = Annotated[
    tuple[EventTypePattern, ...], Field(min_length=1, max_length=100), AfterValidator(_once_each)
]
ProjectIds = Annotated[
    tuple[UUID, ...],
    Field(max_length=100, description="Only facts of these projects; of all and none, if empty."),
    AfterValidator(_once_each),
]
CustomHeaders = Annotated[
    dict[str, str],
    Field(
        max_length=HEADERS_MAX,
        repr=False,
        description="Sent with every webhook, such as the key of a gateway. Never shown again.",
    ),
]
Rate = Annotated[int, Strict(), Field(ge=1, le=RATE_MAX, description="Requests a minute, at most.")]
Parallel = Annotated[
    int, Strict(), Field(ge=1, le=PARALLEL_MAX, description="Requests at once, at most.")
]
Credential = Annotated[str, StringConstraints(pattern=r"^[ -~]+$", min_length=1, max_length=1_000)]
SecretLine = Annotated[SecretStr, Field(min_length=1, max_length=2_000)]


class NoAuthenticationIn(Input):
    """Signatures are enough."""

    kind: Literal["none"]

    def meant(self) -> Authentication | None:
        return None


class OAuth2In(Input):
    """We get access tokens with client credentials. Source: RFC 6749, section 4.4."""

    kind: Literal["oauth2"]
    token_url: Address
    client_id: Credential
    client_secret: SecretLine
    scope: Credential | None = None
    audience: Credential | None = None

    def meant(self) -> Authentication | None:
        return ClientCredentials(
            token_url=self.token_url,
            client_id=self.client_id,
            client_secret=self.client_secret.get_secret_value(),
            scope=self.scope,
            audience=self.audience,
        )


class MutualTlsIn(Input):
    """We present a certificate. Source: RFC 8446, section 4.4.2."""

    kind: Literal["mtls"]
    certificate: Annotated[
        str, Field(max_length=PEM_MAX, description="PEM; its own first, then that of its issuer.")
    ]
    private_key: Annotated[SecretStr, Field(max_length=PEM_MAX, description="PEM, unencrypted.")]

    def meant(self) -> Authentication | None:
        return ClientCertificate(self.certificate, self.private_key.get_secret_value())


AuthenticationIn = Annotated[
    NoAuthenticationIn | OAuth2In | MutualTlsIn,
    Field(discriminator="kind", description="How we show who we are, beyond signatures."),
]


class WebhookEndpointIn(Input):
    """Where to send, and what."""

    url: Address
    description: Line | None = None
    event_types: EventTypes = Field(
        description="Types such as `renkei.milestone.completed.v1`, `renkei.milestone.*`, or `*`."
    )
    project_ids: ProjectIds = ()
    payload: Annotated[
        Payload, Field(description="`thin` says only what happened to what, and where to read it.")
    ] = "full"
    headers: CustomHeaders = Field(default_factory=dict)
    rate_per_minute: Rate | None = None
    parallel: Parallel = PARALLEL_USUAL
    ordering: Annotated[
        Ordering, Field(description="`entity`: facts about the same thing in their order.")
    ] = "none"
    authentication: AuthenticationIn = NoAuthenticationIn(kind="none")


class WebhookEndpointChangeIn(Input):
    """What should be different; what is left out stays."""

    url: Address = OMITTED
    description: Line | None = OMITTED
    event_types: EventTypes = OMITTED
    project_ids: ProjectIds = OMITTED
    payload: Payload = OMITTED
    headers: CustomHeaders = OMITTED
    rate_per_minute: Rate | None = OMITTED
    parallel: Parallel = OMITTED
    ordering: Ordering = OMITTED
    authentication: AuthenticationIn = OMITTED
    status: Literal["active", "paused"] = OMITTED


class RotationIn(Input):
    """Which keys are to be new, and how long the former ones go on signing beside them."""

    which: Annotated[
        Literal["v1", "v1a", "both"],
        Field(description="`v1`: the secret; `v1a`: the pair whose public key stands in the JWKS."),
    ] = "both"
    overlap_hours: Annotated[
        int,
        Strict(),
        Field(ge=0, le=OVERLAP_HOURS_MAX, description="0 where somebody else knows the former."),
    ] = 24


class VerificationOut(Output):
    """Whether the receiver has agreed to be sent webhooks, and what asking it brought last.

    `error`: `no_consent`, `other_origin` or `rate_unreadable` say what its answer lacked; others
    are classes of errors, as those of attempts.
    """

    state: State
    last_tried_at: datetime | None
    error: str | None
    next_try_at: datetime | None


class WebhookEndpointOut(WebhookEndpointState):
    """A webhook endpoint as its owner sees it."""

    authentication_details: dict[str, str | None] | None = Field(
        description="What is not secret of how we show who we are."
    )
    verification: VerificationOut | None
    allowed_actions: list[str]


class NewWebhookEndpointOut(WebhookEndpointOut):
    """A new endpoint with its secret, which is shown only in this answer."""

    secret: str = Field(description="Key of the signatures `v1`; Standard Webhooks, `whsec_…`.")
    public_key: str = Field(description="To check the signatures `v1a` with: `whpk_…`.")


class RotatedKeysOut(Output):
    """The new keys. A secret is shown only in this answer."""

    endpoint_id: UUID
    version: int
    secret: str | None = Field(description="`whsec_…`, if it is new.")
    public_key: str | None = Field(description="`whpk_…`, if it is new.")
    former_expire_at: datetime = Field(description="Until then the former ones sign, too.")


async def current_workshop(settings: CurrentSettings, seals: CurrentSeals, now: Now) -> Workshop:
    return Workshop(settings.webhook_allowed_networks, seals, now)


CurrentWorkshop = Annotated[Workshop, Depends(current_workshop)]

WISHES: Final = (
    WebhookAddressNotAllowed,
    EventTypeUnknown,
    WebhookProjectUnknown,
    WebhookHeaderNotAllowed,
    WebhookCertificateUnusable,
    WebhookAuthenticationContradictory,
)


def wanted_by(body: WebhookEndpointIn | WebhookEndpointChangeIn, *, given: bool) -> dict[str, Any]:
    """Give the fields of a body by name, only those that were given if that is wanted."""
    names = body.model_fields_set if given else type(body).model_fields
    wanted = {name: getattr(body, name) for name in names}
    if "authentication" in wanted:
        wanted["authentication"] = wanted["authentication"].meant()
    return wanted


@router.post(
    "",
    status_code=201,
    dependencies=[IdempotentSecret],
    responses=refusals(
        MissingScope,
        MemberNotActive,
        *WISHES,
        TooManyWebhookEndpoints,
        TooManyNewWebhookEndpoints,
        InsufficientUserAuthentication,
        KeyInUse,
        KeyReused,
    ),
)
async def post_webhook_endpoint(
    body: WebhookEndpointIn,
    response: Response,
    session: Transaction,
    actor: CurrentSpeaker,
    login: RecentLogin,
    workshop: CurrentWorkshop,
) -> NewWebhookEndpointOut:
    """Let a system of your member hear of facts that the caller may read itself.

    The answer shows the secret, once. The system is asked for consent before it is sent anything.
    """
    endpoint, keys = await create_webhook_endpoint(
        session, wanted_by(body, given=False), actor=actor, login=login, workshop=workshop
    )
    response.headers["Location"] = f"{router.prefix}/{endpoint.id}"
    show_version(response, endpoint.version)
    shown = await shown_endpoint(session, endpoint, actor=actor)
    return NewWebhookEndpointOut(
        **dict(shown), secret=str(keys.secret), public_key=str(keys.public_key)
    )


@router.get("", responses=refusals(MissingScope, CursorUnknown))
async def get_webhook_endpoints(
    request: Request,
    response: Response,
    session: Transaction,
    actor: CurrentSpeaker,
    paging: CurrentPaging,
    status: Literal["active", "paused", "disabled"] | None = None,
    updated_since: Instant | None = None,
    sort: Sort = "created",
) -> Page[WebhookEndpointOut]:
    """List the endpoints of your member."""
    actor.ensure_may("notifications:read")
    found, cursor = await webhook_endpoints(
        session,
        actor=actor,
        status=status,
        updated_since=updated_since,
        paging=paging,
        sort=sort,
    )
    items = await shown_endpoints(session, found, actor=actor)
    return page(request, response, items, cursor)


@router.get("/{endpoint_id}", responses=refusals(WebhookEndpointNotFound, MissingScope))
async def get_webhook_endpoint(
    endpoint_id: UUID, response: Response, session: Transaction, actor: CurrentSpeaker
) -> WebhookEndpointOut:
    """Read one endpoint."""
    endpoint = await visible_endpoint(session, endpoint_id, actor=actor)
    actor.ensure_may("notifications:read")
    show_version(response, endpoint.version)
    return await shown_endpoint(session, endpoint, actor=actor)


@router.patch(
    "/{endpoint_id}",
    responses=refusals(
        WebhookEndpointNotFound,
        MissingScope,
        MemberNotActive,
        *WISHES,
        VersionRequired,
        VersionStale,
        InsufficientUserAuthentication,
    ),
)
async def patch_webhook_endpoint(
    endpoint_id: UUID,
    body: WebhookEndpointChangeIn,
    actor: CurrentSpeaker,  # first: a stranger is told nothing else
    expected: ExpectedVersion,
    response: Response,
    session: Transaction,
    login: RecentLogin,
    workshop: CurrentWorkshop,
) -> WebhookEndpointOut:
    """Change an endpoint, pause it, or activate it again."""
    endpoint = await change_webhook_endpoint(
        session,
        endpoint_id,
        wanted_by(body, given=True),
        expected=expected,
        actor=actor,
        login=login,
        workshop=workshop,
    )
    show_version(response, endpoint.version)
    return await shown_endpoint(session, endpoint, actor=actor)


@router.delete(
    "/{endpoint_id}",
    status_code=204,
    responses=refusals(
        WebhookEndpointNotFound, MissingScope, MemberNotActive, VersionRequired, VersionStale
    ),
)
async def delete_webhook_endpoint_by_id(
    endpoint_id: UUID,
    actor: CurrentSpeaker,  # first: a stranger is told nothing else
    expected: ExpectedVersion,
    session: Transaction,
    now: Now,
) -> None:
    """Delete an endpoint. What still waits for it is not sent."""
    await delete_webhook_endpoint(session, endpoint_id, expected=expected, actor=actor, now=now)


@router.post(
    "/{endpoint_id}/verifications",
    dependencies=[Idempotent],
    responses=refusals(
        WebhookEndpointNotFound,
        MissingScope,
        MemberNotActive,
        WebhookEndpointNotActive,
        WebhookEndpointVerifiedAlready,
        KeyInUse,
        KeyReused,
    ),
)
async def post_webhook_endpoint_verification(
    endpoint_id: UUID,
    response: Response,
    session: Transaction,
    actor: CurrentSpeaker,
    now: Now,
) -> WebhookEndpointOut:
    """Ask the receiver for its consent again, as soon as possible.

    Source: CloudEvents HTTP 1.1 Web Hooks for Event Delivery, section 4.
    """
    endpoint = await verify_webhook_endpoint(session, endpoint_id, actor=actor, now=now)
    show_version(response, endpoint.version)
    return await shown_endpoint(session, endpoint, actor=actor)


@router.post(
    "/{endpoint_id}/secret-rotations",
    dependencies=[IdempotentSecret],
    responses=refusals(
        WebhookEndpointNotFound,
        MissingScope,
        MemberNotActive,
        TooManyWebhookKeys,
        InsufficientUserAuthentication,
        KeyInUse,
        KeyReused,
    ),
)
async def post_webhook_secret_rotation(
    endpoint_id: UUID,
    body: RotationIn,
    response: Response,
    session: Transaction,
    actor: CurrentSpeaker,
    login: RecentLogin,
    now: Now,
    seals: CurrentSeals,
) -> RotatedKeysOut:
    """Get new keys, which sign at once. The former ones sign beside them for a while.

    The answer shows the new secret, once.
    """
    kinds: dict[str, tuple[SignatureKind, ...]] = {"both": ("v1", "v1a"), "v1": ("v1",)}
    rotated = await rotate_webhook_keys(
        session,
        endpoint_id,
        kinds=kinds.get(body.which, ("v1a",)),
        overlap=timedelta(hours=body.overlap_hours),
        seals=seals,
        actor=actor,
        login=login,
        now=now,
    )
    show_version(response, rotated.endpoint.version)
    return RotatedKeysOut(
        endpoint_id=endpoint_id,
        version=rotated.endpoint.version,
        secret=rotated.keys.secret,
        public_key=rotated.keys.public_key,
        former_expire_at=rotated.former_expire_at,
    )


async def shown_endpoint(
    session: AsyncSession, endpoint: WebhookEndpoint, *, actor: Actor
) -> WebhookEndpointOut:
    [shown] = await shown_endpoints(session, [endpoint], actor=actor)
    return shown


async def shown_endpoints(
    session: AsyncSession, endpoints: Sequence[WebhookEndpoint], *, actor: Actor
) -> list[WebhookEndpointOut]:
    may_change = "notifications:write" in actor.scopes and await is_active(session, actor.member)
    verifications = await verifications_of(session, [endpoint.id for endpoint in endpoints])
    return [
        _shown(endpoint, verifications.get(endpoint.id), may_change=may_change)
        for endpoint in endpoints
    ]


def _shown(
    endpoint: WebhookEndpoint, verification: WebhookVerification | None, *, may_change: bool
) -> WebhookEndpointOut:
    actions = ["change", "pause" if endpoint.status == "active" else "activate", "rotate_secret"]
    if endpoint.status == "active" and endpoint.verified_at is None:
        actions.append("verify")
    return WebhookEndpointOut(
        **dict(endpoint.state()),
        authentication_details=endpoint.authentication_details,
        verification=(
            None if verification is None else VerificationOut.model_validate(verification)
        ),
        allowed_actions=[*actions, "delete"] if may_change else [],
    )
