"""The web application of the portal."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from fastapi import APIRouter, FastAPI
from starlette.middleware import Middleware

from services.portal.settings import PortalSettings
from shared.database import connect, sessions_of
from shared.health import Health, health_router
from shared.http.application import Observing
from shared.http.problems import add_problem_handlers

ROUTERS: Final[tuple[APIRouter, ...]] = ()


def create_app(settings: PortalSettings) -> FastAPI:
    """Put the pages together.

    Raises:
        ValueError: the portal is not told what it is registered as.
    """
    if not settings.portal_client_id or not settings.portal_client_key.get_secret_value():
        raise ValueError("RENKEI_PORTAL_CLIENT_ID and RENKEI_PORTAL_CLIENT_KEY must be given")

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        engine = connect(settings, application="portal-web")
        app.state.sessions = sessions_of(engine)
        app.state.health.needs_database(engine)
        try:
            yield
        finally:
            await engine.dispose()

    app = FastAPI(
        title="Portal",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        lifespan=lifespan,
        redirect_slashes=False,
        middleware=[Middleware(Observing, settings=settings)],
    )
    app.state.settings = settings
    app.state.health = Health("portal-web")
    add_problem_handlers(app)
    app.include_router(health_router(app.state.health))
    for router in ROUTERS:
        app.include_router(router)
    return app
