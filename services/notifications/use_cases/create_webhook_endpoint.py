"""Use case: a member wants to hear of facts at a new address."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.notifications.model.event_types import ensure_known, scopes_to_read
from services.notifications.model.signing import (
    SignatureKind,
    new_secret,
    public_half,
    written_secret,
)
from services.notifications.model.webhook_address import ensure_allowed
from services.notifications.model.webhook_endpoint import (
    ENDPOINTS_MAX,
    TooManyWebhookEndpoints,
    WebhookEndpoint,
    WebhookSecret,
    secret_place,
)
from services.notifications.queries.members import ensure_active
from services.notifications.queries.webhook_endpoints import endpoints_to_come
from shared.actor import Actor, LoginDemand
from shared.contracts.notifications import WebhookEndpointCreated
from shared.identifiers import new_id
from shared.messaging.outbox import announce
from shared.sealing import Seals


async def create_webhook_endpoint(
    session: AsyncSession,
    *,
    url: str,
    description: str | None,
    event_types: tuple[str, ...],
    allow_private: bool,
    seals: Seals,
    actor: Actor,
    login: LoginDemand,
    now: datetime,
) -> tuple[WebhookEndpoint, str]:
    """Make an endpoint, with the secret that will sign what it gets.

    Returns:
        The endpoint, and its secret as the receiver needs it: `whsec_…`. It is shown only now.

    Raises:
        MissingScope: the actor may not make endpoints, or not read what would be sent there.
        MemberNotActive: the actor's member does not take part at present.
        WebhookAddressNotAllowed: no webhook may go to `url`.
        EventTypeUnknown: one of `event_types` will never match.
        TooManyWebhookEndpoints: the member has as many as it can have.
        InsufficientUserAuthentication: the login behind the token does not meet `login`.
    """
    for scope in ("notifications:write", *scopes_to_read(event_types)):
        actor.ensure_may(scope)
    await ensure_active(session, actor.member)
    ensure_known(event_types)
    url = ensure_allowed(url, allow_private=allow_private)
    if await endpoints_to_come(session, actor.member) <= 0:
        raise TooManyWebhookEndpoints(f"There are {ENDPOINTS_MAX}; delete one first.")
    actor.ensure_logged_in(login, at=now)
    endpoint = WebhookEndpoint(
        member=actor.member,
        url=url,
        description=description,
        event_types=event_types,
        created_at=now,
        updated_at=now,
    )
    endpoint.verified_at = now
    session.add(endpoint)
    await session.flush()
    secret = new_secret()
    session.add_all(sealed_keys(endpoint.id, secret, seals=seals, now=now))
    announce(
        session,
        WebhookEndpointCreated.about(
            endpoint.state(), by=actor, at=now, audience=(endpoint.member,)
        ),
    )
    return endpoint, written_secret(secret)


def sealed_keys(
    endpoint_id: UUID, secret: bytes, *, seals: Seals, now: datetime
) -> list[WebhookSecret]:
    """Make the keys of an endpoint, one for each kind of signature."""
    made = []
    keys: tuple[tuple[SignatureKind, bytes], ...] = (("v1", secret), ("v1a", new_secret()))
    for kind, private in keys:
        key_id = new_id()
        made.append(
            WebhookSecret(
                id=key_id,
                endpoint_id=endpoint_id,
                kind=kind,
                sealed=seals.seal(private, place=secret_place(key_id)),
                public_key=public_half(private) if kind == "v1a" else None,
                created_at=now,
            )
        )
    return made
