"""Every SELECT of objectives and themes."""

from collections.abc import Collection, Sequence
from typing import Any, Final

from sqlalchemy import Boolean, Text, bindparam, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.projects.model.standing import Standing
from services.projects.model.topic import Objective, Theme, TopicKind, TopicsInUse, no_topic
from services.projects.queries.standings import (
    HOME,
    ensure_may_read,
    parameters,
    reading_from,
    standing_outside,
)
from shared.actor import Actor
from shared.http.paging import Listing, Paging
from shared.reading import Question, Reading, Row

TopicSeen = tuple[Objective | Theme, Standing]

KINDS: Final[tuple[TopicKind, ...]] = (Objective, Theme)
_ONE: Final = {
    kind: Question(select(kind, HOME).where(kind.slug == bindparam("slug", type_=Text())))
    for kind in KINDS
}
_LISTED: Final = {
    kind: Listing(
        select(kind, HOME),
        filters={"retired": kind.is_retired == bindparam("retired", type_=Boolean())},
        sorts={"position": (kind.position, kind.slug)},
    )
    for kind in KINDS
}


async def topic_seen(reading: Reading, kind: TopicKind, slug: str, *, actor: Actor) -> TopicSeen:
    """Load an entry of one of the network's lists.

    Raises:
        ClientRevoked, OfficialMayNotAct, SessionOver, MissingScope: the actor may not read.
        TopicNotFound: there is none.
    """
    found = await reading.rows(_ONE[kind], parameters(actor, slug=slug))
    if not found:
        await ensure_may_read(reading, actor=actor)
        raise no_topic(slug)
    [seen] = _read(actor, found)
    return seen


async def list_topics(
    reading: Reading, paging: Paging, kind: TopicKind, *, actor: Actor, retired: bool | None = None
) -> tuple[list[TopicSeen], str | None]:
    """List one of the network's lists in its order.

    Raises:
        ClientRevoked, OfficialMayNotAct, SessionOver, MissingScope: the actor may not read.
        CursorUnknown: the cursor was not made by this list.
    """
    rows, cursor = await _LISTED[kind].read(
        reading,
        paging,
        sort="position",
        filters={"retired": retired},
        parameters=parameters(actor),
    )
    if not rows:
        await ensure_may_read(reading, actor=actor)
    return _read(actor, rows), cursor


async def topic_for_change(
    session: AsyncSession, kind: TopicKind, slug: str, *, actor: Actor
) -> TopicSeen:
    """Load an entry of one of the network's lists, locked until the transaction ends.

    Raises:
        TopicNotFound: there is none.
    """
    standing = await standing_outside(session, actor=actor)
    topic: Any = await session.get(kind, slug, with_for_update={"key_share": True})
    if topic is None:
        raise no_topic(slug)
    return topic, standing


async def topics_in_use(
    session: AsyncSession, *, objectives: Collection[str], themes: Collection[str]
) -> TopicsInUse:
    """Tell which of the named objectives and themes a project can name anew."""
    return TopicsInUse(
        await _in_use(session, Objective, objectives), await _in_use(session, Theme, themes)
    )


async def _in_use(session: AsyncSession, kind: TopicKind, slugs: Collection[str]) -> frozenset[str]:
    if not slugs:
        return frozenset()
    found = select(kind.slug).where(kind.slug.in_(slugs), kind.is_retired.is_(False))
    return frozenset(await session.scalars(found))


def _read(actor: Actor, rows: Sequence[Row]) -> list[TopicSeen]:
    return [(topic, reading_from(actor, home, None)) for topic, home in rows]
