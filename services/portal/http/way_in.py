"""The way to the authorization server, for whoever is to log in."""

from datetime import timedelta
from typing import Final

from fastapi import Request, Response
from fastapi.responses import RedirectResponse

from services.portal.gateways.authorization_server import AuthorizationServer
from services.portal.http.cookies import ATTEMPTS_LIMIT, LANGUAGE
from services.portal.http.pages import LOCALES
from services.portal.model.login_attempt import LoginAttempt, is_cookie_name
from services.portal.settings import PortalSettings, seals_of
from shared.clock import utc_now
from shared.http.browser import cookie_of, drop_cookie, set_cookie
from shared.http.pages import LANGUAGES

CALLBACK_PATH: Final = "/session/callback"
SEE_OTHER: Final = 303


async def to_login(
    request: Request,
    return_path: str,
    *,
    max_age: str | None = None,
    acr_values: str | None = None,
    again: bool = False,
    **wishes: str | None,
) -> Response:
    """Send the browser to log in, and remember where to go on.

    Args:
        request: of the browser.
        return_path: of a page of ours.
        max_age: how old the login may be, in seconds.
        acr_values: kinds of login of which it must be one.
        again: whether the platform wants it of somebody who has logged in before.
        wishes: further parameters of the authorization request.

    Raises:
        PlatformAway: the authorization server cannot be found.
    """
    settings: PortalSettings = request.app.state.settings
    server: AuthorizationServer = request.app.state.authorization_server
    lasts = timedelta(seconds=settings.portal_login_seconds)
    attempt = LoginAttempt(
        return_path, utc_now() + lasts, max_age=max_age, acr_values=acr_values, again=again
    )
    chosen = request.query_params.get(LOCALES) or cookie_of(request, LANGUAGE)
    url = await server.authorization_url(
        attempt,
        redirect_uri=settings.own_url + CALLBACK_PATH,
        ui_locales=chosen if chosen in LANGUAGES else None,
        max_age=max_age,
        acr_values=acr_values,
        **wishes,
    )
    response = RedirectResponse(url, SEE_OTHER)
    begun = [name for name in request.cookies if is_cookie_name(name)]
    if len(begun) >= ATTEMPTS_LIMIT:
        for name in begun:
            drop_cookie(response, name)
    set_cookie(
        response,
        attempt.cookie_name,
        attempt.sealed(seals_of(settings)),
        seconds=int(settings.portal_login_seconds),
    )
    return response
