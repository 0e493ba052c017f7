"""Use case: what webhooks have told, or still have to tell, of an official who has been erased."""

from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from shared.contracts.members import OfficialErased
from shared.messaging.erasing import forget_buried

# The ids first: reading every body that is kept would take long.
FORGET: Final = """
WITH about_the_kind AS MATERIALIZED (
    SELECT DISTINCT event_id FROM webhook_delivery WHERE event_type LIKE :kind
)
UPDATE webhook_message m
SET body = convert_to(
    jsonb_set(convert_from(m.body, 'UTF8')::jsonb, '{data}', CAST(:data AS jsonb))::text, 'UTF8'
)
FROM about_the_kind a
WHERE m.event_id = a.event_id AND m.event_id <> :newest
  AND convert_from(m.body, 'UTF8')::jsonb ->> 'subject' = :subject
"""


async def forget_official(session: AsyncSession, event: OfficialErased) -> None:
    """Let all that was said of an official say what is left of them.

    What still waits is sent in this form, and so is what is sent again.
    """
    await session.execute(
        text(FORGET),
        {
            "kind": "renkei.official.%",
            "data": event.data.model_dump_json(),
            "newest": event.id,
            "subject": event.subject,
        },
    )
    await forget_buried(session, f"evt.members.official.{event.subject}.>", kept=event.nats_subject)
