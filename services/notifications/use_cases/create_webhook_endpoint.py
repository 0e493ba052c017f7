"""Use case: a member wants to hear of facts at a new address."""

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from services.notifications.model.event_types import ensure_known, scopes_to_read
from services.notifications.model.webhook_address import ensure_allowed
from services.notifications.model.webhook_endpoint import (
    ENDPOINTS_MAX,
    TooManyWebhookEndpoints,
    WebhookEndpoint,
    WebhookSecret,
    new_secret,
    secret_place,
    written_secret,
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
    session.add(endpoint)
    await session.flush()
    secret, secret_id = new_secret(), new_id()
    session.add(
        WebhookSecret(
            id=secret_id,
            endpoint_id=endpoint.id,
            sealed=seals.seal(secret, place=secret_place(secret_id)),
            created_at=now,
        )
    )
    announce(
        session,
        WebhookEndpointCreated.about(
            endpoint.state(), by=actor, at=now, audience=(endpoint.member,)
        ),
    )
    return endpoint, written_secret(secret)
