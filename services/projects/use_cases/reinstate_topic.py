"""Use case: the secretariat takes an objective or a theme into use again."""

from datetime import datetime
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from services.projects.model.topic import Objective, Theme, TopicKind, ensure_secretariat
from services.projects.queries.topics import TopicSeen, topic_for_change
from shared.actor import Actor
from shared.contracts.event import EVERYONE
from shared.contracts.projects import ObjectiveReinstated, ThemeReinstated
from shared.http.preconditions import ensure_version
from shared.messaging.outbox import announce

REINSTATED: Final = {Objective: ObjectiveReinstated, Theme: ThemeReinstated}


async def reinstate_topic(
    session: AsyncSession,
    kind: TopicKind,
    slug: str,
    *,
    actor: Actor,
    now: datetime,
    expected: int | None,
) -> TopicSeen:
    """Let projects name it again.

    Raises:
        TopicNotFound: there is none.
        MissingScope, MemberNotActive, NotSecretariat: the actor may not.
        VersionStale: it is not at the expected version.
        TopicNotRetired: it is in use.
    """
    topic, standing = await topic_for_change(session, kind, slug, actor=actor)
    ensure_secretariat(standing)
    before = topic.state()
    ensure_version(expected, before)
    topic.reinstate(by=standing, at=now)
    announce(
        session,
        REINSTATED[kind].about(topic.state(), before=before, by=actor, at=now, audience=EVERYONE),
    )
    return topic, standing
