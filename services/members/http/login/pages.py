"""Pages for people: plain HTML, no scripts, in English and Japanese."""

import hashlib
from base64 import b64encode
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

from fastapi import Request, Response
from fastapi.responses import HTMLResponse
from fastapi.routing import APIRoute
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from services.members.http.guesses import TooManyGuesses
from services.members.http.login.texts import LANGUAGES, TEXTS, Language, language_for

TEMPLATES: Final = Environment(
    loader=PackageLoader("services.members.http.login"),
    autoescape=True,
    undefined=StrictUndefined,
    auto_reload=False,
    trim_blocks=True,
    lstrip_blocks=True,
)
STYLE: Final = (Path(__file__).parent / "templates" / "page.css").read_text()

# No `form-action`: a browser applies it to redirects, too, and a form here leads to the provider of
# a city or back to an application.
POLICY: Final = (
    "default-src 'none'; "
    f"style-src 'sha256-{b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()}'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
HEADERS: Final = {
    "Content-Security-Policy": POLICY,
    "X-Frame-Options": "DENY",
    # Not `no-referrer`, with which a browser would hide where a form of ours comes from.
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
    "Vary": "Accept-Language, Cookie",
}
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
    languages = _languages(request) if has_languages else []
    return page_in(language_of(request), template, status=status, languages=languages, **values)


def page_in(
    language: Language,
    template: str,
    *,
    status: int = 200,
    languages: Sequence[tuple[str, str, str]] = (),
    templates: Environment = TEMPLATES,
    **values: Any,
) -> HTMLResponse:
    """Show a page in a language that was chosen.

    Args:
        language: of the page.
        template: its file, without the ending.
        status: of the answer.
        languages: in which it can be asked for again: tag, name and address.
        templates: where the file is.
        values: for the template.
    """
    text = templates.get_template(f"{template}.html").render(
        language=language,
        languages=languages,
        t=TEXTS[language],
        style=Markup(STYLE),  # noqa: S704 -- ours
        **values,
    )
    return HTMLResponse(text, status, {**HEADERS, "Content-Language": language})


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
