"""Every SELECT of the audit trail."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from datetime import datetime
from typing import Final, Literal

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from services.members.model.audit import (
    BEGINNING,
    AuditEntry,
    AuditEntryNotFound,
    AuditHead,
    Break,
    Outcome,
    Walk,
    break_at,
)
from shared.http.paging import Paging

BATCH: Final = 200

AuditSort = Literal["created", "-created"]


def head_for_change(session: Session, member: str) -> AuditHead:
    """Load the end of a member's trail, locked; a trail begins when it is first asked for.

    Without `await`, because entries are appended while a transaction commits.
    """
    head = session.get(AuditHead, member, with_for_update=True, populate_existing=True)
    if head is None:
        # Of two who begin a trail at once the second one waits here, and then finds it.
        begun = insert(AuditHead).values(member=member, length=0, hash=BEGINNING)
        session.execute(begun.on_conflict_do_nothing())
        head = session.get_one(AuditHead, member, with_for_update=True, populate_existing=True)
    return head


async def head_of(session: AsyncSession, member: str) -> AuditHead:
    """Load the end of a member's trail; without entries, that of an empty one."""
    return await session.get(AuditHead, member) or AuditHead(member=member)


async def members_with_trails(session: AsyncSession) -> Sequence[str]:
    """Name whose trails there are, or should be, in the order of their slugs."""
    return sorted(
        await session.scalars(select(AuditHead.member).union(select(AuditEntry.member).distinct()))
    )


async def list_entries(
    session: AsyncSession,
    member: str,
    *,
    action: str | None,
    actor: str | None,
    outcome: Outcome | None,
    since: datetime | None,
    sort: AuditSort,
    paging: Paging,
) -> tuple[Sequence[AuditEntry], str | None]:
    """Give a part of a member's trail, and the cursor of the next one."""
    query = select(AuditEntry).where(AuditEntry.member == member)
    if action is not None:
        query = query.where(AuditEntry.action == action)
    if actor is not None:
        query = query.where(AuditEntry.actor == actor)
    if outcome is not None:
        query = query.where(AuditEntry.outcome == outcome)
    if since is not None:
        query = query.where(AuditEntry.at >= since)
    descending = sort == "-created"
    return await paging.fetch(session, query, AuditEntry.position, descending=descending)


async def walk_from(session: AsyncSession, member: str, position: int) -> Walk:
    """Go on behind an entry of a member's trail; behind 0 from the beginning.

    Raises:
        AuditEntryNotFound: the trail has no such entry.
    """
    if position == 0:
        return Walk()
    entry = await session.get(AuditEntry, (member, position))
    if entry is None:
        raise AuditEntryNotFound(f"The trail of {member} has no entry at {position}.")
    return Walk(entry.position, entry.hash)


async def entries_after(
    session: AsyncSession, member: str, position: int, *, up_to: int | None = None
) -> AsyncGenerator[AuditEntry]:
    """Give the entries behind a place, in their order, with few of them in memory at once."""
    while True:
        query = (
            select(AuditEntry)
            .where(AuditEntry.member == member, AuditEntry.position > position)
            .order_by(AuditEntry.position)
            .limit(BATCH)
        )
        if up_to is not None:
            query = query.where(AuditEntry.position <= up_to)
        found = (await session.scalars(query)).all()
        for entry in found:
            yield entry
        if len(found) < BATCH:
            return
        position = found[-1].position


async def first_break_of(
    session: AsyncSession, head: AuditHead, *, kept: Mapping[int, str]
) -> Break | None:
    """Follow a trail from its beginning to its head, in a transaction that sees one moment.

    Args:
        session: of the database.
        head: of the trail, as it is in the same moment.
        kept: hashes by the position of their entries, that were written down elsewhere.
    """
    walk = Walk()
    async with aclosing(entries_after(session, head.member, 0)) as entries:
        async for entry in entries:
            if not walk.follows(entry):
                return break_at(walk, [entry, *[each async for each in entries]], head)
            if kept.get(walk.position, walk.hash) != walk.hash:
                return Break(walk.position, "replaced")
    if found := break_at(walk, [], head):
        return found
    return Break(head.length + 1, "missing") if max(kept, default=0) > head.length else None
