"""The web application of the members service."""

from fastapi import FastAPI

from services.members.http import clients, members, officials
from services.members.http.oauth import routes
from services.members.http.oauth.keys import KeyRing
from services.members.settings import MembersSettings
from shared.http.application import web_application


def create_app(settings: MembersSettings) -> FastAPI:
    app = web_application(
        "members", "Members", settings, [members.router, officials.router, clients.router]
    )
    # Not resources of the API: other standards say how these are asked and what they answer.
    app.include_router(routes.router)
    app.state.signing_keys = KeyRing(settings)
    return app
