"""Use case: the secretariat enters an objective or a theme."""

from datetime import datetime
from typing import Final

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from services.projects.model.topic import (
    Objective,
    Theme,
    TopicExists,
    TopicKind,
    ensure_secretariat,
)
from services.projects.queries.standings import standing_outside
from services.projects.queries.topics import TopicSeen
from shared.actor import Actor
from shared.contracts.event import EVERYONE
from shared.contracts.projects import ObjectiveAdded, ThemeAdded
from shared.messaging.outbox import announce

ADDED: Final = {Objective: ObjectiveAdded, Theme: ThemeAdded}


async def add_topic(
    session: AsyncSession,
    kind: TopicKind,
    *,
    actor: Actor,
    now: datetime,
    slug: str,
    title: dict[str, str],
    description: dict[str, str] | None,
    position: int,
) -> TopicSeen:
    """Let projects name something new.

    Raises:
        MissingScope, MemberNotActive, NotSecretariat: the actor may not.
        TopicExists: the list has something of this name.
    """
    standing = await standing_outside(session, actor=actor)
    ensure_secretariat(standing)
    topic = kind(
        slug=slug,
        title=title,
        description=description,
        position=position,
        created_at=now,
        updated_at=now,
    )
    try:
        async with session.begin_nested():
            session.add(topic)
    except IntegrityError as error:
        raise TopicExists(f"The list has {slug!r}.") from error
    announce(session, ADDED[kind].about(topic.state(), by=actor, at=now, audience=EVERYONE))
    return topic, standing
