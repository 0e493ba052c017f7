"""The way back: what the provider says is checked, and the browser gets its session.

One transaction uses up the attempt, then the provider is asked, then another one opens the session:
a slow provider must not hold connections to the database.
"""

import json
from datetime import timedelta
from typing import Any, Final

import structlog
from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from services.members.gateways.identity_provider_http import (
    IdentityProviderClient,
    ProviderAway,
)
from services.members.http.guesses import guard_of
from services.members.http.login.cookies import (
    BROWSER,
    CITY,
    CITY_SECONDS,
    LOGIN_PATH,
    SIGN_IN,
)
from services.members.http.login.forms import is_slug
from services.members.http.login.pages import PageRoute, address, language_of, page, refusal_page
from services.members.http.login.start import callback_of, code_of, guard_of_browser, refused
from services.members.http.login.texts import ROLE_NAMES
from services.members.http.settings import current_seals
from services.members.model.claims import roles_of, verified_email_of
from services.members.model.id_token import LoginRefused
from services.members.model.identity_provider import IdentityProvider
from services.members.model.login_attempt import LoginAttempt
from services.members.model.upstream import Said, ensure_usable, finish
from services.members.settings import MembersSettings
from services.members.use_cases.finish_login import TurnedAway, finish_login
from services.members.use_cases.finish_test_login import finish_test_login
from services.members.use_cases.refuse_login import refuse_login
from services.members.use_cases.use_attempt import use_attempt
from shared.actor import STRONG
from shared.clock import utc_now
from shared.http.browser import cookie_of, read_answer, set_cookie
from shared.refusals import permits

log = structlog.get_logger(__name__)

router = APIRouter(include_in_schema=False, route_class=PageRoute)

CLAIM_LIMIT: Final = 300


@router.get(LOGIN_PATH + "/{slug}/callback")
async def get_callback(slug: str, request: Request) -> Response:
    """Hear what a provider of this member answers."""
    answer = read_answer(request)
    if answer is None or "state" not in answer or not is_slug(slug):
        return refusal_page(request, "malformed", status=400)
    browser = cookie_of(request, BROWSER)
    if browser is None:
        return refusal_page(request, "attempt-unknown", status=400)
    guard = guard_of_browser(request, browser)
    guard.ensure_open()
    async with request.app.state.sessions.begin() as session:
        found = await use_attempt(
            session, member=slug, state=answer["state"], browser=browser, now=utc_now()
        )
    if found is None:
        await guard.failed()
        return refusal_page(request, "attempt-unknown", status=400)
    attempt, provider = found
    try:
        said = await _said(request, attempt, provider, answer)
    except (ProviderAway, LoginRefused) as error:
        await _note_refusal(request, attempt, provider, code_of(error))
        return refused(request, error, provider, attempt.purpose, attempt.authorization_id)
    await guard_of(request, "unfinished").ended_well()
    if attempt.purpose == "test":
        return await _tested(request, provider, said)
    return await _come_in(request, attempt, provider, said)


async def _said(
    request: Request, attempt: LoginAttempt, provider: IdentityProvider, answer: dict[str, str]
) -> Said:
    """Find out who logged in, outside any transaction.

    Raises:
        ProviderAway: it does not answer.
        LoginRefused: its answer is not to be believed, or is a no.
    """
    settings: MembersSettings = request.app.state.settings
    client: IdentityProviderClient = request.app.state.identity_providers
    seals = await current_seals(settings)

    async def keys(*, anew: bool = False) -> Any:
        return await client.keys(metadata["jwks_uri"], anew=anew)

    async with client.turn(provider.issuer):
        metadata = await client.metadata(provider.issuer)
        ensure_usable(provider, metadata, allow_private=settings.identity_allow_private)
        sealed = provider.secret_for(attempt.purpose) or ""
        secret = seals.open(sealed, place=IdentityProvider.place(provider.id))
        verifier = seals.open(attempt.sealed_verifier, place=LoginAttempt.place(attempt.id))
        return await finish(
            provider,
            metadata,
            attempt,
            answer,
            secret=secret.decode(),
            verifier=verifier.decode(),
            callback=callback_of(settings, provider.member),
            longest=timedelta(seconds=settings.sign_in_seconds),
            keys=keys,
            fetch=client.fetch,
            now=utc_now(),
        )


async def _note_refusal(
    request: Request, attempt: LoginAttempt, provider: IdentityProvider, code: str
) -> None:
    """Record it in a transaction of its own: the one that used the attempt up is over.

    The trail is kept for good, and who writes into it here is a stranger: it is enough to record so
    many from one address. The log has them all.
    """
    guard = guard_of(request, "refusal")
    if not permits(guard.ensure_open):
        return
    async with request.app.state.sessions.begin() as session:
        await refuse_login(session, provider, attempt.purpose, code=code, now=utc_now())
    await guard.failed()


async def _come_in(
    request: Request, attempt: LoginAttempt, provider: IdentityProvider, said: Said
) -> Response:
    settings: MembersSettings = request.app.state.settings
    guard = guard_of(request, "refusal")
    records_refusal = permits(guard.ensure_open)
    async with request.app.state.sessions.begin() as session:
        came = await finish_login(
            session,
            attempt,
            provider,
            said,
            former_cookie=cookie_of(request, SIGN_IN),
            lasts=timedelta(seconds=settings.sign_in_seconds),
            records_refusal=records_refusal,
            seals=await current_seals(settings),
            now=utc_now(),
        )
    asked_for = attempt.authorization_id
    if isinstance(came, TurnedAway):
        log.warning("login.refused", code=came.code, member=provider.member)
        if records_refusal:
            await guard.failed()
        back = address(LOGIN_PATH, authorization=str(asked_for) if asked_for else None)
        return refusal_page(request, came.code, back=back)
    target = LOGIN_PATH if asked_for is None else f"/oauth/authorize?continue={asked_for}"
    response = RedirectResponse(target, 302)
    set_cookie(response, SIGN_IN, came.cookie)
    set_cookie(response, CITY, provider.member, seconds=CITY_SECONDS)
    return response


async def _tested(request: Request, provider: IdentityProvider, said: Said) -> Response:
    async with request.app.state.sessions.begin() as session:
        outcome = await finish_test_login(session, provider, now=utc_now())
    language = language_of(request)
    roles = roles_of(provider, said.claims)
    return page(
        request,
        "tested",
        outcome=outcome,
        subject=said.subject,
        email=verified_email_of(said.claims),
        roles=None if roles is None else ", ".join(ROLE_NAMES[language][role] for role in roles),
        is_strong=said.acr == STRONG,
        claims=[(_shown(name), _shown(value)) for name, value in sorted(said.claims.items())],
    )


def _shown(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text[:CLAIM_LIMIT].encode("utf-8", "replace").decode()
