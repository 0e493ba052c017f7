"""Use case: what is told, or still has to be, of an official who has been erased."""

from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from services.notifications.use_cases.tell_members import entity_of
from shared.contracts.event import Event
from shared.contracts.members import OfficialErased
from shared.messaging.erasing import forget_buried

FORGET: Final = """
UPDATE webhook_message m
SET body = convert_to(
    jsonb_set(convert_from(m.body, 'UTF8')::jsonb, '{data}', CAST(:data AS jsonb))::text, 'UTF8'
)
WHERE m.entity = :entity AND m.event_id <> :newest
"""

FORGET_ANSWERS: Final = """
UPDATE webhook_attempt a SET excerpt = NULL
FROM webhook_delivery d JOIN webhook_message m ON m.event_id = d.event_id
WHERE m.entity = :entity AND a.delivery_id = d.id AND a.excerpt IS NOT NULL
"""
"""Some receivers repeat what they were sent."""


async def forget_all_but(session: AsyncSession, event: Event[Any]) -> None:
    """Let all that was said of an entity, and what was answered, say no more than this does."""
    await session.execute(
        text(FORGET),
        {
            "entity": entity_of(event),
            "data": event.data.model_dump_json(),
            "newest": event.id,
        },
    )
    await session.execute(text(FORGET_ANSWERS), {"entity": entity_of(event)})


async def forget_official(session: AsyncSession, event: OfficialErased) -> None:
    """Let all that was said of an official say what is left of them.

    What still waits is sent in this form, and so is what is sent again or read from a feed.
    """
    await forget_all_but(session, event)
    await forget_buried(session, f"evt.members.official.{event.subject}.>", kept=event.nats_subject)
