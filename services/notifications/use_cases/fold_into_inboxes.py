"""Use case: facts reach the inboxes of those whom they concern."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from services.notifications.model.concerns import (
    STRENGTH,
    Concern,
    acting_official,
    concerns,
    subject_of,
)
from services.notifications.model.unplaced_fact import UnplacedFact
from services.notifications.queries.unplaced_facts import known_projects, placeable_facts
from shared.contracts.event import EVERYONE, Event

BATCH: Final = 500

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
        event_id uuid, found_by text, members text[], roles text[], officials uuid[], reason text,
        strength int
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
), addressed AS (
    SELECT c.event_id, c.reason, c.strength, o.id AS official_id
    FROM concerned c JOIN known_official o ON o.member = c.member AND o.roles && c.roles
  UNION ALL
    SELECT c.event_id, c.reason, c.strength, a.official_id
    FROM concern c CROSS JOIN LATERAL unnest(c.officials) AS a (official_id)
), told AS (
    SELECT DISTINCT ON (o.id, f.event_id) o.id AS official_id, o.member, a.reason, f.*
    FROM addressed a
    JOIN fact f USING (event_id)
    JOIN known_official o ON o.id = a.official_id
    LEFT JOIN known_member m ON m.slug = o.member
    WHERE o.status = 'active'
      -- A member of which nothing is known yet is no reason to keep silent.
      AND coalesce(m.status, 'active') NOT IN ('suspended', 'withdrawn')
      AND o.id IS DISTINCT FROM f.by_official
      AND (f.audience = CAST(:everyone AS text[]) OR o.member = ANY (f.audience))
    ORDER BY o.id, f.event_id, a.strength
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

    The order of the facts does not matter, but each must come only once. A fact for whose project
    we do not know the lead yet is kept until we do.
    """
    told = [_told(event, found) for event in events if (found := concerns(event))]
    known = await known_projects(session, {one.project_id for one in told if one.project_id})
    ready = []
    for one in told:
        if one.project_id is None or one.project_id in known:
            ready.append(one)
            continue
        session.add(
            UnplacedFact(
                event_id=one.event_id,
                project_id=one.project_id,
                fact=one.fact,
                concerns=one.concerns,
                noted_at=now,
            )
        )
    await _fold(session, ready, now=now)


async def place_facts(session: AsyncSession, *, now: datetime) -> bool:
    """Tell the officials concerned by facts that had to wait for their project.

    Returns:
        Whether there may be more.
    """
    waiting = await placeable_facts(session, limit=BATCH)
    await _fold(
        session, [Told(one.event_id, None, one.fact, one.concerns) for one in waiting], now=now
    )
    for one in waiting:
        await session.delete(one)
    return len(waiting) == BATCH


@dataclass(frozen=True, slots=True)
class Told:
    """A fact as the statement wants it. `project_id` is set if its project must be known."""

    event_id: UUID
    project_id: UUID | None
    fact: dict[str, Any]
    concerns: list[dict[str, Any]]


async def _fold(session: AsyncSession, told: Sequence[Told], *, now: datetime) -> None:
    if not told:
        return
    await session.execute(
        text(FOLD),
        {
            "facts": json.dumps([one.fact for one in told]),
            "concerns": json.dumps([concern for one in told for concern in one.concerns]),
            "everyone": list(EVERYONE),
            "now": now,
        },
    )


def _told(event: Event[Any], found: Sequence[Concern]) -> Told:
    subject = subject_of(event)
    actor = acting_official(event)
    needs_project = any(concern.needs_project for concern in found)
    return Told(
        event_id=event.id,
        project_id=subject.project_id if needs_project else None,
        fact={
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
        },
        concerns=[
            {
                "event_id": str(event.id),
                "found_by": concern.found_by,
                "members": concern.members,
                "roles": concern.roles,
                "officials": [str(official) for official in concern.officials],
                "reason": concern.reason,
                "strength": STRENGTH.index(concern.reason),
            }
            for concern in found
        ],
    )
