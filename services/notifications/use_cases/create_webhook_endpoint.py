"""Use case: a member wants to hear of facts at a new address."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.notifications.model.event_types import scopes_to_read
from services.notifications.model.signing import (
    SignatureKind,
    new_secret,
    public_half,
    written_public_key,
    written_secret,
)
from services.notifications.model.webhook_endpoint import (
    ENDPOINTS_AN_HOUR,
    ENDPOINTS_MAX,
    TooManyNewWebhookEndpoints,
    TooManyWebhookEndpoints,
    WebhookEndpoint,
    WebhookSecret,
    secret_place,
)
from services.notifications.model.webhook_verification import WebhookVerification
from services.notifications.queries.members import ensure_active
from services.notifications.queries.webhook_endpoints import endpoints_to_come, made_since
from services.notifications.use_cases.webhook_wishes import Workshop, kept_of
from shared.actor import Actor, LoginDemand
from shared.contracts.notifications import WebhookEndpointCreated
from shared.identifiers import new_id
from shared.messaging.outbox import announce
from shared.sealing import Seals

HOUR: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class NewKeys:
    """Keys as a receiver needs them, `whsec_…` and `whpk_…`: of each kind that is new."""

    secret: str | None
    public_key: str | None

    @classmethod
    def of(cls, made: Mapping[SignatureKind, bytes]) -> "NewKeys":
        return cls(
            written_secret(made["v1"]) if "v1" in made else None,
            written_public_key(public_half(made["v1a"])) if "v1a" in made else None,
        )


async def create_webhook_endpoint(
    session: AsyncSession,
    wanted: Mapping[str, Any],
    *,
    actor: Actor,
    login: LoginDemand,
    workshop: Workshop,
) -> tuple[WebhookEndpoint, NewKeys]:
    """Make an endpoint, with the keys that will sign what it gets.

    Its receiver is asked for consent next; nothing is queued for it before.

    Args:
        session: whose transaction it belongs to.
        wanted: its fields; see `kept_of`. `url`, `description` and `event_types` are needed.
        actor: who makes it.
        login: what is asked of the login behind the token.
        workshop: where requests may go, what seals, and when it is.

    Returns:
        The endpoint, and its keys. The secret is shown only now.

    Raises:
        MissingScope: the actor may not make endpoints, or not read what would be sent there.
        MemberNotActive: the actor's member does not take part at present.
        WebhookAddressNotAllowed: no webhook may go to `url`.
        EventTypeUnknown: one of `event_types` will never match.
        WebhookProjectUnknown: the actor's member sees no such project.
        WebhookHeaderNotAllowed: one of the headers is not the owner's to choose.
        WebhookCertificateUnusable: the certificate or its key is not good.
        WebhookAuthenticationContradictory: two of these cannot be together.
        TooManyWebhookEndpoints: the member has as many as it can have.
        TooManyNewWebhookEndpoints: it has made too many lately.
        InsufficientUserAuthentication: the login behind the token does not meet `login`.
    """
    for scope in ("notifications:write", *scopes_to_read(wanted["event_types"])):
        actor.ensure_may(scope)
    await ensure_active(session, actor.member)
    now = workshop.now
    endpoint = WebhookEndpoint(
        member=actor.member,
        url=wanted["url"],
        description=wanted["description"],
        event_types=wanted["event_types"],
        created_at=now,
        updated_at=now,
    )
    kept = await kept_of(session, wanted, endpoint, actor=actor, workshop=workshop)
    if await endpoints_to_come(session, actor.member) <= 0:
        raise TooManyWebhookEndpoints(f"There are {ENDPOINTS_MAX}; delete one first.")
    lately, first = await made_since(session, actor.member, now - HOUR)
    if first is not None and lately >= ENDPOINTS_AN_HOUR:
        wait = int((first + HOUR - now).total_seconds()) + 1
        raise TooManyNewWebhookEndpoints(
            f"At most {ENDPOINTS_AN_HOUR} an hour.", members={"retry_after": wait}
        )
    actor.ensure_logged_in(login, at=now)
    for name, value in kept.items():
        setattr(endpoint, name, value)
    session.add(endpoint)
    await session.flush()
    made: dict[SignatureKind, bytes] = {"v1": new_secret(), "v1a": new_secret()}
    session.add_all(sealed_keys(endpoint.id, made, seals=workshop.seals, now=now))
    session.add(
        WebhookVerification(
            endpoint_id=endpoint.id, waiting_since=now, asked_at=now, next_try_at=now
        )
    )
    announce(
        session,
        WebhookEndpointCreated.about(
            endpoint.state(), by=actor, at=now, audience=(endpoint.member,)
        ),
    )
    return endpoint, NewKeys.of(made)


def sealed_keys(
    endpoint_id: UUID, keys: Mapping[SignatureKind, bytes], *, seals: Seals, now: datetime
) -> list[WebhookSecret]:
    """Make keys of an endpoint of what is secret of them, by the kind of signature."""
    made = []
    for kind, private in keys.items():
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
