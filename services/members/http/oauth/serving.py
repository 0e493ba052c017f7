"""What every route of the authorization server needs."""

from fastapi import Request

from services.members.http.oauth.forms import ClientForm
from services.members.http.oauth.grants import Issuing
from services.members.http.oauth.keys import KeyRing
from services.members.http.oauth.server import CheckedRequest
from services.members.http.oauth.tokens import OwnTokens
from services.members.settings import MembersSettings
from shared.clock import utc_now
from shared.http.application import audience_of


async def issuing_of(request: Request) -> Issuing:
    """How this installation issues tokens, with the keys of this moment."""
    state = request.app.state
    settings: MembersSettings = state.settings
    ring: KeyRing = state.signing_keys
    keys = await ring.current(state.sessions)
    return Issuing(
        settings.issuer,
        audience_of(settings),
        settings.access_token_seconds,
        keys.signing,
        keys.identity,
    )


async def own_tokens_of(request: Request) -> OwnTokens:
    """What knows the access tokens of this installation."""
    state = request.app.state
    ring: KeyRing = state.signing_keys
    keys = await ring.current(state.sessions)
    return OwnTokens(keys, state.settings.issuer, audience_of(state.settings))


def address_of(request: Request, path: str) -> str:
    """The address of a route as the outside knows it, whatever the request says."""
    return f"{request.app.state.settings.issuer}{path}"


def checked(request: Request, path: str, form: ClientForm) -> CheckedRequest:
    """Make of a form what Authlib works with."""
    return CheckedRequest(
        "POST",
        address_of(request, path),
        form.parameters,
        now=utc_now(),
        credentials=form.credentials,
        proof=form.proof,
    )
