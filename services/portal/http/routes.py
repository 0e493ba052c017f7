"""What every page does the same way: whom it trusts, and what it says when something is wrong."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog
from fastapi import FastAPI, Request, Response
from fastapi.responses import RedirectResponse
from fastapi.routing import APIRoute
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Receive, Scope, Send

from services.portal.gateways.authorization_server import PlatformAway
from services.portal.gateways.platform_api import ApiRefused, LoginNeeded
from services.portal.http.cookies import LOGGED_IN_AGAIN, SESSION
from services.portal.http.pages import here, message_page
from services.portal.http.way_in import SEE_OTHER, to_login
from services.portal.model.return_path import local_path
from services.portal.settings import PortalSettings
from shared.database import is_outage
from shared.http.browser import comes_from, cookie_of, drop_cookie

log = structlog.get_logger(__name__)

READING = frozenset({"GET", "HEAD", "OPTIONS"})
FROM_SERVERS = frozenset({"/session/backchannel-logout"})
"""What other servers send to us, and proves itself by a signature."""
RETRY_AFTER_SECONDS = "5"


class LoggedOut(Exception):
    """The session of this browser does not stand, or not any more."""


class Page(APIRoute):
    """A route that answers people: with a page, also when something is wrong."""

    def get_route_handler(self) -> Callable[[Request], Awaitable[Response]]:  # type: ignore[override]
        handle = super().get_route_handler()

        async def handle_for_people(request: Request) -> Response:
            settings: PortalSettings = request.app.state.settings
            try:
                # A page asks the platform up to three things; people wait for two of them.
                async with asyncio.timeout(2 * settings.portal_answer_seconds):
                    try:
                        return await handle(request)
                    except LoginNeeded as needed:
                        return await log_in_again(request, needed)
            except LoggedOut:
                response = RedirectResponse("/?ended=1", SEE_OTHER)
                drop_cookie(response, SESSION)
                return response
            except ApiRefused as refused:
                return message_page(request, "refused", status=403, reason=refused.code)
            except HTTPException:
                raise
            except Exception as error:
                return fault_page(request, error)

        return handle_for_people


async def log_in_again(request: Request, needed: LoginNeeded) -> Response:
    """Send somebody to log in as the platform wants it, and back to the page where they were.

    The session stands until the new one begins. Where the platform does not say which login would
    do, only a new one can. Whoever comes from there and is asked once more is told so: there is a
    provider that does not do what is asked, and no end to going round.
    """
    if cookie_of(request, LOGGED_IN_AGAIN) is None:
        is_vague = needed.max_age is None and needed.acr_values is None
        return await to_login(
            request,
            back_here(request),
            max_age=needed.max_age,
            acr_values=needed.acr_values,
            again=True,
            prompt="login" if is_vague else None,
        )
    response = message_page(
        request, "login-not-enough", status=403, back=back_here(request), back_text="try_again"
    )
    drop_cookie(response, LOGGED_IN_AGAIN)
    return response


def back_here(request: Request) -> str:
    """Where somebody goes on who has to do something else first; a form is to be sent again."""
    if request.method == "GET":
        return local_path(here(request))
    settings: PortalSettings = request.app.state.settings
    return local_path(request.headers.get("referer", "").removeprefix(settings.own_url))


def fault_page(request: Request, error: Exception) -> Response:
    """Say that the platform is away, or that we are wrong; sessions outlive both."""
    if isinstance(error, PlatformAway | TimeoutError) or is_outage(error):
        log.warning("platform.away", error=repr(error)[:300])
        response = message_page(
            request, "away", status=503, back=here(request), back_text="try_again"
        )
        response.headers["Retry-After"] = RETRY_AFTER_SECONDS
        return response
    log.error("request.failed", exc_info=error)
    return message_page(request, "failed", status=500)


class OwnForms:
    """Refuses what a page of somebody else made a browser send, before anything else."""

    def __init__(self, app: ASGIApp, *, url: str) -> None:
        self.app = app
        self.url = url

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if (
            scope["type"] != "http"
            or scope["method"] in READING
            or scope["path"] in FROM_SERVERS
            or comes_from(Headers(scope=scope), self.url)
        ):
            await self.app(scope, receive, send)
            return
        refused = message_page(Request(scope), "foreign-form", status=403)
        await refused(scope, receive, send)


def answer_in_pages(app: FastAPI) -> None:
    """Answer with pages also where no route is."""

    @app.exception_handler(HTTPException)
    async def answer_framework(request: Request, error: HTTPException) -> Response:
        code = {404: "not-found", 405: "not-found", 413: "malformed"}.get(error.status_code)
        response = message_page(request, code or "malformed", status=error.status_code)
        if "allow" in (error.headers or {}):
            response.headers["Allow"] = (error.headers or {})["allow"]
        return response
