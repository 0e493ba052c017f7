"""Use case: the secretariat retires an objective or a theme."""

from datetime import datetime
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from services.projects.model.topic import Objective, Theme, TopicKind, ensure_secretariat
from services.projects.queries.topics import TopicSeen, topic_for_change
from shared.actor import Actor
from shared.contracts.event import EVERYONE
from shared.contracts.projects import ObjectiveRetired, ThemeRetired
from shared.http.preconditions import ensure_version
from shared.messaging.outbox import announce

RETIRED: Final = {Objective: ObjectiveRetired, Theme: ThemeRetired}


async def retire_topic(
    session: AsyncSession,
    kind: TopicKind,
    slug: str,
    *,
    actor: Actor,
    now: datetime,
    expected: int | None,
) -> TopicSeen:
    """Let no further project name it; those that do keep it.

    Raises:
        TopicNotFound: there is none.
        MissingScope, MemberNotActive, NotSecretariat: the actor may not.
        VersionStale: it is not at the expected version.
        TopicRetiredBefore: it is retired.
    """
    topic, standing = await topic_for_change(session, kind, slug, actor=actor)
    ensure_secretariat(standing)
    before = topic.state()
    ensure_version(expected, before)
    topic.retire(by=standing, at=now)
    announce(
        session,
        RETIRED[kind].about(topic.state(), before=before, by=actor, at=now, audience=EVERYONE),
    )
    return topic, standing
