"""Use case: a member wants to be sent what an endpoint did not get."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.notifications.model.event_types import ensure_known, scopes_to_read
from services.notifications.model.webhook_endpoint import WebhookEndpoint
from services.notifications.model.webhook_recovery import (
    RecoveryKind,
    RecoveryPeriodInvalid,
    WebhookRecovery,
    WebhookRecoveryRunning,
)
from services.notifications.queries.members import ensure_active
from services.notifications.queries.webhook_endpoints import visible_endpoint
from services.notifications.queries.webhook_recoveries import (
    FoundOfType,
    recovery_at_work,
    to_recover,
)
from shared.actor import Actor


async def start_recovery(
    session: AsyncSession,
    endpoint_id: UUID,
    *,
    kind: RecoveryKind,
    since: datetime,
    until: datetime | None,
    event_types: tuple[str, ...],
    is_dry_run: bool,
    actor: Actor,
    now: datetime,
) -> tuple[WebhookRecovery, Sequence[FoundOfType]]:
    """Begin to send what an endpoint did not get, or say what that would be.

    Args:
        session: whose transaction it belongs to.
        endpoint_id: of the actor's member.
        kind: `failed`, `missed`, or `all` of it.
        since: what happened from then on.
        until: and before then; until now, if nothing is said.
        event_types: patterns; every type that the endpoint wants, if empty.
        is_dry_run: begin nothing.
        actor: who asks.
        now: when.

    Returns:
        The recovery, which the worker works off, and what it is expected to send, by type.

    Raises:
        WebhookEndpointNotFound: there is none, or it is another member's.
        MissingScope: the actor may not do this, or not read what would be sent.
        MemberNotActive: the actor's member does not take part at present.
        EventTypeUnknown: one of the types will never match.
        RecoveryPeriodInvalid: it is empty, or has not been yet.
        WebhookEndpointNotActive: nothing is sent to the endpoint.
        WebhookRecoveryRunning: one is at work already.
    """
    endpoint = await visible_endpoint(session, endpoint_id, actor=actor, for_change=True)
    actor.ensure_may("notifications:write")
    await ensure_active(session, actor.member)
    ensure_known(event_types)
    for scope in scopes_to_read(event_types or endpoint.event_types):
        actor.ensure_may(scope)
    until = now if until is None else until
    if until > now:
        raise RecoveryPeriodInvalid("What has not happened yet will be sent when it does.")
    if since >= until:
        raise RecoveryPeriodInvalid("It must begin before it ends.")
    endpoint.ensure_sent_to()
    running = await recovery_at_work(session, endpoint)
    if running is not None and not is_dry_run:
        raise WebhookRecoveryRunning(
            "Wait for its end, or cancel it.", members={"recovery_id": str(running.id)}
        )
    recovery = WebhookRecovery(
        endpoint_id=endpoint.id,
        kind=kind,
        since=since,
        until=until,
        event_types=event_types,
        requested_by=actor.reference,
        expected=0,
        created_at=now,
        updated_at=now,
    )
    found = await begin_recovery(session, endpoint, recovery, is_dry_run=is_dry_run)
    return recovery, found


async def begin_recovery(
    session: AsyncSession,
    endpoint: WebhookEndpoint,
    recovery: WebhookRecovery,
    *,
    is_dry_run: bool = False,
) -> Sequence[FoundOfType]:
    """Leave a recovery to the worker, with what it is expected to send.

    Whoever calls has locked the endpoint and seen that none is at work.
    """
    found = await to_recover(session, recovery, endpoint.member)
    recovery.expected = sum(each.count for each in found)
    if not is_dry_run:
        session.add(recovery)
        await session.flush()
    return found
