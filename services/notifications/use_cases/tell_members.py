"""Use case: facts enter the feeds of the members that may hear of them, and go to their endpoints.

The feed is what a member may know, in order; its endpoints are sent what they want of it. So both
ways tell the same.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from services.notifications.model.known import KnownMember
from services.notifications.model.webhook_delivery import WebhookMessage
from services.notifications.use_cases.queue_webhooks import queue_webhooks
from shared.contracts.event import EVERYONE, Event
from shared.contracts.members import MemberEvent
from shared.contracts.projects import ParticipationEvent, ProjectEvent
from shared.messaging.consumer import copy_states
from shared.messaging.waking import wake_others

ENTER: Final = """
WITH fact AS (
    SELECT * FROM unnest(CAST(:events AS uuid[]), CAST(:audiences AS text[]))
        WITH ORDINALITY AS fact (event_id, audience, place)
), told AS (
    SELECT f.event_id, f.place, m.slug AS member
    FROM fact f JOIN known_member m
      ON m.status = 'active'
     AND (f.audience = :everyone OR m.slug = ANY (string_to_array(f.audience, ' ')))
    UNION ALL
    -- Of whom nothing is known yet nothing is taken away: the copy may be a moment late.
    SELECT f.event_id, f.place, named
    FROM fact f CROSS JOIN unnest(string_to_array(f.audience, ' ')) named
    WHERE f.audience <> :everyone
      AND NOT EXISTS (SELECT FROM known_member m WHERE m.slug = named)
), many AS (
    SELECT member, count(*) AS facts FROM told GROUP BY member
), ends AS (
    INSERT INTO feed_end AS known (member, sequence, recorded_at)
    SELECT member, facts, CAST(:now AS timestamptz) FROM many ORDER BY member
    ON CONFLICT (member) DO UPDATE SET
        sequence = known.sequence + excluded.sequence,
        recorded_at = greatest(known.recorded_at, excluded.recorded_at)
    RETURNING member, sequence, recorded_at
)
INSERT INTO feed_entry (member, sequence, event_id, recorded_at)
SELECT
    member,
    ends.sequence - many.facts + row_number() OVER (PARTITION BY member ORDER BY told.place),
    told.event_id,
    ends.recorded_at
FROM told JOIN many USING (member) JOIN ends USING (member)
"""

CLOCKS_DIFFER: Final = timedelta(minutes=5)
"""So much later than it reached us a fact may say that it happened."""

CATCH_UP: Final = """
SELECT m.event_id FROM webhook_message m
WHERE m.queued_at >= :queued_since AND m.occurred_at >= :since
  -- Without an entity it is a test, and stands in no feed.
  AND m.entity IS NOT NULL
  AND CASE WHEN m.is_for_all THEN true ELSE :member = ANY (
    string_to_array(CAST(convert_from(m.body, 'UTF8') AS json) ->> 'audience', ' ')
  ) END
  AND NOT EXISTS (SELECT FROM feed_entry f WHERE f.member = :member AND f.event_id = m.event_id)
ORDER BY m.occurred_at, m.event_id
"""


CHAIN_MAX: Final = 64
"""So far back we look for what led to a fact."""

LOCK: Final = "who takes part"
LOCK_TOGETHER: Final = "SELECT pg_advisory_xact_lock_shared(hashtextextended(:name, 4))"
LOCK_ALONE: Final = "SELECT pg_advisory_xact_lock(hashtextextended(:name, 4))"


async def tell_members(
    session: AsyncSession, events: Sequence[Event[Any]], *, now: datetime
) -> None:
    """Enter each fact once into the feed of every member that may hear of it, and queue it.

    A member is told what happens while it takes part.
    """
    if not events:
        return
    members = [event for event in events if isinstance(event, MemberEvent)]
    # Between a fact that is told to those who take part and a member that begins to, one comes
    # first: else the one would not be told, and the other would not find it among what it missed.
    await session.execute(text(LOCK_ALONE if members else LOCK_TOGETHER), {"name": LOCK})
    if members:
        await copy_states(session, KnownMember, members)
    chains = await _chains(session, events)
    await session.execute(
        insert(WebhookMessage).on_conflict_do_nothing(),
        [_message(event, chains.get(event.id, ()), now) for event in events],
    )
    await _enter(session, [(event.id, " ".join(event.audience)) for event in events], now=now)
    missed = set[UUID]()
    for event in members:
        if event.data.state.status == "active":
            missed.update(await _catch_up(session, event, now=now))
    wake_others(session)
    # Once, as lanes are locked in their order.
    await queue_webhooks(session, [*(event.id for event in events), *missed], now=now)


async def _catch_up(session: AsyncSession, event: MemberEvent, *, now: datetime) -> Sequence[UUID]:
    """Tell a member what it may hear of since it takes part, and came before we heard of that.

    Facts of different kinds arrive in any order, and who writes them may have heard earlier.

    Returns:
        What that was.
    """
    found = await session.scalars(
        text(CATCH_UP),
        {
            "member": event.subject,
            "since": event.time,
            "queued_since": event.time - CLOCKS_DIFFER,
        },
    )
    missed = found.all()
    if missed:
        await _enter(session, [(event_id, event.subject) for event_id in missed], now=now)
    return missed


async def _enter(session: AsyncSession, told: Sequence[tuple[UUID, str]], *, now: datetime) -> None:
    events = [event_id for event_id, _ in told]
    await session.execute(
        text(ENTER),
        {
            "events": events,
            "audiences": [audience for _, audience in told],
            "everyone": EVERYONE[0],
            "now": now,
        },
    )


def entity_of(event: Event[Any]) -> str:
    """Name the thing that a fact is about, such as `milestone:0199…`."""
    return f"{event.entity}:{event.subject}"


async def _chains(
    session: AsyncSession, events: Sequence[Event[Any]]
) -> dict[UUID, tuple[str, ...]]:
    """Find whose facts led to these by webhooks, one after the other, by what we know ourselves.

    How many there were, a request may say as it likes: it would have others told later, or what
    they do kept from themselves. A cause that we know nothing of counts as none.
    """
    causes = {event.causationid for event in events if event.causationid is not None}
    if not causes:
        return {}
    message = WebhookMessage
    found = await session.execute(
        select(message.event_id, message.chain, message.acting_member).where(
            message.event_id.in_(causes)
        )
    )
    # With those that come in the same batch, as when the whole history is heard again.
    leading = {event_id: (*chain, acting or "") for event_id, chain, acting in found}
    chains = {}
    for event in events:
        chain = leading.get(event.causationid, ()) if event.causationid is not None else ()
        chains[event.id] = chain[-CHAIN_MAX:]
        leading[event.id] = (*chains[event.id], event.actormember or "")
    return chains


def _message(event: Event[Any], chain: tuple[str, ...], now: datetime) -> dict[str, Any]:
    state = event.data.state
    about_place = isinstance(event, ParticipationEvent)
    is_project = isinstance(event, ProjectEvent)
    return {
        "event_id": event.id,
        "event_type": event.type,
        "body": event.wire_form(),
        "queued_at": now,
        "occurred_at": event.time,
        "entity": entity_of(event),
        "project_id": state.id if is_project else getattr(state, "project_id", None),
        "about_member": state.member if about_place else None,
        "is_for_all": event.audience == EVERYONE,
        "acting_member": event.actormember,
        "hops": len(chain),
        "chain": chain,
    }
