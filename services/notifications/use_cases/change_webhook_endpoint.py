"""Use case: a member wants an endpoint to be different."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.notifications.model.event_types import ensure_known, scopes_to_read
from services.notifications.model.webhook_address import ensure_allowed
from services.notifications.model.webhook_endpoint import WebhookEndpoint
from services.notifications.queries.members import ensure_active
from services.notifications.queries.webhook_endpoints import visible_endpoint
from services.notifications.use_cases.wake_lane import wake_lane
from shared.actor import Actor, LoginDemand
from shared.contracts.notifications import WebhookEndpointChanged
from shared.http.preconditions import ensure_version
from shared.messaging.outbox import announce


async def change_webhook_endpoint(
    session: AsyncSession,
    endpoint_id: UUID,
    wanted: dict[str, Any],
    *,
    allow_private: bool,
    expected: int | None,
    actor: Actor,
    login: LoginDemand,
    now: datetime,
) -> WebhookEndpoint:
    """Change what `wanted` names: `url`, `description`, `event_types`, `status`.

    Raises:
        WebhookEndpointNotFound: there is none, or it is another member's.
        MissingScope: the actor may not change endpoints, or not read what would be sent there.
        MemberNotActive: the actor's member does not take part at present.
        VersionStale: it has changed since the actor read it.
        WebhookAddressNotAllowed: no webhook may go to the new address.
        EventTypeUnknown: one of the new types will never match.
        InsufficientUserAuthentication: facts would go to another address, or others to this one,
            and the login behind the token does not meet `login`.
    """
    endpoint = await visible_endpoint(session, endpoint_id, actor=actor, for_change=True)
    actor.ensure_may("notifications:write")
    if wanted.keys() & {"url", "event_types"}:
        for scope in scopes_to_read(wanted.get("event_types", endpoint.event_types)):
            actor.ensure_may(scope)
    await ensure_active(session, actor.member)
    before = endpoint.state()
    ensure_version(expected, before)
    if "url" in wanted:
        wanted = wanted | {"url": ensure_allowed(wanted["url"], allow_private=allow_private)}
    if "event_types" in wanted:
        ensure_known(wanted["event_types"])
    if endpoint.tells_more_with(wanted):
        actor.ensure_logged_in(login, at=now)
    if endpoint.change(wanted, at=now):
        if wanted.keys() & {"url", "status"} and endpoint.status == "active":
            await wake_lane(session, endpoint, now=now)
        announce(
            session,
            WebhookEndpointChanged.about(
                endpoint.state(), before=before, by=actor, at=now, audience=(endpoint.member,)
            ),
        )
    return endpoint
