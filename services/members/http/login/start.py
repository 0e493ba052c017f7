"""The way out: choose a city, and go to where its officials log in."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

import structlog
from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from services.members.gateways.identity_provider_http import (
    IdentityProviderClient,
    ProviderAway,
)
from services.members.http.guesses import Guard, guard_of
from services.members.http.login.cookies import (
    BROWSER,
    CITY,
    LOGIN_PATH,
    SIGN_IN,
    sign_in_of,
)
from services.members.http.login.forms import is_slug
from services.members.http.login.pages import (
    PageRoute,
    address,
    language_of,
    locales_of,
    page,
    refusal_page,
)
from services.members.http.login.texts import ROLE_NAMES
from services.members.http.settings import current_seals
from services.members.model.authorization_request import AuthorizationRequest
from services.members.model.claims import domain_of
from services.members.model.id_token import LoginRefused
from services.members.model.identity_provider import IdentityProvider, ProviderNotFound
from services.members.model.login_attempt import LoginPurpose
from services.members.model.member import Member
from services.members.model.sign_in import SignIn
from services.members.model.upstream import ensure_usable
from services.members.queries.email_domains import owner_of
from services.members.queries.identity_providers import (
    active_providers_of,
    members_to_log_in_at,
    provider_of,
)
from services.members.queries.login_attempts import authorization_with
from services.members.queries.members import member_with
from services.members.queries.officials import official_of
from services.members.settings import MembersSettings
from services.members.use_cases.begin_login import Wishes, begin_login
from services.members.use_cases.offer_test_login import provider_to_test
from shared.clock import utc_now
from shared.http.browser import cookie_of, read_fields, set_cookie, ticket_for
from shared.http.pages import in_language
from shared.one_time import hash_of, new_one_time_secret

log = structlog.get_logger(__name__)

router = APIRouter(include_in_schema=False, route_class=PageRoute)

LOGOUT: Final = "logout"
"""What the ticket of the form is for that logs somebody out."""


@router.get(LOGIN_PATH)
async def get_login(request: Request) -> Response:
    """Show who is logged in in this browser; else let them choose their city."""
    asked_for = _authorization(request)
    now = utc_now()
    async with request.app.state.reading_sessions() as session:
        sign_in = None
        if asked_for is None and "another" not in request.query_params:
            sign_in = await sign_in_of(request, session, now=now)
        if sign_in is not None:
            return await _signed_in(request, session, sign_in)
        asked = None
        if asked_for is not None:
            asked = await authorization_with(session, asked_for, now=now)
        members = await members_to_log_in_at(session)
    return _in_its_language(request, asked) or _cities(request, members)


@router.post(LOGIN_PATH)
async def post_login(request: Request) -> Response:
    """Find the city of a mail address, by the domains that cities have shown to be theirs.

    Nothing is looked up of the person: the answer is the same whether anybody has this address.
    """
    guard = guard_of(request, "mail")
    guard.ensure_open()
    fields = await read_fields(request)
    if fields is None:
        return refusal_page(request, "malformed", status=400)
    async with request.app.state.reading_sessions() as session:
        members = await members_to_log_in_at(session)
        owner = await owner_of(session, domain_of(fields.get("email", "").strip()))
    if owner in {member.slug for member in members}:
        return RedirectResponse(_way_to(request, str(owner)), 303)
    await guard.failed()
    return _cities(request, members, is_mail_unknown=True)


@router.get(LOGIN_PATH + "/{slug}")
async def get_login_of_member(slug: str, request: Request) -> Response:
    """Send the browser to where officials of this member log in."""
    asked_for = _authorization(request)
    async with request.app.state.reading_sessions() as session:
        providers = await active_providers_of(session, slug) if is_slug(slug) else []
        asked = None
        if asked_for is not None:
            asked = await authorization_with(session, asked_for, now=utc_now())
        member = await member_with(session, slug) if providers else None
    if (translated := _in_its_language(request, asked)) is not None:
        return translated
    if member is None:
        back = address(LOGIN_PATH, authorization=_text(asked_for))
        return refusal_page(request, "no-such-city", status=404, back=back)
    chosen = request.query_params.get("provider")
    fitting = [one for one in providers if chosen in (None, str(one.id))] or providers
    if len(fitting) > 1:
        return _providers(request, member, fitting)
    return await depart(request, fitting[0], Wishes.of(asked), "login")


@router.get(LOGIN_PATH + "/{slug}/test/{given}")
async def get_test_login(slug: str, given: str, request: Request) -> Response:
    """Send the browser to a provider that a member wants to try."""
    seals = await current_seals(request.app.state.settings)
    provider_id = provider_to_test(slug, given, seals=seals, now=utc_now())
    if provider_id is None or not is_slug(slug):
        return refusal_page(request, "test-over", status=404, title="test_failed")
    try:
        async with request.app.state.reading_sessions() as session:
            provider = await provider_of(session, slug, provider_id)
    except ProviderNotFound:
        return refusal_page(request, "test-over", status=404, title="test_failed")
    return await depart(request, provider, Wishes(), "test")


async def depart(
    request: Request, provider: IdentityProvider, wishes: Wishes, purpose: LoginPurpose
) -> Response:
    """Send the browser to a provider, once that has said where; no transaction waits for it."""
    settings: MembersSettings = request.app.state.settings
    client: IdentityProviderClient = request.app.state.identity_providers
    browser = cookie_of(request, BROWSER) or new_one_time_secret()
    unfinished = guard_of(request, "unfinished")
    unfinished.ensure_open()
    try:
        async with client.turn(provider.issuer):
            metadata = await client.metadata(provider.issuer)
        ensure_usable(provider, metadata, allow_private=settings.identity_allow_private)
        async with request.app.state.sessions.begin() as session:
            url = await begin_login(
                session,
                provider,
                metadata,
                wishes=wishes,
                purpose=purpose,
                browser=browser,
                callback=callback_of(settings, provider.member),
                longest=timedelta(seconds=settings.sign_in_seconds),
                ui_locales=locales_of(request) or language_of(request),
                seals=await current_seals(settings),
                now=utc_now(),
            )
    except (ProviderAway, LoginRefused) as error:
        return refused(request, error, provider, purpose, wishes.authorization_id)
    await unfinished.failed()  # until it comes back
    guard_of_browser(request, browser).proved()
    response = RedirectResponse(url, 302)
    set_cookie(response, BROWSER, browser)
    return response


def guard_of_browser(request: Request, browser: str) -> Guard:
    """Watch what a browser brings back, each for itself."""
    return guard_of(request, "login", hash_of(browser))


def refused(
    request: Request,
    error: ProviderAway | LoginRefused,
    provider: IdentityProvider,
    purpose: LoginPurpose,
    authorization_id: UUID | None,
) -> Response:
    """Say that a provider did not answer, or that its answer is not good; more in a test."""
    code = code_of(error)
    log.warning("login.refused", code=code, member=provider.member, detail=str(error)[:300])
    is_plain = code in PLAIN
    shown = str(error) if purpose == "test" else code
    return refusal_page(
        request,
        code if is_plain else "not-believed",
        status=503 if isinstance(error, ProviderAway) else 403,
        reason=None if is_plain and purpose == "login" else shown,
        title="test_failed" if purpose == "test" else "not_logged_in",
        back=address(LOGIN_PATH, authorization=_text(authorization_id)),
    )


def code_of(error: ProviderAway | LoginRefused) -> str:
    """Name what went wrong."""
    return "provider-away" if isinstance(error, ProviderAway) else error.code


PLAIN: Final = frozenset(
    {"provider-away", "provider-refused", "not-strong-enough", "not-fresh-enough"}
)
"""What people can do something about; the rest is for who looks after the provider."""


def callback_of(settings: MembersSettings, member: str) -> str:
    """Where the provider of a member sends browsers back to: an address of its own for each."""
    return f"{settings.issuer}{LOGIN_PATH}/{member}/callback"


def _cities(
    request: Request, members: Sequence[Member], *, is_mail_unknown: bool = False
) -> Response:
    language = language_of(request)
    cities = [
        {
            "name": in_language(member.name, language),
            "local_name": member.local_name,
            "address": _way_to(request, member.slug),
        }
        for member in members
    ]
    cities.sort(key=lambda city: str(city["name"]))
    last_time = cookie_of(request, CITY)
    remembered: Mapping[str, Any] | None = next(
        (city for city in cities if city["address"] == _way_to(request, last_time or "")), None
    )
    kept = {"authorization": _text(_authorization(request)), "ui_locales": locales_of(request)}
    return page(
        request,
        "cities",
        has_languages=not is_mail_unknown,
        cities=cities,
        remembered=remembered,
        is_mail_unknown=is_mail_unknown,
        action=address(LOGIN_PATH, **kept),
    )


def _providers(request: Request, member: Member, providers: Sequence[IdentityProvider]) -> Response:
    return page(
        request,
        "providers",
        has_languages=True,
        city=in_language(member.name, language_of(request)),
        providers=[
            (one.name, _way_to(request, member.slug, provider=str(one.id))) for one in providers
        ],
    )


async def _signed_in(request: Request, session: Any, sign_in: SignIn) -> Response:
    language = language_of(request)
    member = await member_with(session, sign_in.member)
    official = await official_of(session, sign_in.member, sign_in.official_id)
    roles = [ROLE_NAMES[language][role] for role in official.roles]
    return page(
        request,
        "signed_in",
        has_languages=True,
        city=in_language(member.name, language),
        function=in_language(official.function, language),
        name=official.name,
        roles="、".join(roles) if language == "ja" else ", ".join(roles),
        ticket=ticket_for(cookie_of(request, SIGN_IN) or "", LOGOUT),
    )


def _in_its_language(request: Request, asked: AuthorizationRequest | None) -> Response | None:
    """Send the browser here again, in the language that the application wants to be spoken."""
    wanted = None if asked is None else asked.parameters.get("ui_locales")
    if not wanted or "ui_locales" in request.query_params:
        return None
    given = dict(request.query_params) | {"ui_locales": wanted}
    return RedirectResponse(address(request.url.path, **given), 302)


def _way_to(request: Request, slug: str, **more: str) -> str:
    kept = {"authorization": _text(_authorization(request)), "ui_locales": locales_of(request)}
    return address(f"{LOGIN_PATH}/{slug}", **kept, **more)


def _authorization(request: Request) -> UUID | None:
    """Read what to go on with afterwards, if it was said."""
    try:
        return UUID(request.query_params.get("authorization", ""))
    except ValueError:
        return None


def _text(value: UUID | None) -> str | None:
    return None if value is None else str(value)
