"""Use case: facts reach the inboxes of those whom they concern."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from services.notifications.model.concerns import (
    STRENGTH,
    acting_official,
    concerns,
    subject_of,
)
from shared.contracts.event import EVERYONE, Event

NEWEST: Final = (
    "reason",
    "event_type",
    "project_id",
    "title",
    "facts",
    "happened_at",
    "subject_version",
)
"""What an item shows of the newest fact."""

ASSIGNED: Final = ",\n".join(
    f"    {column} = CASE WHEN excluded.subject_version > item.subject_version"
    f" THEN excluded.{column} ELSE item.{column} END"
    for column in NEWEST
)

FOLD: Final = f"""
WITH fact AS (
    SELECT * FROM jsonb_to_recordset(CAST(:facts AS jsonb)) AS fact (
        event_id uuid, event_type text, happened_at timestamptz, audience text[], by_official uuid,
        subject_kind text, subject_id uuid, subject_version bigint, project_id uuid,
        title jsonb, facts jsonb
    )
), concern AS (
    SELECT * FROM jsonb_to_recordset(CAST(:concerns AS jsonb)) AS concern (
        event_id uuid, found_by text, members text[], roles text[], reason text, strength int
    )
), concerned AS (
    SELECT c.event_id, c.roles, c.reason, c.strength, m.member
    FROM concern c CROSS JOIN LATERAL unnest(c.members) AS m (member)
  UNION
    SELECT c.event_id, c.roles, c.reason, c.strength, p.lead
    FROM concern c JOIN fact f USING (event_id) JOIN known_project p ON p.id = f.project_id
    WHERE c.found_by IN ('lead', 'participation')
  UNION
    SELECT c.event_id, c.roles, c.reason, c.strength, p.member
    FROM concern c JOIN fact f USING (event_id)
    JOIN known_participation p ON p.project_id = f.project_id
    WHERE c.found_by = 'lead' AND p.role = 'lead'
       OR c.found_by = 'participation' AND (p.role = 'lead' OR p.status = 'accepted')
), told AS (
    SELECT DISTINCT ON (o.id, f.event_id) o.id AS official_id, o.member, c.reason, f.*
    FROM concerned c
    JOIN fact f USING (event_id)
    JOIN known_official o ON o.member = c.member AND o.roles && c.roles
    LEFT JOIN known_member m ON m.slug = o.member
    WHERE o.status = 'active'
      -- A member of which nothing is known yet is no reason to keep silent.
      AND coalesce(m.status, 'active') NOT IN ('suspended', 'withdrawn')
      AND o.id IS DISTINCT FROM f.by_official
      AND (f.audience = CAST(:everyone AS text[]) OR o.member = ANY (f.audience))
    ORDER BY o.id, f.event_id, c.strength
), folded AS (
    -- One statement must not meet a row twice: several facts about one thing become one first.
    SELECT DISTINCT ON (official_id, subject_kind, subject_id) *,
        count(*) OVER (PARTITION BY official_id, subject_kind, subject_id) AS facts_folded
    FROM told
    ORDER BY official_id, subject_kind, subject_id, subject_version DESC
)
INSERT INTO inbox_item AS item (
    id, official_id, member, subject_kind, subject_id, subject_version, project_id, reason,
    event_type, title, facts, count, is_read, happened_at, created_at, updated_at, version
)
SELECT
    uuidv7(), official_id, member, subject_kind, subject_id, subject_version, project_id, reason,
    event_type, title, facts, facts_folded, false, happened_at,
    CAST(:now AS timestamptz), CAST(:now AS timestamptz), 1
FROM folded
ON CONFLICT (official_id, subject_kind, subject_id) DO UPDATE SET
{ASSIGNED},
    count = item.count + excluded.count,
    is_read = false,
    updated_at = greatest(item.updated_at, excluded.updated_at),
    version = item.version + 1
"""  # noqa: S608 -- only names of our own columns are put in


async def fold_into_inboxes(
    session: AsyncSession, events: Sequence[Event[Any]], *, now: datetime
) -> None:
    """Tell the officials concerned, each for the strongest of their reasons.

    The order of the facts does not matter, but each must come only once.
    """
    told = [(event, found) for event in events if (found := concerns(event))]
    if not told:
        return
    await session.execute(
        text(FOLD),
        {
            "facts": json.dumps([_fact(event) for event, _ in told]),
            "concerns": json.dumps(
                [
                    {
                        "event_id": str(event.id),
                        "found_by": concern.found_by,
                        "members": concern.members,
                        "roles": concern.roles,
                        "reason": concern.reason,
                        "strength": STRENGTH.index(concern.reason),
                    }
                    for event, found in told
                    for concern in found
                ]
            ),
            "everyone": list(EVERYONE),
            "now": now,
        },
    )


def _fact(event: Event[Any]) -> dict[str, Any]:
    subject = subject_of(event)
    actor = acting_official(event)
    return {
        "event_id": str(event.id),
        "event_type": event.type,
        "happened_at": event.time.isoformat(),
        "audience": event.audience,
        "by_official": None if actor is None else str(actor),
        "subject_kind": subject.kind,
        "subject_id": str(subject.id),
        "subject_version": event.entityversion,
        "project_id": None if subject.project_id is None else str(subject.project_id),
        "title": subject.title,
        "facts": subject.facts,
    }
