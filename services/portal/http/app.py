"""The web application of the portal."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from fastapi import FastAPI
from httpx2 import AsyncClient
from starlette.middleware import Middleware

from services.portal.gateways.authorization_server import AuthorizationServer
from services.portal.gateways.platform_api import PlatformApi
from services.portal.http import backchannel, home, login, sessions
from services.portal.http.present import Renewals
from services.portal.http.routes import OwnForms, answer_in_pages
from services.portal.settings import PortalSettings, key_of
from shared.database import connect, sessions_of
from shared.health import Health, health_router
from shared.http.application import Observing, include

ROUTERS: Final = (home.router, login.router, sessions.router, backchannel.router)


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
        async with AsyncClient(timeout=settings.portal_answer_seconds, trust_env=False) as http:
            ask_with(app, http)
            try:
                yield
            finally:
                await app.state.renewals.finished()
                await engine.dispose()

    app = FastAPI(
        title="Portal",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        lifespan=lifespan,
        redirect_slashes=False,
        middleware=[
            Middleware(Observing, settings=settings),
            Middleware(OwnForms, url=settings.own_url),
        ],
    )
    app.state.settings = settings
    app.state.health = Health("portal-web")
    app.state.renewals = Renewals()
    answer_in_pages(app)
    app.include_router(health_router(app.state.health))
    for router in ROUTERS:
        include(app, router)
    return app


def ask_with(app: FastAPI, http: AsyncClient) -> None:
    """Let the application ask the platform through this."""
    settings: PortalSettings = app.state.settings
    app.state.authorization_server = AuthorizationServer(
        http,
        issuer=settings.issuer,
        client_id=settings.portal_client_id,
        key=key_of(settings.portal_client_key),
        seconds=settings.portal_answer_seconds,
    )
    app.state.api = PlatformApi(http, issuer=settings.issuer)
