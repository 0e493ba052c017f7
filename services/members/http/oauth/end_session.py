"""An application sends somebody here to log out. Source: OpenID Connect RP-Initiated Logout 1.0."""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from authlib.common.urls import add_params_to_uri
from authlib.oauth2 import OAuth2Error
from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet, RSAKey
from joserfc.jws import JWSRegistry
from sqlalchemy.ext.asyncio import AsyncSession

from services.members.http.login.cookies import LOGIN_PATH, SIGN_IN, sign_in_of
from services.members.http.oauth.errors import MalformedRequest
from services.members.http.oauth.forms import read_body, read_query
from services.members.http.oauth.keys import KeyRing
from services.members.http.oauth.pages import refusal_page
from services.members.queries.clients import active_client
from services.members.queries.token_families import family_with
from services.members.use_cases.end_sessions import end_sessions_of
from services.members.use_cases.end_sign_in import end_sign_in, themselves
from shared.actor import Actor
from shared.clock import utc_now
from shared.http.browser import drop_cookie

router = APIRouter(tags=["login"])

END_SESSION_PATH: Final = "/oauth/end_session"
REGISTRY: Final = JWSRegistry(algorithms=["RS256"])
HINT_LIMIT: Final = 8_000
SEE_OTHER: Final = 303


@dataclass(frozen=True, slots=True)
class Hint:
    """What an id_token of ours said: which session, in which application."""

    client_id: str
    family_id: UUID


@router.get(END_SESSION_PATH, status_code=303, response_class=Response)
async def get_end_session(request: Request) -> Response:
    """Log somebody out who came from an application, and send them back to it.

    `id_token_hint` says which session is meant, and must be one of ours; without it the person is
    asked. `post_logout_redirect_uri` must be one that the application has registered.
    """
    try:
        return await _answered(request, read_query(request))
    except OAuth2Error as error:
        return _refused(request, error)


@router.post(END_SESSION_PATH, status_code=303, response_class=Response)
async def post_end_session(request: Request) -> Response:
    """Do the same for applications that send a form."""
    try:
        return await _answered(request, await read_body(request))
    except OAuth2Error as error:
        return _refused(request, error)


async def _answered(request: Request, given: dict[str, str]) -> Response:
    hint = await _hint(request, given.get("id_token_hint", ""))
    if hint is None:
        # Anybody's link could have led here: the person says it themselves, on our own page.
        return RedirectResponse(LOGIN_PATH, SEE_OTHER)
    if given.get("client_id", hint.client_id) != hint.client_id:
        raise MalformedRequest("The id_token_hint was issued to another client.")
    async with request.app.state.sessions.begin() as session:
        target = await _target(session, hint, given)
        is_browser = await _end(request, session, hint)
    response = RedirectResponse(target, SEE_OTHER)
    if is_browser:
        drop_cookie(response, SIGN_IN)
    return response


async def _target(session: AsyncSession, hint: Hint, given: dict[str, str]) -> str:
    """Where the browser goes afterwards.

    Raises:
        MalformedRequest: the application wants it somewhere that it has not registered.
    """
    back = given.get("post_logout_redirect_uri")
    if back is None:
        return LOGIN_PATH
    client = await active_client(session, hint.client_id)
    if client is None or back not in client.post_logout_redirect_uris:
        raise MalformedRequest("The post_logout_redirect_uri is not one of this client.")
    return str(add_params_to_uri(back, {"state": given["state"]})) if "state" in given else back


async def _end(request: Request, session: AsyncSession, hint: Hint) -> bool:
    """End the session in the application, and with it that of this browser if it came from it.

    Returns:
        Whether the browser has been logged out, too.
    """
    now = utc_now()
    family = await family_with(session, hint.family_id)
    if family is None:
        return False
    sign_in = await sign_in_of(request, session, now=now)
    if sign_in is not None and sign_in.id == family.sign_in_id:
        by = themselves(sign_in)
        await end_sign_in(session, sign_in, because="logged out", by=by, now=now)
        return True
    by = Actor(member=family.member, client_id=hint.client_id)
    await end_sessions_of(session, now=now, because="logged out", by=by, family_id=family.id)
    return False


async def _hint(request: Request, token: str) -> Hint | None:
    """Read an id_token of ours, also one that has expired; nothing if it is none."""
    if not 0 < len(token) <= HINT_LIMIT:
        return None
    ring: KeyRing = request.app.state.signing_keys
    keys = await ring.current(request.app.state.sessions)
    try:
        decoded = jwt.decode(
            token,
            KeySet([key for key in keys.published if isinstance(key, RSAKey)]),
            registry=REGISTRY,
        )
        [client_id] = decoded.claims["aud"]
        if decoded.claims["iss"] != request.app.state.settings.issuer:
            return None
        return Hint(str(client_id), UUID(decoded.claims["sid"]))
    except (JoseError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None


def _refused(request: Request, error: OAuth2Error) -> Response:
    accepted = request.headers.get("accept-language", "")
    return refusal_page(error.get_error_description() or "", accept_language=accepted)
