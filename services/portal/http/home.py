"""The first page: who is logged in, for which city, with which roles."""

import asyncio
from typing import Final

from fastapi import APIRouter, Request, Response

from services.portal.gateways.platform_api import ApiRefused, Me, PlatformApi
from services.portal.http.cookies import SESSION
from services.portal.http.pages import language_of, page
from services.portal.http.present import asked, who_is_present
from services.portal.http.routes import Page
from services.portal.http.texts import ROLE_NAMES, TEXTS
from services.portal.http.times import shown
from services.portal.use_cases.see_session import Present
from shared.http.browser import cookie_of
from shared.http.pages import in_language

router = APIRouter(route_class=Page, include_in_schema=False)

PLACES_LIMIT: Final = 20


@router.get("/")
async def get_home(request: Request) -> Response:
    """Show who is logged in, or where to log in."""
    present = await who_is_present(request)
    if present is None:
        has_ended = request.query_params.get("ended") == "1" and not cookie_of(request, SESSION)
        return page(request, "welcome", has_ended=has_ended)
    api: PlatformApi = request.app.state.api
    me = await asked(request, present, api.me)
    return await _home(request, present, me)


async def _home(request: Request, present: Present, me: Me) -> Response:
    language = language_of(request)
    slugs = [me.member, *(place.member for place in me.other_places[:PLACES_LIMIT])]
    city, *others = await asyncio.gather(*(name_of(request, present, slug) for slug in slugs))
    roles = [ROLE_NAMES[language].get(role, role) for role in me.roles]
    return page(
        request,
        "home",
        city=city,
        function=in_language(me.official.function, language),
        name=me.official.name,
        roles=TEXTS[language]["between"].join(roles),
        since=shown(present.began_at, language),
        places=[{"slug": slug, "name": name} for slug, name in zip(slugs[1:], others, strict=True)],
    )


async def name_of(request: Request, present: Present, member: str) -> str:
    """Name a member in the language of the page; by its slug to who may not read members."""
    api: PlatformApi = request.app.state.api

    async def ask(access_token: str) -> str:
        names = (await api.member(member, access_token)).name
        return in_language(names, language_of(request))

    try:
        return await asked(request, present, ask)
    except ApiRefused:
        return member
