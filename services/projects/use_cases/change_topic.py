"""Use case: the secretariat words or places an objective or a theme differently."""

from datetime import datetime
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from services.projects.model.topic import (
    Objective,
    Theme,
    TopicChanges,
    TopicKind,
    ensure_secretariat,
)
from services.projects.queries.topics import TopicSeen, topic_for_change
from shared.actor import Actor
from shared.contracts.event import EVERYONE
from shared.contracts.projects import ObjectiveChanged, ThemeChanged
from shared.http.preconditions import ensure_version
from shared.messaging.outbox import announce

CHANGED: Final = {Objective: ObjectiveChanged, Theme: ThemeChanged}


async def change_topic(
    session: AsyncSession,
    kind: TopicKind,
    slug: str,
    *,
    actor: Actor,
    now: datetime,
    expected: int | None,
    changes: TopicChanges,
) -> TopicSeen:
    """Replace the given fields of an entry of one of the lists.

    Raises:
        TopicNotFound: there is none.
        MissingScope, MemberNotActive, NotSecretariat: the actor may not.
        VersionStale: it is not at the expected version.
    """
    topic, standing = await topic_for_change(session, kind, slug, actor=actor)
    ensure_secretariat(standing)
    before = topic.state()
    ensure_version(expected, before)
    topic.change(changes, by=standing, at=now)
    announce(
        session,
        CHANGED[kind].about(topic.state(), before=before, by=actor, at=now, audience=EVERYONE),
    )
    return topic, standing
