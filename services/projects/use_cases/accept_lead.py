"""Use case: a member is ready to lead, and all who take part are asked."""

from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.projects.model.decision import Question
from services.projects.model.handover import Handover
from services.projects.queries.handovers import HandoverSeen, handover_for_change
from services.projects.queries.standings import known_members
from services.projects.use_cases.put_to_members import put_to_members
from shared.actor import Actor
from shared.contracts.projects import ChangeLead, HandoverAccepted
from shared.http.preconditions import ensure_version
from shared.messaging.outbox import announce


async def accept_lead(
    session: AsyncSession,
    handover_id: UUID,
    *,
    actor: Actor,
    now: datetime,
    expected: int | None,
    note: str | None,
) -> HandoverSeen:
    """Accept to lead a project. The decision about it opens with this.

    Raises:
        HandoverNotFound: for the actor there is none.
        MissingScope, MemberNotActive, NotCandidate: the actor may not.
        VersionStale: the handover is not at the expected version.
        CandidateNotTakingPart: the member takes part no longer.
        HandoverAnswered, ProjectEnded: there is nothing to answer.
        TooManyOpen: there are as many open decisions as there can be.
        ClosesTooSoon, ClosesTooLate: the offered deadline is none that members can answer by.
    """
    handover, standing = await handover_for_change(session, handover_id, actor=actor)
    handover.ensure_answered_by(standing)
    before = handover.state()
    ensure_version(expected, before)
    handover.accept(note=note, by=standing, at=now)
    project = handover.project
    decision = await put_to_members(
        session,
        project,
        await _question(session, handover),
        electorate=project.those_who_take_part(standing),
        proposer=handover.lead,
        standing=standing,
        actor=actor,
        now=now,
    )
    await session.flush()  # the decision is stored before something refers to it
    handover.decision_id = decision.id
    announce(
        session,
        HandoverAccepted.about(
            handover.state(),
            before=before,
            by=actor,
            at=now,
            audience=project.audience(standing.places),
        ),
    )
    return handover, standing


TITLE: Final = {"en": "{candidate} is to lead the project", "ja": "{candidate}を主導都市とする"}
TEXT: Final = {
    "en": "{lead} hands the lead over to {candidate}, which has accepted.",
    "ja": "{lead}は主導を{candidate}に引き継ぎ、{candidate}はこれを受諾した。",
}


async def _question(session: AsyncSession, handover: Handover) -> Question:
    known = await known_members(session, [handover.lead, handover.candidate])
    names = {member.slug: member.name for member in known}
    lead = names.get(handover.lead, {})
    candidate = names.get(handover.candidate, {})

    def worded(words: dict[str, str]) -> dict[str, str]:
        return {
            language: text.format(
                lead=lead.get(language, handover.lead),
                candidate=candidate.get(language, handover.candidate),
            )
            for language, text in words.items()
        }

    return Question(
        worded(TITLE),
        worded(TEXT),
        rule=handover.rule,
        closes_on=handover.closes_on,
        time_zone=handover.time_zone,
        effect=ChangeLead(member=handover.candidate, handover_id=handover.id),
    )
