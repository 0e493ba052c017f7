"""In and out: the way to the authorization server, back from it, and the end of a session."""

from datetime import timedelta
from typing import Final

import structlog
from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from services.portal.gateways.authorization_server import AuthorizationServer, PlatformAway
from services.portal.http.cookies import (
    ATTEMPT_LIMIT,
    LOGGED_IN_AGAIN,
    LOGGED_IN_AGAIN_SECONDS,
    SESSION,
)
from services.portal.http.forms import is_own_form, is_slug
from services.portal.http.pages import message_page
from services.portal.http.present import needed, who_is_present
from services.portal.http.routes import LoggedOut, Page
from services.portal.http.way_in import CALLBACK_PATH, SEE_OTHER, to_login
from services.portal.model.id_token import Person, person_in
from services.portal.model.login_attempt import LoginAttempt, cookie_name_of
from services.portal.model.return_path import local_path
from services.portal.model.signed import Keys, NotBelieved
from services.portal.model.tokens import Tokens, TokensRefused
from services.portal.settings import PortalSettings, seals_of
from services.portal.use_cases.end_session import Remains, end_session
from services.portal.use_cases.open_session import open_session
from shared.clock import utc_now
from shared.http.browser import cookie_of, drop_cookie, read_answer, read_fields, set_cookie

log = structlog.get_logger(__name__)

router = APIRouter(route_class=Page, include_in_schema=False)

LOGGED_OUT_PATH: Final = "/session/logged-out"
CODE_LIMIT: Final = 1_000


@router.get("/session/login")
async def get_login(request: Request) -> Response:
    """Send somebody to the login, and remember where they wanted to go.

    Who is logged in goes on as they are: a link of somebody else must not change for which city
    they act.
    """
    asked = request.query_params
    return_path = local_path(asked.get("return_to"))
    try:
        if await who_is_present(request) is not None:
            return RedirectResponse(return_path, SEE_OTHER)
    except LoggedOut:
        pass  # it ends when the new one begins
    member = asked.get("member", "")
    return await to_login(request, return_path, login_hint=member if is_slug(member) else None)


@router.post("/session/switch")
async def post_switch(request: Request) -> Response:
    """Send somebody to the login of another member that they act for.

    The session stands until the new one begins. Without a member they choose one there.
    """
    fields = await read_fields(request)
    if not is_own_form(request, fields):
        return message_page(request, "foreign-form", status=403)
    await needed(request)
    member = (fields or {}).get("member", "")
    if not member:
        return await to_login(request, "/", prompt="select_account")
    if not is_slug(member):
        return message_page(request, "malformed", status=400)
    return await to_login(request, "/", login_hint=member)


@router.get(CALLBACK_PATH)
async def get_callback(request: Request) -> Response:
    """Hear what the authorization server answers by way of the browser."""
    settings: PortalSettings = request.app.state.settings
    server: AuthorizationServer = request.app.state.authorization_server
    answer = read_answer(request)
    state = (answer or {}).get("state")
    if answer is None or not state:
        return message_page(request, "malformed", status=400)
    attempt = LoginAttempt.opened(
        cookie_of(request, cookie_name_of(state), limit=ATTEMPT_LIMIT) or "",
        state=state,
        seals=seals_of(settings),
        now=utc_now(),
    )
    if attempt is None:
        return message_page(request, "attempt-unknown", status=400, **AGAIN)
    response = await _answered(request, server, attempt, answer)
    drop_cookie(response, attempt.cookie_name)
    return response


@router.post("/session/logout")
async def post_logout(request: Request) -> Response:
    """End the session of this browser here, then at the authorization server."""
    fields = await read_fields(request)
    cookie = cookie_of(request, SESSION)
    if cookie is None:
        return RedirectResponse("/", SEE_OTHER)
    if not is_own_form(request, fields):
        return message_page(request, "foreign-form", status=403)
    target = await leave(request, cookie)
    response = RedirectResponse(target, SEE_OTHER)
    forget_browser(response)
    return response


@router.get(LOGGED_OUT_PATH)
async def get_logged_out(request: Request) -> Response:
    """Say that somebody is logged out."""
    return message_page(request, "logged-out", status=200, **AGAIN)


AGAIN: Final = {"back": "/session/login", "back_text": "log_in_again"}


async def leave(request: Request, cookie: str) -> str:
    """End the session of a browser, and give it the way on.

    What is ended here stays ended, whether the authorization server answers or not.
    """
    settings: PortalSettings = request.app.state.settings
    server: AuthorizationServer = request.app.state.authorization_server
    async with request.app.state.sessions.begin() as session:
        remains = await end_session(session, cookie, seals=seals_of(settings))
    if remains is None:
        return LOGGED_OUT_PATH
    await _revoke(server, remains)
    try:
        return await server.end_session_url(
            id_token=remains.id_token, back=settings.own_url + LOGGED_OUT_PATH
        )
    except PlatformAway:
        return LOGGED_OUT_PATH


def forget_browser(response: Response) -> None:
    """Leave nothing of a session in the browser."""
    drop_cookie(response, SESSION)
    # Not "cookies": the authorization server, which is at the same address, still needs its own.
    response.headers["Clear-Site-Data"] = '"cache", "storage"'


async def _answered(
    request: Request, server: AuthorizationServer, attempt: LoginAttempt, answer: dict[str, str]
) -> Response:
    """Log somebody in, if all that the answer says is to be believed."""
    settings: PortalSettings = request.app.state.settings
    if answer.get("iss") != server.issuer:
        return _not_believed(request, "answer-of-another-issuer")
    code = answer.get("code", "")
    if "error" in answer or not 0 < len(code) <= CODE_LIMIT:
        return message_page(
            request, "login-refused", status=403, reason=answer.get("error", "")[:60], **AGAIN
        )
    try:
        tokens = await server.redeem(
            code, verifier=attempt.verifier, redirect_uri=settings.own_url + CALLBACK_PATH
        )
        person = await _person(server, tokens, attempt)
        cookie = await _opened(request, person, tokens)
    except TokensRefused:
        return message_page(request, "session-over", status=403, **AGAIN)
    except NotBelieved as error:
        return _not_believed(request, str(error))
    response = RedirectResponse(attempt.return_path, SEE_OTHER)
    set_cookie(response, SESSION, cookie)
    if attempt.again:
        set_cookie(response, LOGGED_IN_AGAIN, "1", seconds=LOGGED_IN_AGAIN_SECONDS)
    return response


async def _person(server: AuthorizationServer, tokens: Tokens, attempt: LoginAttempt) -> Person:
    def rule(keys: Keys) -> Person:
        return person_in(
            tokens.id_token or "",
            keys,
            issuer=server.issuer,
            client_id=server.client_id,
            nonce=attempt.nonce,
            max_age=attempt.max_age,
            acr_values=attempt.acr_values,
            now=utc_now(),
        )

    return await server.read(rule)


async def _opened(request: Request, person: Person, tokens: Tokens) -> str:
    """Open the session, and end the one that this browser had before."""
    settings: PortalSettings = request.app.state.settings
    server: AuthorizationServer = request.app.state.authorization_server
    seals = seals_of(settings)
    former = cookie_of(request, SESSION)
    async with request.app.state.sessions.begin() as session:
        remains = None if former is None else await end_session(session, former, seals=seals)
        cookie = await open_session(
            session,
            person,
            tokens,
            lasts=timedelta(seconds=settings.portal_session_seconds),
            rest=timedelta(seconds=settings.portal_session_rest_seconds),
            seals=seals,
            now=utc_now(),
        )
    if remains is not None:
        await _revoke(server, remains)
    return cookie


async def _revoke(server: AuthorizationServer, remains: Remains) -> None:
    try:
        await server.revoke(remains.refresh_token)
    except PlatformAway as error:
        # Nobody has the tokens any more, and they end by themselves.
        log.warning("session.not_revoked", error=repr(error)[:300])


def _not_believed(request: Request, reason: str) -> Response:
    log.warning("login.not_believed", reason=reason)
    return message_page(request, "not-believed", status=403, reason=reason, **AGAIN)
