"""One's own sessions: where somebody is logged in, and an end to it."""

from uuid import UUID

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from services.portal.gateways.platform_api import PlatformApi, Presence
from services.portal.http.cookies import SESSION
from services.portal.http.forms import is_own_form
from services.portal.http.login import forget_browser, leave
from services.portal.http.pages import language_of, message_page, page
from services.portal.http.present import asked, needed, who_is_present
from services.portal.http.routes import Page
from services.portal.http.times import shown
from services.portal.http.way_in import SEE_OTHER
from shared.http.browser import cookie_of, read_fields
from shared.http.pages import Language

router = APIRouter(route_class=Page, include_in_schema=False)

SESSIONS_PATH = "/sessions"


@router.get(SESSIONS_PATH)
async def get_sessions(request: Request) -> Response:
    """List where the person is logged in."""
    present = await who_is_present(request)
    if present is None:
        return RedirectResponse(f"/session/login?return_to={SESSIONS_PATH}", SEE_OTHER)
    api: PlatformApi = request.app.state.api
    found = await asked(request, present, api.presences)
    language = language_of(request)
    return page(request, "sessions", presences=[_shown(each, language) for each in found])


@router.post(SESSIONS_PATH + "/end")
async def post_sessions_end(request: Request) -> Response:
    """Log the person out everywhere, here too."""
    if not is_own_form(request, await read_fields(request)):
        return message_page(request, "foreign-form", status=403)
    api: PlatformApi = request.app.state.api
    await asked(request, await needed(request), api.end_all_presences)
    response = RedirectResponse(await leave(request, cookie_of(request, SESSION) or ""), SEE_OTHER)
    forget_browser(response)
    return response


@router.post(SESSIONS_PATH + "/{presence_id}/end")
async def post_session_end(presence_id: str, request: Request) -> Response:
    """Log the person out in one browser."""
    if not is_own_form(request, await read_fields(request)):
        return message_page(request, "foreign-form", status=403)
    try:
        meant = UUID(presence_id)
    except ValueError:
        return message_page(request, "not-found", status=404)
    api: PlatformApi = request.app.state.api

    async def end(access_token: str) -> None:
        await api.end_presence(meant, access_token)

    await asked(request, await needed(request), end)
    return RedirectResponse(SESSIONS_PATH, SEE_OTHER)


def _shown(presence: Presence, language: Language) -> dict[str, object]:
    return {
        "id": presence.id,
        "is_current": presence.is_current,
        "began": shown(presence.began_at, language),
        "ends": shown(presence.ends_at, language),
        "applications": [each.name for each in presence.applications],
    }
