"""Use case: a member wants new keys for what its endpoint gets."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.notifications.model.signing import SignatureKind, new_secret
from services.notifications.model.webhook_endpoint import (
    KEYS_MAX,
    TooManyWebhookKeys,
    WebhookEndpoint,
)
from services.notifications.queries.members import ensure_active
from services.notifications.queries.webhook_endpoints import living_keys, visible_endpoint
from services.notifications.use_cases.create_webhook_endpoint import NewKeys, sealed_keys
from shared.actor import Actor, LoginDemand
from shared.contracts.notifications import WebhookEndpointChanged
from shared.messaging.outbox import announce
from shared.sealing import Seals


@dataclass(frozen=True, slots=True)
class Rotated:
    """New keys, and when the former ones sign no longer."""

    endpoint: WebhookEndpoint
    keys: NewKeys
    former_expire_at: datetime


async def rotate_webhook_keys(
    session: AsyncSession,
    endpoint_id: UUID,
    *,
    kinds: Collection[SignatureKind],
    overlap: timedelta,
    seals: Seals,
    actor: Actor,
    login: LoginDemand,
    now: datetime,
) -> Rotated:
    """Make new keys, which sign at once; the former ones sign beside them for a while.

    Args:
        session: whose transaction it belongs to.
        endpoint_id: of the endpoint.
        kinds: of the keys that are to be new.
        overlap: how long the former ones of these kinds go on; none if they are known to others.
        seals: what the new ones are sealed with.
        actor: who wants it.
        login: what is asked of the login behind the token.
        now: when it is done.

    Raises:
        WebhookEndpointNotFound: there is none, or it is another member's.
        MissingScope: the actor may not do this.
        MemberNotActive: the actor's member does not take part at present.
        TooManyWebhookKeys: so many former ones still sign that no other can join them.
        InsufficientUserAuthentication: the login behind the token does not meet `login`.
    """
    endpoint = await visible_endpoint(session, endpoint_id, actor=actor, for_change=True)
    actor.ensure_may("notifications:write")
    await ensure_active(session, actor.member)
    until = now + overlap
    former = [key for key in await living_keys(session, endpoint_id, now=now) if key.kind in kinds]
    for kind in kinds:
        if overlap and sum(key.kind == kind for key in former) >= KEYS_MAX:
            raise TooManyWebhookKeys(
                f"{KEYS_MAX} keys of the kind {kind} sign; wait until one expires, or rotate"
                " without an overlap."
            )
    actor.ensure_logged_in(login, at=now)
    for key in former:
        key.expires_at = min(key.expires_at or until, until)
    made = {kind: new_secret() for kind in kinds}
    session.add_all(sealed_keys(endpoint.id, made, seals=seals, now=now))
    before = endpoint.state()
    endpoint.note_new_keys(at=now)
    announce(
        session,
        WebhookEndpointChanged.about(
            endpoint.state(), before=before, by=actor, at=now, audience=(endpoint.member,)
        ),
    )
    return Rotated(endpoint, NewKeys.of(made), until)
