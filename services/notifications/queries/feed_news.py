"""What those must know who wait for something new in a feed, for all of them in one question."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from shared.actor import Actor

NEWS: Final = """
SELECT 'end' AS what, member AS name, sequence FROM feed_end WHERE member = ANY (:members)
UNION ALL
SELECT 'member', slug, 0 FROM known_member WHERE slug = ANY (:members) AND status <> 'active'
UNION ALL
SELECT 'client', id, 0 FROM known_client WHERE id = ANY (:clients) AND status = 'revoked'
UNION ALL
SELECT 'session', CAST(id AS text), 0 FROM known_session
WHERE id = ANY (CAST(:sessions AS uuid[]))
UNION ALL
SELECT 'official', CAST(id AS text), 0 FROM known_official
WHERE id = ANY (CAST(:officials AS uuid[]))
  AND (status <> 'active' OR 'notifications:read' <> ALL (scopes))
"""


@dataclass(frozen=True, slots=True)
class News:
    """How far the feeds of some members have come, and who may read no longer."""

    ends: dict[str, int]
    silenced: frozenset[tuple[str, str]]

    def may_concern(self, actor: Actor, *, known: int) -> bool:
        """Tell whether an actor who knows a feed up to `known` should look again."""
        if self.ends.get(actor.member, 0) > known:
            return True
        return not self.silenced.isdisjoint(
            {
                ("member", actor.member),
                ("client", actor.client_id or ""),
                ("session", str(actor.session_id)),
                ("official", str(actor.official_id)),
            }
        )


async def news_for(session: AsyncSession, actors: Collection[Actor]) -> News:
    """Look for what is new for all of these."""

    def distinct(values: Collection[UUID | None]) -> list[UUID]:
        return list({value for value in values if value is not None})

    rows = await session.execute(
        text(NEWS),
        {
            "members": list({actor.member for actor in actors}),
            "clients": list({actor.client_id for actor in actors if actor.client_id is not None}),
            "sessions": distinct([actor.session_id for actor in actors]),
            "officials": distinct([actor.official_id for actor in actors]),
        },
    )
    ends, silenced = dict[str, int](), set[tuple[str, str]]()
    for what, name, sequence in rows:
        if what == "end":
            ends[name] = sequence
        else:
            silenced.add((what, name))
    return News(ends, frozenset(silenced))
