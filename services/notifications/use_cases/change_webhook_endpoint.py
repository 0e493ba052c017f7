"""Use case: a member wants an endpoint to be different."""

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.notifications.model.event_types import scopes_to_read
from services.notifications.model.webhook_endpoint import WebhookEndpoint
from services.notifications.queries.members import ensure_active
from services.notifications.queries.webhook_endpoints import visible_endpoint
from services.notifications.use_cases.begin_handshake import begin_handshake
from services.notifications.use_cases.wake_lane import wake_lane
from services.notifications.use_cases.webhook_wishes import Workshop, kept_of
from shared.actor import Actor, LoginDemand
from shared.contracts.notifications import WebhookEndpointChanged
from shared.http.preconditions import ensure_version
from shared.messaging.outbox import announce

LET_OUT: Final = frozenset(
    {"url", "event_types", "project_ids", "payload", "headers", "authentication"}
)
"""Who changes these may let out what it must therefore be allowed to read."""


async def change_webhook_endpoint(
    session: AsyncSession,
    endpoint_id: UUID,
    wanted: Mapping[str, Any],
    *,
    expected: int | None,
    actor: Actor,
    login: LoginDemand,
    workshop: Workshop,
) -> WebhookEndpoint:
    """Change what `wanted` names: fields of an endpoint, and its `status`.

    A new address is asked for consent before anything is sent there.

    Raises:
        WebhookEndpointNotFound: there is none, or it is another member's.
        MissingScope: the actor may not change endpoints, or not read what would be sent there.
        MemberNotActive: the actor's member does not take part at present.
        VersionStale: it has changed since the actor read it.
        WebhookAddressNotAllowed: no webhook may go to the new address.
        EventTypeUnknown: one of the new types will never match.
        WebhookProjectUnknown: the actor's member sees no such project.
        WebhookHeaderNotAllowed: one of the headers is not the owner's to choose.
        WebhookCertificateUnusable: the certificate or its key is not good.
        WebhookAuthenticationContradictory: two of these cannot be together.
        InsufficientUserAuthentication: facts would go to another address, or others or more of them
            to this one, and the login behind the token does not meet `login`.
    """
    now = workshop.now
    endpoint = await visible_endpoint(session, endpoint_id, actor=actor, for_change=True)
    actor.ensure_may("notifications:write")
    if wanted.keys() & LET_OUT:
        # What it wanted before, too: that waits, or can be sent again.
        for scope in scopes_to_read((*endpoint.event_types, *wanted.get("event_types", ()))):
            actor.ensure_may(scope)
    await ensure_active(session, actor.member)
    before = endpoint.state()
    ensure_version(expected, before)
    kept = await kept_of(session, wanted, endpoint, actor=actor, workshop=workshop)
    if endpoint.tells_more_with(kept):
        actor.ensure_logged_in(login, at=now)
    if not endpoint.change(kept, at=now):
        return endpoint
    is_elsewhere = endpoint.url != before.url
    if is_elsewhere or (endpoint.verified_at is None and endpoint.status != before.status):
        await begin_handshake(session, endpoint, is_elsewhere=is_elsewhere, now=now)
    if kept.keys() & {"url", "status"} and endpoint.status == "active":
        # Also where nothing may be sent there yet: who is at the lane must lose it.
        await wake_lane(session, endpoint, now=now)
    announce(
        session,
        WebhookEndpointChanged.about(
            endpoint.state(), before=before, by=actor, at=now, audience=(endpoint.member,)
        ),
    )
    return endpoint
