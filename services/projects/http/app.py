"""The API of the projects service."""

from fastapi import FastAPI
from sqlalchemy.ext.asyncio import AsyncSession

from services.projects.http import (
    activity,
    calendar,
    calendar_feeds,
    charters,
    comments,
    contributions,
    copies,
    decisions,
    exports,
    handovers,
    imports,
    milestones,
    milestones_together,
    obligations,
    participations,
    projects,
    schedules,
    topics,
)
from services.projects.model.known import KnownKeys
from services.projects.queries.standings import standing_outside
from shared.actor import Actor
from shared.http.application import web_application
from shared.settings import Settings


async def ensure_may_act(session: AsyncSession, actor: Actor) -> None:
    """Refuse a remembered answer to who may not act any more; others are asked about anyway."""
    await standing_outside(session, actor=actor)


def create_app(settings: Settings) -> FastAPI:
    app = web_application(
        "projects",
        "Projects",
        settings,
        [
            # Before `projects`, which would take `/export` for an id.
            exports.router,
            projects.router,
            charters.router,
            copies.router,
            participations.router,
            milestones.router,
            milestones_together.router,
            imports.router,
            contributions.router,
            schedules.router,
            decisions.router,
            handovers.router,
            comments.router,
            activity.router,
            obligations.router,
            topics.objectives,
            topics.themes,
            calendar.router,
            calendar_feeds.router,
            calendar_feeds.files_router,
        ],
        known_keys=KnownKeys,
    )
    app.state.before_replay = ensure_may_act
    return app
