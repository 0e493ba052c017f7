"""The way out of a session: from our own page, and when the provider says so."""

from typing import Any, Final

import structlog
from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse, RedirectResponse

from services.members.gateways.identity_provider_http import (
    IdentityProviderClient,
    ProviderAway,
)
from services.members.http.guesses import TooManyGuesses, guard_of
from services.members.http.login.cookies import LOGIN_PATH, SIGN_IN
from services.members.http.login.forms import is_own_form, is_slug
from services.members.http.login.pages import PageRoute, address, language_of, page, refusal_page
from services.members.http.login.start import LOGOUT
from services.members.http.login.texts import TEXTS
from services.members.http.settings import current_seals
from services.members.model.id_token import LoginRefused
from services.members.model.identity_provider import IdentityProvider
from services.members.model.logout_token import Left, who_left
from services.members.model.sign_in import SignIn
from services.members.model.upstream import ensure_usable
from services.members.queries.identity_providers import active_providers_of, provider_of
from services.members.queries.sign_ins import sign_in_with
from services.members.settings import MembersSettings
from services.members.use_cases.end_sign_in import end_sign_in, themselves
from services.members.use_cases.hear_logout import hear_logout
from shared.clock import utc_now
from shared.http.browser import cookie_of, drop_cookie, is_ticket, read_fields
from shared.one_time import hash_of
from shared.sealing import CannotOpen

log = structlog.get_logger(__name__)

router = APIRouter(include_in_schema=False, route_class=PageRoute)

HINT_LIMIT: Final = 5_000
TOKEN_LIMIT: Final = 16_000


@router.post("/logout")
async def post_logout(request: Request) -> Response:
    """End the session of this browser, with all that was opened from it, and at the provider."""
    fields = await read_fields(request)
    cookie = cookie_of(request, SIGN_IN)
    if cookie is None:
        return RedirectResponse(LOGIN_PATH, 303)
    ticket = (fields or {}).get("ticket", "")
    if not is_own_form(request) or not is_ticket(ticket, cookie, LOGOUT):
        return refusal_page(request, "foreign-form", title="logged_in")
    async with request.app.state.sessions.begin() as session:
        sign_in = await sign_in_with(session, hash_of(cookie), for_change=True)
        provider = None
        if sign_in is not None:
            by = themselves(sign_in)
            await end_sign_in(session, sign_in, because="logged out", by=by, now=utc_now())
            provider = await provider_of(session, sign_in.member, sign_in.provider_id)
    target = LOGIN_PATH
    if sign_in is not None and provider is not None:
        target = await way_out(request, sign_in, provider)
    response = RedirectResponse(target, 303)
    drop_cookie(response, SIGN_IN)
    response.headers["Clear-Site-Data"] = '"cache", "storage"'
    return response


async def way_out(request: Request, sign_in: SignIn, provider: IdentityProvider) -> str:
    """Find where to send a browser so that its provider forgets it, too; else to our own page.

    Source: OpenID Connect RP-Initiated Logout 1.0, section 2.
    """
    settings: MembersSettings = request.app.state.settings
    client: IdentityProviderClient = request.app.state.identity_providers
    afterwards = f"{LOGIN_PATH}/{sign_in.member}/logged-out"
    try:
        async with client.turn(provider.issuer):
            metadata = await client.metadata(provider.issuer)
        ensure_usable(provider, metadata, allow_private=settings.identity_allow_private)
    except (ProviderAway, LoginRefused):
        return afterwards
    if "end_session_endpoint" not in metadata:
        return afterwards
    seals = await current_seals(settings)
    try:
        hint = seals.open(sign_in.sealed_id_token, place=SignIn.place(sign_in.id)).decode()
    except CannotOpen:  # sealed with a key that has gone; the provider can do without
        hint = ""
    endpoint = str(metadata["end_session_endpoint"])
    asked = address(
        "",
        id_token_hint=hint if len(hint) <= HINT_LIMIT else None,
        client_id=provider.client_id,
        post_logout_redirect_uri=f"{settings.issuer}{afterwards}",
    )
    return endpoint + (asked if "?" not in endpoint else f"&{asked[1:]}")


@router.get(LOGIN_PATH + "/{slug}/logged-out")
async def get_logged_out(slug: str, request: Request) -> Response:
    """Say that somebody is logged out."""
    texts = TEXTS[language_of(request)]
    return page(
        request,
        "message",
        title=texts["logged_out"],
        text=texts["logged_out_text"],
        reason=None,
        is_refusal=False,
        back=f"{LOGIN_PATH}/{slug}" if is_slug(slug) else LOGIN_PATH,
        back_text=texts["again"],
    )


@router.post(LOGIN_PATH + "/{slug}/backchannel-logout")
async def post_backchannel_logout(slug: str, request: Request) -> Response:
    """Hear from a provider that somebody has left it. Source: OIDC Back-Channel Logout 1.0."""
    fields = await read_fields(request) or {}
    token = fields.get("logout_token", "")
    if not is_slug(slug) or not 0 < len(token) <= TOKEN_LIMIT:
        return JSONResponse({"error": "invalid_request"}, 400)
    guard = guard_of(request, "logout", slug)
    try:
        guard.ensure_open()
    except TooManyGuesses as refusal:
        wait = {"Retry-After": str(refusal.seconds)}
        return JSONResponse({"error": "temporarily_unavailable"}, 429, wait)
    is_believed = False
    async with request.app.state.reading_sessions() as session:
        providers = list(await active_providers_of(session, slug))
    for provider in providers:
        try:
            left = await _who_left(request, provider, token)
        except (ProviderAway, LoginRefused) as error:
            log.info("logout.refused", member=slug, error=str(error)[:300])
            continue
        is_believed = True
        async with request.app.state.sessions.begin() as session:
            if await hear_logout(session, provider, left, now=utc_now()):
                guard.proved()
                return Response(status_code=200)
    if not is_believed:
        await guard.failed()
    return JSONResponse({"error": "invalid_request"}, 400)


async def _who_left(request: Request, provider: IdentityProvider, token: str) -> Left:
    settings: MembersSettings = request.app.state.settings
    client: IdentityProviderClient = request.app.state.identity_providers

    async def keys(*, anew: bool = False) -> Any:
        return await client.keys(metadata["jwks_uri"], anew=anew)

    async with client.turn(provider.issuer):
        metadata = await client.metadata(provider.issuer)
        ensure_usable(provider, metadata, allow_private=settings.identity_allow_private)
        return await who_left(provider, metadata, token, keys=keys, now=utc_now())
