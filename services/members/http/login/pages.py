"""Pages for people: plain HTML, no scripts, in English and Japanese."""

from collections.abc import Awaitable, Callable
from typing import Any, Final
from urllib.parse import urlencode

from fastapi import Request, Response
from fastapi.responses import HTMLResponse
from fastapi.routing import APIRoute

from services.members.http.guesses import TooManyGuesses
from services.members.http.login.texts import TEXTS
from shared.http.pages import LANGUAGES, Language, Pages, language_for

PAGES: Final = Pages.of("services.members.http.login")
LOCALES_LIMIT: Final = 200


def language_of(request: Request) -> Language:
    """Choose the language in which to answer this browser."""
    return language_for(locales_of(request), request.headers.get("accept-language"))


def locales_of(request: Request) -> str | None:
    """Read which languages were asked for, if it was said."""
    given = request.query_params.get("ui_locales", "")
    return given if 0 < len(given) <= LOCALES_LIMIT and given.isprintable() else None


def page(
    request: Request,
    template: str,
    *,
    status: int = 200,
    has_languages: bool = False,
    **values: Any,
) -> HTMLResponse:
    """Show a page.

    Args:
        request: of the browser.
        template: its file, without the ending.
        status: of the answer.
        has_languages: whether it can be asked for again, in another language.
        values: for the template.
    """
    language = language_of(request)
    return PAGES.show(
        language,
        template,
        texts=TEXTS[language],
        status=status,
        languages=_languages(request) if has_languages else [],
        **values,
    )


def refusal_page(
    request: Request,
    code: str,
    *,
    status: int = 403,
    reason: str | None = None,
    title: str = "not_logged_in",
    back: str = "/login",
) -> HTMLResponse:
    """Say why somebody is not logged in.

    Args:
        request: of the browser.
        code: of the text that says so.
        status: of the answer.
        reason: for whoever looks into it.
        title: which text stands above.
        back: where to go on.
    """
    texts = TEXTS[language_of(request)]
    return page(
        request,
        "message",
        status=status,
        title=texts[title],
        text=texts[code],
        reason=reason,
        is_refusal=True,
        back=back,
        back_text=texts["to_cities"],
    )


class PageRoute(APIRoute):
    """A route for people: also that somebody has to wait is said with a page."""

    def get_route_handler(self) -> Callable[[Request], Awaitable[Response]]:  # type: ignore[override]
        handle = super().get_route_handler()

        async def handle_for_people(request: Request) -> Response:
            try:
                return await handle(request)
            except TooManyGuesses as refusal:
                page = refusal_page(request, refusal.code, status=429, title="wait")
                page.headers["Retry-After"] = str(refusal.seconds)
                return page

        return handle_for_people


def address(path: str, **parameters: str | None) -> str:
    """Write an address of ours with those parameters that have a value."""
    given = {name: value for name, value in parameters.items() if value}
    return f"{path}?{urlencode(given)}" if given else path


def _languages(request: Request) -> list[tuple[str, str, str]]:
    kept = dict(request.query_params)
    path = request.url.path
    return [
        (tag, name, f"{path}?{urlencode(kept | {'ui_locales': tag})}")
        for tag, name in LANGUAGES.items()
    ]
