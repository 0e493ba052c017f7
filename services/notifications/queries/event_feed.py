"""Every SELECT of feeds, cursors and digests."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final
from uuid import UUID

from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from services.notifications.model.event_feed import (
    CURSORS_MAX,
    CursorNotFound,
    FactNotFound,
    FeedCursor,
    FeedDigest,
    FeedKey,
    Withheld,
    ensure_within,
)
from services.notifications.queries.rights import hindrance
from shared.actor import Actor
from shared.http.paging import Paging

LOOKED_AT_MAX: Final = 2_000
"""So many facts are looked at for one part, where few of them are wanted."""

PART_BYTES: Final = 1_000_000
"""A part ends after this much: a fact may have almost a megabyte."""

WITHHELD: Final = f"""
    CASE WHEN split_part(m.event_type, '.', 2) <> ALL (CAST(:entities AS text[]))
    THEN 'missing_scope' ELSE {hindrance("f.member")} END
"""
"""Whoever may not read a kind of facts learns nothing of them, not even whose they are."""

PART: Final = f"""
WITH bounds AS (
    SELECT coalesce((SELECT sequence FROM feed_end WHERE member = :member), 0) AS ended,
        (SELECT sequence FROM feed_entry WHERE member = :member ORDER BY sequence LIMIT 1) AS kept
), looked_at AS (
    SELECT f.sequence, f.event_id, f.recorded_at, m.event_type, m.body, {WITHHELD} AS withheld
    FROM feed_entry f JOIN webhook_message m ON m.event_id = f.event_id
    WHERE f.member = :member
      AND f.sequence > CAST(:after AS bigint) AND f.sequence <= CAST(:until AS bigint)
      AND (CAST(:types AS text[]) IS NULL OR m.event_type = ANY (:types)
           OR split_part(m.event_type, '.', 2) = ANY (CAST(:kinds AS text[])))
      AND (CAST(:project AS uuid) IS NULL OR m.project_id = :project)
), wanted AS (
    SELECT * FROM looked_at
    -- Among what was chosen, even that something is withheld would say what it is about.
    WHERE withheld IS NULL OR NOT CAST(:is_chosen AS boolean)
    ORDER BY sequence LIMIT :limit
), measured AS (
    SELECT wanted.*, count(*) OVER () AS found,
        sum(octet_length(body)) OVER (ORDER BY sequence) - octet_length(body) AS bytes_before
    FROM wanted
)
SELECT bounds.ended, coalesce(bounds.kept, bounds.ended + 1) AS first, told.sequence,
    told.event_id, told.recorded_at, told.event_type, told.withheld, told.found,
    CASE WHEN told.withheld IS NULL THEN told.body END AS body
FROM bounds LEFT JOIN measured told ON told.bytes_before < :bytes
ORDER BY told.sequence
"""  # noqa: S608 -- made of constants
"""In one statement, so that what is read and from where it is kept belong together."""


@dataclass(frozen=True, slots=True)
class Told:
    """An entry of a feed, with its fact as it came unless that is withheld."""

    sequence: int
    event_id: UUID
    recorded_at: datetime
    event_type: str
    body: bytes | None
    withheld: Withheld | None


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a feed.

    `next` is what was looked at last, be it told or not; `end` the last sequence there is.
    """

    items: Sequence[Told]
    next: int
    end: int

    @property
    def is_last(self) -> bool:
        return self.next >= self.end


@dataclass(frozen=True, slots=True)
class Wanted:
    """Whose feed is read, and what of it.

    `entities` are the kinds of things of which whoever reads may hear; `types`, and `kinds` of
    things, what they want to hear of; nothing stands for all.
    """

    member: str
    entities: frozenset[str]
    limit: int
    types: tuple[str, ...] | None = None
    kinds: tuple[str, ...] = ()
    project_id: UUID | None = None

    @property
    def is_chosen(self) -> bool:
        return self.types is not None or self.project_id is not None


async def part_of(session: AsyncSession, wanted: Wanted, *, after: int | None) -> Part:
    """Read what follows a sequence; from the first that is kept, if none is given.

    Raises:
        FeedNotThatFar: there is no such sequence yet.
        FeedForgotten: something that followed it is kept no longer.
    """
    if after is None:
        after = (await bounds_of(session, wanted.member)).first - 1
    found = (
        await session.execute(
            text(PART),
            {
                "member": wanted.member,
                "after": after,
                "until": after + LOOKED_AT_MAX,
                "entities": list(wanted.entities),
                "types": None if wanted.types is None else list(wanted.types),
                "kinds": list(wanted.kinds),
                "project": wanted.project_id,
                "is_chosen": wanted.is_chosen,
                "limit": wanted.limit,
                "bytes": PART_BYTES,
            },
        )
    ).all()
    begun = found[0]
    ensure_within(after, first=begun.first, end=begun.ended)
    items = [
        Told(row.sequence, row.event_id, row.recorded_at, row.event_type, row.body, row.withheld)
        for row in found
        if row.sequence is not None
    ]
    there_is_more = bool(items) and (begun.found > len(items) or begun.found == wanted.limit)
    looked_at = items[-1].sequence if there_is_more else after + LOOKED_AT_MAX
    return Part(items, min(looked_at, begun.ended), begun.ended)


ONE: Final = f"""
SELECT m.body FROM feed_entry f JOIN webhook_message m ON m.event_id = f.event_id
WHERE f.member = :member AND f.event_id = :event AND ({WITHHELD}) IS NULL
"""  # noqa: S608 -- made of constants


async def fact_told(
    session: AsyncSession, event_id: UUID, *, member: str, entities: Collection[str]
) -> bytes:
    """Read one fact of a member's feed, as it came.

    Raises:
        FactNotFound: it is not in it, is kept no longer, or is withheld.
    """
    body: bytes | None = await session.scalar(
        text(ONE), {"member": member, "event": event_id, "entities": list(entities)}
    )
    if body is None:
        raise FactNotFound(f"Your feed has no event {event_id}.")
    return body


BOUNDS: Final = """
SELECT coalesce((SELECT sequence FROM feed_end WHERE member = :member), 0) AS ended,
    (SELECT sequence FROM feed_entry WHERE member = :member ORDER BY sequence LIMIT 1) AS kept,
    (SELECT sequence FROM feed_entry
     WHERE member = :member AND recorded_at >= CAST(:since AS timestamptz)
     ORDER BY recorded_at, sequence LIMIT 1) AS later
"""


@dataclass(frozen=True, slots=True)
class Bounds:
    """From where to where a feed can be read; both are 1 and 0 of one that never had anything.

    `later` is the first sequence from the moment that was asked for, or would be.
    """

    first: int
    end: int
    later: int


async def bounds_of(session: AsyncSession, member: str, *, since: datetime | None = None) -> Bounds:
    row = (await session.execute(text(BOUNDS), {"member": member, "since": since})).one()
    following = row.ended + 1
    return Bounds(
        following if row.kept is None else row.kept,
        row.ended,
        following if row.later is None else row.later,
    )


async def cursors_of(
    session: AsyncSession, member: str, *, paging: Paging
) -> tuple[Sequence[FeedCursor], str | None]:
    """Read a page of the cursors of a member, by name."""
    query = select(FeedCursor).where(FeedCursor.member == member)
    return await paging.fetch(session, query, FeedCursor.name)


async def cursor_of(
    session: AsyncSession, name: str, *, actor: Actor, for_change: bool = False
) -> FeedCursor:
    """Load a cursor of the actor's member.

    Raises:
        CursorNotFound: there is none of this name.
    """
    found = await session.get(FeedCursor, (actor.member, name), with_for_update=for_change or None)
    if found is None:
        raise CursorNotFound(f"Your member has no cursor {name!r}.")
    return found


async def cursors_to_come(session: AsyncSession, member: str) -> int:
    """Tell how many more cursors a member can have; nobody makes one meanwhile."""
    await session.execute(
        text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 3))"),
        {"name": f"feed cursors of {member}"},
    )
    made = await session.scalar(
        select(func.count()).select_from(FeedCursor).where(FeedCursor.member == member)
    )
    return CURSORS_MAX - (made or 0)


async def digests_of(
    session: AsyncSession,
    member: str,
    *,
    since: date | None,
    until: date | None,
    paging: Paging,
    sort: str,
) -> tuple[Sequence[FeedDigest], str | None]:
    """Read a page of the digests of a member's feed.

    Args:
        session: to read with.
        member: whose.
        since: first day that is wanted.
        until: last day.
        paging: which page.
        sort: `day`, or `-day` for the newest first.
    """
    query = select(FeedDigest).where(FeedDigest.member == member)
    if since is not None:
        query = query.where(FeedDigest.day >= since)
    if until is not None:
        query = query.where(FeedDigest.day <= until)
    return await paging.fetch(session, query, FeedDigest.day, descending=sort.startswith("-"))


async def feed_keys(session: AsyncSession) -> Sequence[FeedKey]:
    """Load the keys that digests are, or were, signed with, newest first."""
    found = await session.scalars(
        select(FeedKey).order_by(FeedKey.created_at.desc(), FeedKey.id.desc())
    )
    return found.all()


async def alone_with_keys(session: AsyncSession) -> None:
    """Let nobody else make a key until the transaction ends."""
    await session.execute(text("SELECT pg_advisory_xact_lock(hashtextextended('feed keys', 3))"))
