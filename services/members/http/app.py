"""The web application of the members service."""

from typing import Any, Final

from fastapi import FastAPI

from services.members.gateways.domain_records import DnsRecords
from services.members.gateways.identity_provider_http import IdentityProviderClient
from services.members.http import (
    audit,
    clients,
    email_domains,
    identity_providers,
    me,
    members,
    officials,
    scim_groups,
    scim_tokens,
)
from services.members.http.guesses import Guesses
from services.members.http.login import callback, leaving, start
from services.members.http.oauth import (
    authorize,
    end_session,
    endpoints,
    metadata,
    routes,
    userinfo,
)
from services.members.http.oauth.keys import KeyRing
from services.members.http.scim import routes as scim
from services.members.settings import MembersSettings
from shared.http.application import include, web_application

DNS_SECONDS: Final = 4


def create_app(settings: MembersSettings) -> FastAPI:
    ring = KeyRing(settings)

    async def own_keys() -> dict[str, Any]:
        return (await ring.current(app.state.sessions)).document()

    app = web_application(
        "members",
        "Members",
        settings,
        [
            members.router,
            officials.router,
            clients.router,
            identity_providers.router,
            email_domains.router,
            email_domains.proving,
            scim_tokens.router,
            scim_groups.router,
            me.router,
            audit.router,
        ],
        own_keys=own_keys,
    )
    # Not resources of the API: other standards say how these are asked and what they answer.
    for oauth in (routes, metadata, authorize, endpoints, userinfo, end_session):
        include(app, oauth.router)
    include(app, start.router)
    include(app, callback.router)
    include(app, leaving.router)
    include(app, scim.router)
    app.state.signing_keys = ring
    app.state.guesses = Guesses(settings)
    app.state.identity_providers = IdentityProviderClient(
        allow_private=settings.identity_allow_private,
        seconds=settings.identity_seconds,
        parallel=settings.identity_parallel,
    )
    app.state.domain_records = DnsRecords(settings.dns_servers, seconds=DNS_SECONDS)
    return app
