"""The API of the projects service."""

from fastapi import FastAPI
from sqlalchemy.ext.asyncio import AsyncSession

from services.projects.http import (
    activity,
    comments,
    contributions,
    milestones,
    obligations,
    participations,
    projects,
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
            projects.router,
            participations.router,
            milestones.router,
            contributions.router,
            comments.router,
            activity.router,
            obligations.router,
        ],
        known_keys=KnownKeys,
    )
    app.state.before_replay = ensure_may_act
    return app
