"""Where a browser asks for a code, on behalf of an application.

Source: RFC 6749, section 4.1; RFC 9126; RFC 9207; RFC 9700; OpenID Connect Core, section 3.1.2.
"""

import hmac
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, Final
from uuid import UUID

from authlib.oauth2 import OAuth2Error
from authlib.oauth2.rfc6749 import AccessDeniedError
from authlib.oidc.core.errors import ConsentRequiredError, LoginRequiredError
from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse
from sqlalchemy.ext.asyncio import AsyncSession

from services.members.http.guesses import guard_of
from services.members.http.login.cookies import (
    LOGIN_PATH,
    sign_in_of,
)
from services.members.http.login.pages import PageRoute
from services.members.http.oauth.errors import AuthenticationUnmet
from services.members.http.oauth.forms import read_body, read_query
from services.members.http.oauth.grants import Issuing
from services.members.http.oauth.pages import consent_page, refusal_page
from services.members.http.oauth.people import CodeGrant
from services.members.http.oauth.server import AuthorizationServer, CheckedRequest, Redirection
from services.members.http.oauth.serving import address_of, issuing_of
from services.members.model.authorization_request import AuthorizationRequest
from services.members.model.client import Client
from services.members.model.sign_in import SignIn
from services.members.queries.authorization_requests import has_consented, who_signed_in
from services.members.queries.sign_ins import hold_sign_in
from services.members.use_cases.begin_authorization import (
    AuthorizationGone,
    begin_authorization,
    continue_authorization,
    give_consent,
    refuse_consent,
    take_pushed,
)
from shared.clock import utc_now
from shared.http.browser import cookie_of, set_cookie
from shared.one_time import hash_of, new_one_time_secret

router = APIRouter(tags=["login"], route_class=PageRoute)

AUTHORIZE_PATH: Final = "/oauth/authorize"
CONSENT_PATH: Final = "/oauth/consent"
AUTHORIZATION: Final = "__Host-authorization"
"""The cookie of a browser that asks; the same for all its tabs."""
REQUEST_URI: Final = "urn:ietf:params:oauth:request_uri:"
SLUG: Final = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
SLUG_LIMIT: Final = 60
SEE_OTHER: Final = 303


@dataclass(frozen=True, slots=True)
class Asked:
    """What a browser brought for an application, and was found to be in order."""

    request: CheckedRequest
    grant: CodeGrant
    kept: AuthorizationRequest | None
    """What of it lies in the database, once the person had to do something."""

    @property
    def parameters(self) -> dict[str, str]:
        return self.request.form

    @property
    def client(self) -> Client:
        client: Client = self.request.client.client
        return client

    @property
    def scopes(self) -> tuple[str, ...]:
        return tuple(self.request.scope.split())

    @property
    def redirect_uri(self) -> str:
        return str(self.grant.redirect_uri)

    @property
    def prompts(self) -> list[str]:
        return self.parameters.get("prompt", "").split()

    @property
    def wanted_member(self) -> str | None:
        """The member that the application wants somebody of, as far as it says so."""
        hint = self.parameters.get("login_hint", "")
        return hint if len(hint) <= SLUG_LIMIT and SLUG.fullmatch(hint) else None

    def login_path(self, sign_in: SignIn | None) -> str:
        """Where the person proves who they are: where they did before, unless others are meant."""
        member = self.wanted_member
        if member is None and sign_in is not None and "select_account" not in self.prompts:
            member = sign_in.member
        return LOGIN_PATH if member is None else f"{LOGIN_PATH}/{member}"

    def needs_login(self, sign_in: SignIn | None, now: datetime) -> bool:
        """Tell whether the person must prove who they are, again or at all."""
        if sign_in is None or self.wanted_member not in (None, sign_in.member):
            return True
        if self.kept is not None and self.kept.reauthenticated_by == sign_in.id:
            return False
        asked = self.parameters.get("max_age")
        is_old = asked is not None and now - sign_in.authenticated_at > timedelta(
            seconds=int(asked)
        )
        return (
            is_old or self.is_weak(sign_in) or bool({"login", "select_account"} & {*self.prompts})
        )

    def is_weak(self, sign_in: SignIn) -> bool:
        """Tell whether the person proved it in another way than is asked for."""
        asked = self.parameters.get("acr_values", "").split()
        return bool(asked) and sign_in.acr not in asked

    def refused(self, error: type[OAuth2Error]) -> OAuth2Error:
        """An answer that the application gets."""
        return error(redirect_uri=self.redirect_uri, state=self.parameters.get("state"))


@router.get(
    AUTHORIZE_PATH,
    status_code=302,
    response_class=Response,
    responses={
        200: {
            "description": "A page that asks the person for consent",
            "content": {"text/html": {}},
        },
        302: {"description": "To the login, or back to the application with a code or an error"},
        400: {"description": "A page that says what is wrong", "content": {"text/html": {}}},
        429: {"description": "A page that asks to wait", "content": {"text/html": {}}},
    },
)
async def get_authorize(request: Request) -> Response:
    """Let a person log in to an application, which sends the browser here.

    The parameters are those of OpenID Connect; PKCE with S256 is needed. `login_hint` may name the
    member whose officials are meant.
    """
    issuing = await issuing_of(request)
    now = utc_now()
    try:
        given = read_query(request)
    except OAuth2Error as error:
        return _refused(request, error, issuing)
    guard = guard_of(request, "authorization", _guessed_at(request, given))
    guard.ensure_open()
    async with request.app.state.sessions.begin() as session:
        # What was written stays, also with a refusal: a pushed request is good once.
        asked = None
        try:
            asked = await _asked(request, session, given, issuing, now)
            response = await _answer(request, session, asked, issuing, now)
        except (OAuth2Error, AuthorizationGone) as error:
            response = _refused(request, error, issuing)
    if asked is not None:
        guard.proved()
        await _count(request, asked, response, is_pushed="request_uri" in given)
    elif response.status_code == 400:
        await guard.failed()
    return response


@router.post(
    CONSENT_PATH,
    status_code=303,
    response_class=Response,
    include_in_schema=False,
)
async def post_consent(request: Request) -> Response:
    """Hear whether the person lets the application act for them."""
    issuing = await issuing_of(request)
    now = utc_now()
    try:
        form = await read_body(request)
    except OAuth2Error as error:
        return _refused(request, error, issuing)
    given = {"continue": form.get("authorization", "")}
    guard = guard_of(request, "authorization", _guessed_at(request, given))
    guard.ensure_open()
    async with request.app.state.sessions.begin() as session:
        asked = None
        try:
            asked = await _asked(request, session, given, issuing, now)
            sign_in = await _signed_in(request, session, now)
            _ensure_shown(request, asked, sign_in, form.get("ticket", ""))
            response = await _decided(
                session, asked, sign_in, form.get("decision") == "allow", issuing, now
            )
        except (OAuth2Error, AuthorizationGone) as error:
            response = _refused(request, error, issuing)
    if asked is not None:
        await _count(request, asked, response)
    elif response.status_code == 400:
        await guard.failed()
    if isinstance(response, Redirection):
        response.status_code = SEE_OTHER
    return response


def _guessed_at(request: Request, given: dict[str, str]) -> str | None:
    """Name what decides whether a browser may go on: nobody else suffers if it is wrong."""
    if "continue" in given:
        browser = cookie_of(request, AUTHORIZATION)
        return None if browser is None else hash_of(browser)
    if "request_uri" in given:
        return hash_of(given["request_uri"])
    return hash_of(f"{given.get('client_id')} {given.get('redirect_uri')}")


async def _count(
    request: Request, asked: Asked, response: Response, *, is_pushed: bool = False
) -> None:
    """Count what anybody can leave behind, until somebody comes back to it."""
    unfinished = guard_of(request, "unfinished")
    has_begun = asked.kept is None and not isinstance(response, Redirection)
    has_ended = asked.kept is not None and asked.kept.used_at is not None
    # What is pushed was counted then, unless its client had proved who it is.
    has_ended |= is_pushed and asked.client.authentication == "none"
    if has_begun and not has_ended:
        await unfinished.failed()
    elif has_ended and not has_begun:
        await unfinished.ended_well()


async def _decided(
    session: AsyncSession,
    asked: Asked,
    sign_in: SignIn | None,
    is_allowed: bool,
    issuing: Issuing,
    now: datetime,
) -> Response:
    """Do what the person decided."""
    if sign_in is None:
        return await _granted(session, asked, None, issuing, now)
    if not is_allowed:
        await refuse_consent(session, sign_in, asked.client.id, now=now)
        return await _granted(session, asked, None, issuing, now)
    if asked.is_weak(sign_in) or not asked.client.serves(sign_in.member):
        raise asked.refused(AccessDeniedError)
    await give_consent(session, sign_in, asked.client.id, asked.scopes, now=now)
    return await _granted(session, asked, sign_in, issuing, now)


async def _asked(
    request: Request,
    session: AsyncSession,
    given: dict[str, str],
    issuing: Issuing,
    now: datetime,
) -> Asked:
    """Read what is asked for: given here, pushed before, or kept while the person was away."""
    kept: AuthorizationRequest | None = None
    if "continue" in given:
        kept = await continue_authorization(
            session,
            _uuid(given["continue"]),
            browser=cookie_of(request, AUTHORIZATION),
            now=now,
        )
        given = kept.parameters
    elif "request_uri" in given:
        handle = given["request_uri"].removeprefix(REQUEST_URI)
        given = await take_pushed(session, handle, given.get("client_id", ""), now=now)
    ready = CheckedRequest("GET", address_of(request, AUTHORIZE_PATH), given, now=now)

    def check(database: Any) -> Any:
        return AuthorizationServer(database, issuing, ready).get_consent_grant(ready)

    grant = await session.run_sync(check)
    return Asked(ready, grant, kept)


async def _answer(
    request: Request, session: AsyncSession, asked: Asked, issuing: Issuing, now: datetime
) -> Response:
    """Send the browser to where it has to go next.

    Raises:
        TooManyGuesses: too much was begun from there, and not ended.
    """
    sign_in = await _signed_in(request, session, now)
    is_silent = "none" in asked.prompts
    if sign_in is None or asked.needs_login(sign_in, now):
        if is_silent:
            raise asked.refused(LoginRequiredError)
        if asked.kept is not None and asked.kept.reauthenticated_at is not None:
            raise asked.refused(AccessDeniedError)  # came back from the login as somebody else
        return await _to_login(request, session, asked, sign_in, now)
    if asked.is_weak(sign_in):
        raise asked.refused(AuthenticationUnmet)
    if not asked.client.serves(sign_in.member):
        raise asked.refused(AccessDeniedError)
    if not await _is_agreed(session, asked, sign_in):
        if is_silent:
            raise asked.refused(ConsentRequiredError)
        return await _to_consent(request, session, asked, sign_in, now)
    return await _granted(session, asked, sign_in, issuing, now)


async def _signed_in(request: Request, session: AsyncSession, now: datetime) -> SignIn | None:
    """Find the session of the person in this browser; it stands until we are done.

    Whoever ends it at this moment ends what is opened from it now, too.
    """
    sign_in = await sign_in_of(request, session, now=now)
    return sign_in if sign_in is not None and await hold_sign_in(session, sign_in) else None


async def _to_login(
    request: Request,
    session: AsyncSession,
    asked: Asked,
    sign_in: SignIn | None,
    now: datetime,
) -> Response:
    kept, browser = await _kept(request, session, asked, now)
    target = f"{asked.login_path(sign_in)}?authorization={kept.id}"
    response = RedirectResponse(target, 302)
    set_cookie(response, AUTHORIZATION, browser)
    return response


async def _to_consent(
    request: Request, session: AsyncSession, asked: Asked, sign_in: SignIn, now: datetime
) -> Response:
    kept, browser = await _kept(request, session, asked, now)
    official, member = await who_signed_in(session, sign_in)
    response = consent_page(
        application=asked.client,
        official=official,
        member=member,
        scopes=asked.scopes,
        redirect_uri=asked.redirect_uri,
        authorization=str(kept.id),
        ticket=_ticket_for(browser, kept, sign_in),
        action=CONSENT_PATH,
    )
    set_cookie(response, AUTHORIZATION, browser)
    return response


async def _kept(
    request: Request, session: AsyncSession, asked: Asked, now: datetime
) -> tuple[AuthorizationRequest, str]:
    """Keep what was asked for until the person comes back with the same browser."""
    browser = cookie_of(request, AUTHORIZATION) or new_one_time_secret()
    if asked.kept is not None:
        return asked.kept, browser
    guard_of(request, "unfinished").ensure_open()
    guard_of(request, "authorization", hash_of(browser)).proved()
    kept = await begin_authorization(
        session, asked.client.id, asked.parameters, browser=browser, now=now
    )
    return kept, browser


async def _is_agreed(session: AsyncSession, asked: Asked, sign_in: SignIn) -> bool:
    """Tell whether the person need not be asked."""
    if asked.client.is_first_party:
        return True
    return "consent" not in asked.prompts and await has_consented(
        session, sign_in.official_id, asked.client.id, asked.scopes
    )


async def _granted(
    session: AsyncSession,
    asked: Asked,
    sign_in: SignIn | None,
    issuing: Issuing,
    now: datetime,
) -> Redirection:
    """Send the browser back with a code, or with a no if the person said so."""
    if asked.kept is not None:
        asked.kept.used_at = now

    def grant(database: Any) -> Redirection:
        server = AuthorizationServer(database, issuing, asked.request)
        asked.grant.server = server
        answer = server.create_authorization_response(
            asked.request, grant_user=sign_in, grant=asked.grant
        )
        return server.with_issuer(answer, issuing.issuer)

    return await session.run_sync(grant)


def _refused(
    request: Request, error: OAuth2Error | AuthorizationGone, issuing: Issuing
) -> Response:
    """Tell the application where that is safe, else the person."""
    if isinstance(error, OAuth2Error) and error.redirect_uri is not None:
        found = AuthorizationServer.answer(*error())
        return AuthorizationServer.with_issuer(found, issuing.issuer)
    detail = error.detail if isinstance(error, AuthorizationGone) else error.get_error_description()
    accepted = request.headers.get("accept-language", "")
    return refusal_page(detail or "", accept_language=accepted)


def _ensure_shown(request: Request, asked: Asked, sign_in: SignIn | None, ticket: str) -> None:
    """Refuse an answer to a question that this person was not asked in this browser.

    Raises:
        AuthorizationGone: another site may have sent it.
    """
    browser = cookie_of(request, AUTHORIZATION)
    if (
        browser is None
        or sign_in is None
        or asked.kept is None
        or not hmac.compare_digest(_ticket_for(browser, asked.kept, sign_in), ticket)
    ):
        raise AuthorizationGone("Go back to the application and begin again.")


def _ticket_for(browser: str, kept: AuthorizationRequest, sign_in: SignIn) -> str:
    """What only the page that this browser was shown can send, for this person and request."""
    about = f"consent {kept.id} {sign_in.id}"
    return hmac.new(browser.encode(), about.encode(), sha256).hexdigest()


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        raise AuthorizationGone("Go back to the application and begin again.") from error
