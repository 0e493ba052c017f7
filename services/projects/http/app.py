"""The API of the projects service."""

from fastapi import FastAPI

from services.projects.http import contributions, milestones, participations, projects
from shared.http.application import web_application
from shared.settings import Settings


def create_app(settings: Settings) -> FastAPI:
    return web_application(
        "projects",
        "Projects",
        settings,
        [projects.router, participations.router, milestones.router, contributions.router],
    )
