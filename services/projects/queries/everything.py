"""All that this service holds, for the operator's dump."""

from datetime import datetime
from typing import ClassVar
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import selectinload

from services.projects.model.calendar_feed import CalendarFeed
from services.projects.model.comment import Comment
from services.projects.model.decision import Decision
from services.projects.model.handover import Handover
from services.projects.model.known import KnownClient, KnownMember, KnownOfficial, KnownSession
from services.projects.model.milestone import Milestone
from services.projects.model.participation import Participation
from services.projects.model.project import Project
from services.projects.model.topic import Objective, Theme
from shared.contracts.event import State


class KnownMemberState(State):
    """The service's copy of a member."""

    key: ClassVar[str] = "slug"

    slug: str
    name: dict[str, str]
    status: str
    time_zone: str
    country: str
    subdivision: str | None = None
    is_host: bool


class KnownOfficialState(State):
    """The service's copy of an official."""

    id: UUID
    member: str
    function: dict[str, str]
    roles: tuple[str, ...]
    scopes: tuple[str, ...]
    status: str


class KnownClientState(State):
    """The service's copy of a client."""

    id: str
    member: str
    status: str


class KnownSessionState(State):
    """The service's copy of the end of a session."""

    id: UUID
    ended_at: datetime
    good_until: datetime


async def all_states(session: AsyncSession) -> dict[str, list[State]]:
    """Read the state of every entity and of every copy, each in the order of its key."""
    projects = await session.scalars(select(Project).order_by(Project.id))
    participations = await session.scalars(select(Participation).order_by(Participation.id))
    milestones = await session.scalars(
        select(Milestone).order_by(Milestone.id).options(selectinload(Milestone.contributions))
    )
    decisions = await session.scalars(
        select(Decision).order_by(Decision.id).options(selectinload(Decision.electorate))
    )
    handovers = await session.scalars(select(Handover).order_by(Handover.id))
    objectives = await session.scalars(select(Objective).order_by(Objective.slug))
    themes = await session.scalars(select(Theme).order_by(Theme.slug))
    feeds = await session.scalars(select(CalendarFeed).order_by(CalendarFeed.id))
    comments = await session.scalars(select(Comment).order_by(Comment.id))
    members = await session.scalars(select(KnownMember).order_by(KnownMember.slug))
    officials = await session.scalars(select(KnownOfficial).order_by(KnownOfficial.id))
    clients = await session.scalars(select(KnownClient).order_by(KnownClient.id))
    sessions = await session.scalars(select(KnownSession).order_by(KnownSession.id))
    return {
        "project": [project.state() for project in projects],
        "participation": [participation.state() for participation in participations],
        "milestone": [milestone.state() for milestone in milestones],
        "decision": [decision.state() for decision in decisions],
        "handover": [handover.state() for handover in handovers],
        "objective": [objective.state() for objective in objectives],
        "theme": [theme.state() for theme in themes],
        "calendar_feed": [feed.state() for feed in feeds],
        "comment": [comment.state() for comment in comments],
        "known_member": [KnownMemberState.model_validate(member) for member in members],
        "known_official": [KnownOfficialState.model_validate(official) for official in officials],
        "known_client": [KnownClientState.model_validate(client) for client in clients],
        "known_session": [KnownSessionState.model_validate(ended) for ended in sessions],
    }
