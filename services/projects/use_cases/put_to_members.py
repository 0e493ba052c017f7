"""Part of several use cases: a question is put to members, with all that belongs to it."""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from services.projects.model.decision import Decision, Question
from services.projects.model.project import Project
from services.projects.model.standing import Standing
from services.projects.model.working_days import whole_working_days
from services.projects.queries.decisions import count_open_decisions
from services.projects.queries.standings import known_members
from shared.actor import Actor
from shared.contracts.projects import DecisionOpened
from shared.messaging.outbox import announce

LOOK_AHEAD: Final = timedelta(days=60)
"""Whoever has that long has enough working days; years ahead nobody knows all holidays."""


async def put_to_members(
    session: AsyncSession,
    project: Project,
    question: Question,
    *,
    electorate: Collection[str],
    proposer: str,
    standing: Standing,
    actor: Actor,
    now: datetime,
) -> Decision:
    """Open a decision in a project that is locked.

    Raises:
        ProjectEnded: the project is over.
        NobodyToAsk: there is nobody besides the proposer.
        TooManyOpen: there are as many open decisions as there can be.
        ClosesTooSoon, ClosesTooLate: the deadline is none that members can answer by.
    """
    until = min(question.closes_at, now + LOOK_AHEAD)
    decision = Decision.open(
        project,
        question,
        electorate=electorate,
        working_days={
            member.slug: whole_working_days(
                now, until, member.time_zone, member.country, member.subdivision
            )
            for member in await known_members(session, electorate)
        },
        others=await count_open_decisions(session, project),
        proposer=proposer,
        at=now,
    )
    session.add(decision)
    announce(
        session,
        DecisionOpened.about(
            decision.state(), by=actor, at=now, audience=project.audience(standing.places)
        ),
    )
    return decision
