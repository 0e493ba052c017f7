"""Part of closing a decision: what it was to do happens, by the same rules as ever.

That the members have agreed stands in for the permission of whoever would do it alone, and for
nothing else: what was not possible before is not possible now.
"""

from collections.abc import Callable, Coroutine
from datetime import datetime
from typing import Any, Final, NamedTuple

from sqlalchemy.ext.asyncio import AsyncSession

from services.projects.model.decision import Decision
from services.projects.model.handover import CandidateNotTakingPart
from services.projects.model.milestone import Milestone, ensure_nobody_is_touched
from services.projects.model.participation import Participation
from services.projects.model.plan import Plan, local_day
from services.projects.model.standing import Standing
from services.projects.queries.milestones import plan_of
from services.projects.queries.milestones_together import milestones_for_change
from services.projects.queries.participations import open_participation_of
from services.projects.queries.projects import progress_in
from services.projects.queries.standings import known_members
from services.projects.use_cases.end_with_project import end_with_project
from services.projects.use_cases.give_way import give_way
from shared.actor import Actor
from shared.contracts.event import Event
from shared.contracts.projects import (
    AdmitMember,
    AmendCharter,
    CancelMilestone,
    ChangeLead,
    CloseProject,
    MilestoneCancelled,
    MilestoneRescheduled,
    ParticipationInvited,
    ParticipationRoleChanged,
    ParticipationState,
    ProjectCancelled,
    ProjectCharterAmended,
    ProjectCompleted,
    ProjectLeadChanged,
    RescheduleMilestone,
)


class Consequences(NamedTuple):
    """The facts that follow, in order, and how things stand after them."""

    standing: Standing
    events: list[Event[Any]]


async def take_effect(
    session: AsyncSession,
    decision: Decision,
    *,
    standing: Standing,
    actor: Actor,
    now: datetime,
) -> Consequences:
    """Do what an adopted decision is for.

    Raises:
        Refusal: it cannot be done any more; nothing was changed.
    """
    effect = decision.effect
    if effect is None:
        return Consequences(standing, [])
    act = ACTS[type(effect)]
    return await act(session, decision, effect, standing, actor, now)


async def _reschedule(
    session: AsyncSession,
    decision: Decision,
    effect: RescheduleMilestone,
    standing: Standing,
    actor: Actor,
    now: datetime,
) -> Consequences:
    milestone = await _milestone(session, decision, effect)
    plan = await plan_of(session, decision.project_id)
    await _ensure_all_were_asked(session, decision, milestone, plan, standing)
    before = milestone.state()
    moved = milestone.move(effect.due_on, effect.time_zone, plan=plan, at=now)
    audience = decision.project.audience(standing.places)
    return Consequences(
        standing,
        [
            MilestoneRescheduled.about(
                milestone.state(), before=before, by=actor, at=now, audience=audience
            ),
            *await give_way(
                session, decision.project, moved, audience=audience, actor=actor, now=now
            ),
        ],
    )


async def _cancel_milestone(
    session: AsyncSession,
    decision: Decision,
    effect: CancelMilestone,
    standing: Standing,
    actor: Actor,
    now: datetime,
) -> Consequences:
    milestone = await _milestone(session, decision, effect)
    plan = await plan_of(session, decision.project_id)
    await _ensure_all_were_asked(session, decision, milestone, plan, standing)
    before = milestone.state()
    milestone.give_up(effect.reason, at=now)
    audience = decision.project.audience(standing.places)
    fact = MilestoneCancelled.about(
        milestone.state(), before=before, by=actor, at=now, audience=audience
    )
    return Consequences(standing, [fact])


async def _admit(
    session: AsyncSession,
    decision: Decision,
    effect: AdmitMember,
    standing: Standing,
    actor: Actor,
    now: datetime,
) -> Consequences:
    project = decision.project
    known = await known_members(session, [effect.member])
    participation = Participation.admit(
        project,
        member=effect.member,
        known=known[0] if known else None,
        role=effect.role,
        places=standing.places,
        at=now,
    )
    session.add(participation)
    standing = standing.with_place(effect.member, participation.place)
    audience = project.audience(standing.places)
    fact = ParticipationInvited.about(participation.state(), by=actor, at=now, audience=audience)
    return Consequences(standing, [fact])


async def _change_lead(
    session: AsyncSession,
    decision: Decision,
    effect: ChangeLead,
    standing: Standing,
    actor: Actor,
    now: datetime,
) -> Consequences:
    """The new lead's place becomes that of the lead, and the former lead becomes a participant."""
    project = decision.project
    arriving = await open_participation_of(session, project, effect.member)
    if arriving is None or not standing.takes_part(effect.member):
        raise CandidateNotTakingPart(f"Member {effect.member} takes part no longer.")
    former = project.lead
    leaving = await open_participation_of(session, project, former)
    arriving_before = arriving.state()
    leaving_before = None if leaving is None else leaving.state()
    project_before = project.state()
    project.hand_over(effect.member, at=now)
    arriving.change_role("lead", at=now)
    if leaving is None:
        [home] = await known_members(session, [former])
        leaving = Participation.of_former_lead(
            project, member=former, today=local_day(now, home.time_zone), at=now
        )
        session.add(leaving)
    else:
        leaving.change_role("participant", at=now)
    standing = standing.with_place(effect.member, arriving.place)
    standing = standing.with_place(former, leaving.place)
    audience = project.audience(standing.places)

    def changed(place: Participation, before: ParticipationState | None) -> Event[Any]:
        return ParticipationRoleChanged.about(
            place.state(), before=before, by=actor, at=now, audience=audience
        )

    lead_changed = ProjectLeadChanged.about(
        project.state(), before=project_before, by=actor, at=now, audience=audience
    )
    return Consequences(
        standing,
        [lead_changed, changed(arriving, arriving_before), changed(leaving, leaving_before)],
    )


async def _amend(
    session: AsyncSession,
    decision: Decision,
    effect: AmendCharter,
    standing: Standing,
    actor: Actor,
    now: datetime,
) -> Consequences:
    project = decision.project
    project.ensure_open()
    before = project.state()
    session.add(project.adopt_charter(effect.charter, by=actor, at=now, decision_id=decision.id))
    fact = ProjectCharterAmended.about(
        project.state(),
        before=before,
        by=actor,
        at=now,
        audience=project.audience(standing.places),
    )
    return Consequences(standing, [fact])


async def _close(
    session: AsyncSession,
    decision: Decision,
    effect: CloseProject,
    standing: Standing,
    actor: Actor,
    now: datetime,
) -> Consequences:
    project = decision.project
    before = project.state()
    if effect.status == "completed":
        project.end_completed(await progress_in(session, project.id), at=now)
    else:
        project.end_cancelled(effect.reason, at=now)
    kind = ProjectCompleted if effect.status == "completed" else ProjectCancelled
    audience = project.audience(standing.places)
    fact = kind.about(project.state(), before=before, by=actor, at=now, audience=audience)
    ended = await end_with_project(
        session, project, besides=decision, standing=standing, actor=actor, now=now
    )
    return Consequences(standing, [fact, *ended])


Act = Callable[
    [AsyncSession, Decision, Any, Standing, Actor, datetime], Coroutine[Any, Any, Consequences]
]
ACTS: Final[dict[type[Any], Act]] = {
    RescheduleMilestone: _reschedule,
    CancelMilestone: _cancel_milestone,
    AdmitMember: _admit,
    ChangeLead: _change_lead,
    AmendCharter: _amend,
    CloseProject: _close,
}


async def _milestone(
    session: AsyncSession, decision: Decision, effect: RescheduleMilestone | CancelMilestone
) -> Milestone:
    found = await milestones_for_change(session, decision.project_id, [effect.milestone_id])
    return found[effect.milestone_id]


async def _ensure_all_were_asked(
    session: AsyncSession, decision: Decision, milestone: Milestone, plan: Plan, standing: Standing
) -> None:
    """Refuse what touches somebody who has come into play since the question was put.

    That may also be who leads by now, and who was counted out and has come back. And the silence of
    a member that is suspended, and so cannot speak, is not taken for consent.

    Raises:
        OthersAreAffected: there is somebody.
    """
    touched = milestone.with_a_stake(standing, plan.following(milestone.id))
    silent = await known_members(session, touched & decision.silent)
    could_speak = {member.slug for member in silent if member.status == "active"}
    consenting = decision.heard - decision.silent | could_speak | {decision.proposer}
    ensure_nobody_is_touched(sorted(touched - consenting))
