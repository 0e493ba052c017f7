"""Every SELECT of what members still owe."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ARRAY, Uuid, any_, bindparam, exists, literal, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.projects.model.contribution import Contribution
from services.projects.model.decision import Decision
from services.projects.model.duty import Duty, open_duties
from services.projects.model.milestone import Milestone
from services.projects.model.participation import Participation
from services.projects.model.plan import OPEN
from services.projects.queries.asked import is_silent
from services.projects.queries.participations import participation_seen
from services.projects.queries.standings import MEMBER, PROJECT_ID
from shared.actor import Actor
from shared.reading import Question, Reading, Row

Ask = Callable[[Question, Mapping[str, Any]], Awaitable[list[Row]]]

_MILESTONES: Final = Question(
    select(Milestone).where(
        Milestone.project_id == PROJECT_ID,
        Milestone.status.in_(map(literal, sorted(OPEN))),
        or_(
            Milestone.accountable == MEMBER,
            exists()
            .where(Contribution.milestone_id == Milestone.id, Contribution.member == MEMBER)
            .correlate(Milestone),
        ),
    )
)
_CONTRIBUTIONS: Final = Question(
    select(Contribution)
    .where(Contribution.milestone_id == any_(bindparam("milestones", type_=ARRAY(Uuid()))))
    .order_by(Contribution.id)
)


_UNANSWERED: Final = Question(
    select(Decision)
    .where(Decision.project_id == PROJECT_ID, Decision.status == "open", is_silent(MEMBER))
    .order_by(Decision.id)
)


async def duties_seen(reading: Reading, participation_id: UUID, *, actor: Actor) -> list[Duty]:
    """List what the member of a participation owes to its project, the most urgent first.

    Raises:
        ClientRevoked, OfficialMayNotAct, SessionOver, MissingScope: the actor may not read.
        ParticipationNotFound: for the actor there is none.
    """
    participation, _ = await participation_seen(reading, participation_id, actor=actor)
    return await _duties(reading.rows, participation)


async def duties_left(session: AsyncSession, participation: Participation) -> list[Duty]:
    """List what the member of a participation owes to its project, the most urgent first."""
    return await _duties(lambda question, values: question.asked_in(session, values), participation)


async def _duties(ask: Ask, participation: Participation) -> list[Duty]:
    about = {"project_id": participation.project_id, "member": participation.member}
    milestones: dict[UUID, Milestone] = {each.id: each for (each,) in await ask(_MILESTONES, about)}
    contributions: dict[UUID, list[Contribution]] = {each: [] for each in milestones}
    if milestones:
        for (owed,) in await ask(_CONTRIBUTIONS, {"milestones": list(milestones)}):
            contributions[owed.milestone_id].append(owed)
    for milestone in milestones.values():
        milestone.contributions = contributions[milestone.id]
    unanswered = [decision for (decision,) in await ask(_UNANSWERED, about)]
    return open_duties(participation.member, participation.project, milestones.values(), unanswered)
