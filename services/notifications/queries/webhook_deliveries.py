"""Every SELECT of deliveries and attempts that answers somebody's question."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import BindParameter, bindparam, exists, func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from services.notifications.model.event_types import ALL
from services.notifications.model.webhook_delivery import (
    FactWithheld,
    WebhookAttempt,
    WebhookDelivery,
    WebhookDeliveryNotFound,
    WebhookMessage,
)
from services.notifications.model.webhook_endpoint import WebhookEndpoint
from services.notifications.queries.rights import hindrance, hindrance_to_send
from shared.http.paging import Paging


@dataclass(frozen=True, slots=True)
class DeliveryFilter:
    """Which deliveries somebody wants to see; what is nothing filters nothing.

    Periods begin with their first moment and end before their last.
    """

    state: str | None = None
    event_type: str | None = None
    project_id: UUID | None = None
    is_test: bool | None = None
    recovery_id: UUID | None = None
    occurred_since: datetime | None = None
    occurred_until: datetime | None = None
    created_since: datetime | None = None
    created_until: datetime | None = None


async def deliveries_of(
    session: AsyncSession,
    endpoint: WebhookEndpoint,
    wanted: DeliveryFilter,
    *,
    paging: Paging,
    sort: str,
) -> tuple[Sequence[WebhookDelivery], str | None]:
    """Read a page of what was, or will be, sent to an endpoint."""
    delivery = WebhookDelivery
    query = select(delivery).where(delivery.endpoint_id == endpoint.id)
    if wanted.state is not None:
        # Written out, so that the index of what was not delivered can be used.
        state: BindParameter[str] = bindparam("state", wanted.state, literal_execute=True)
        query = query.where(delivery.state == state)
    if wanted.event_type is not None and wanted.event_type != ALL:
        prefix, is_open, _ = wanted.event_type.partition("*")
        query = query.where(
            delivery.event_type.startswith(prefix, autoescape=True)
            if is_open
            else delivery.event_type == prefix
        )
    if wanted.project_id is not None:
        query = query.where(
            exists().where(
                WebhookMessage.event_id == delivery.event_id,
                WebhookMessage.project_id == wanted.project_id,
            )
        )
    if wanted.is_test is not None:
        query = query.where(delivery.is_test.is_(wanted.is_test))
    if wanted.recovery_id is not None:
        query = query.where(delivery.recovery_id == wanted.recovery_id)
    for column, since, until in (
        (delivery.occurred_at, wanted.occurred_since, wanted.occurred_until),
        (delivery.created_at, wanted.created_since, wanted.created_until),
    ):
        if since is not None:
            query = query.where(column >= since)
        if until is not None:
            query = query.where(column < until)
    return await paging.fetch(
        session, query, delivery.created_at, delivery.id, descending=sort.startswith("-")
    )


async def delivery_of(
    session: AsyncSession,
    endpoint: WebhookEndpoint,
    delivery_id: UUID,
    *,
    for_change: bool = False,
) -> WebhookDelivery:
    """Load a delivery to an endpoint.

    Raises:
        WebhookDeliveryNotFound: there is none, or it goes to another endpoint.
    """
    delivery = await session.get(WebhookDelivery, delivery_id, with_for_update=for_change or None)
    if delivery is None or delivery.endpoint_id != endpoint.id:
        raise WebhookDeliveryNotFound(f"The endpoint has no delivery {delivery_id}.")
    return delivery


SAID: Final = f"""
SELECT m.body, CASE
    WHEN coalesce(k.status, 'active') <> 'active' THEN 'member_' || k.status
    ELSE {hindrance("CAST(:member AS text)")}
END AS withheld
FROM webhook_message m LEFT JOIN known_member k ON k.slug = :member
WHERE m.event_id = :event
"""  # noqa: S608 -- made of constants

MAY_BE_SENT: Final = f"""
SELECT {hindrance_to_send("CAST(:member AS text)")} FROM webhook_message m
WHERE m.event_id = :event
"""  # noqa: S608 -- made of constants


async def said_in(
    session: AsyncSession, endpoint: WebhookEndpoint, delivery: WebhookDelivery
) -> tuple[bytes | None, str | None]:
    """Read the fact that a delivery tells.

    Returns:
        Its body as on the stream; or nothing, and why the member is not told it any more.
    """
    found = await session.execute(
        text(SAID), {"member": endpoint.member, "event": delivery.event_id}
    )
    body, withheld = found.one()
    return (body, None) if withheld is None else (None, withheld)


async def ensure_may_be_sent(
    session: AsyncSession, endpoint: WebhookEndpoint, delivery: WebhookDelivery
) -> None:
    """Refuse to send what the member may not be told any more.

    Raises:
        FactWithheld: it has left the project, or the fact is its own and part of a loop.
    """
    reason = await session.scalar(
        text(MAY_BE_SENT), {"member": endpoint.member, "event": delivery.event_id}
    )
    if reason is not None:
        raise FactWithheld(f"It would not be sent: {reason}.", members={"reason": reason})


async def tries_within(
    session: AsyncSession, endpoint: WebhookEndpoint, period: timedelta, *, now: datetime
) -> tuple[int, datetime | None]:
    """Count the test events that the owner asked for lately.

    Returns:
        How many, and when the first of them was asked for.
    """
    found = await session.execute(
        select(func.count(), func.min(WebhookDelivery.created_at)).where(
            WebhookDelivery.endpoint_id == endpoint.id,
            WebhookDelivery.created_at > now - period,
            WebhookDelivery.is_test,
            WebhookDelivery.trigger != "probe",
        )
    )
    count, first = found.one()
    return count, first


async def attempts_of(
    session: AsyncSession, delivery: WebhookDelivery, *, paging: Paging
) -> tuple[Sequence[WebhookAttempt], str | None]:
    """Read a page of the attempts of a delivery, oldest first."""
    query = select(WebhookAttempt).where(WebhookAttempt.delivery_id == delivery.id)
    return await paging.fetch(session, query, WebhookAttempt.started_at, WebhookAttempt.id)
