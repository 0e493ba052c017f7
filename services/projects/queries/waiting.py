"""Which projects wait for a member: what it alone can do now, so that others can go on."""

from uuid import UUID

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Select,
    exists,
    func,
    literal,
    or_,
    select,
    union_all,
)
from sqlalchemy.orm import aliased

from services.projects.model.contribution import Contribution
from services.projects.model.decision import Decision
from services.projects.model.handover import Handover
from services.projects.model.milestone import Milestone
from services.projects.model.participation import Participation
from services.projects.model.plan import OPEN
from services.projects.model.project import UNDER_WAY, Project
from services.projects.queries.asked import is_silent


def waiting_for(member: BindParameter[str]) -> ColumnElement[bool]:
    """Match the projects that wait for a member. Each kind of duty is one part of the union."""
    return Project.id.in_(
        union_all(
            _with_an_invitation_to_answer(member),
            _with_a_contribution_to_deliver(member),
            _with_a_contribution_to_accept(member),
            _with_a_question_to_answer(member),
            _with_a_lead_to_take(member),
        )
    )


def _with_an_invitation_to_answer(member: BindParameter[str]) -> Select[UUID]:
    project = aliased(Project)
    return (
        select(project.id)
        .join(Participation, Participation.project_id == project.id)
        .where(
            Participation.member == member,
            Participation.status == "invited",
            project.status.in_(map(literal, sorted(UNDER_WAY))),
        )
    )


def _with_a_contribution_to_deliver(member: BindParameter[str]) -> Select[UUID]:
    return _with_work_for(member).where(
        Contribution.member == member,
        Contribution.status.in_(map(literal, ("pending", "returned"))),
    )


def _with_a_contribution_to_accept(member: BindParameter[str]) -> Select[UUID]:
    return _with_work_for(member).where(
        Milestone.accountable == member, Contribution.status == "delivered"
    )


def _with_a_question_to_answer(member: BindParameter[str]) -> Select[UUID]:
    return select(Decision.project_id).where(
        Decision.status == "open", Decision.closes_at > func.now(), is_silent(member)
    )


def _with_a_lead_to_take(member: BindParameter[str]) -> Select[UUID]:
    return select(Handover.project_id).where(
        Handover.candidate == member, Handover.status == "offered"
    )


def _with_work_for(member: BindParameter[str]) -> Select[UUID]:
    """Projects in which contributions can be delivered and accepted, by a member that works there.

    It is `Milestone.ensure_workable` and `Milestone.ensure_worker` in SQL.
    """
    project = aliased(Project)
    takes_part = exists().where(
        Participation.project_id == project.id,
        Participation.member == member,
        Participation.role == "participant",
        Participation.status == "accepted",
    )
    return (
        select(project.id)
        .join(Milestone, Milestone.project_id == project.id)
        .join(Contribution, Contribution.milestone_id == Milestone.id)
        .where(
            project.status == "active",
            Milestone.status.in_(map(literal, sorted(OPEN))),
            or_(project.lead == member, takes_part.correlate(project)),
        )
    )
