"""The pages of the portal, in the language of whoever reads them."""

from typing import Any, Final
from urllib.parse import urlencode

from fastapi import Request
from fastapi.responses import HTMLResponse

from services.portal.http.cookies import LANGUAGE, LANGUAGE_SECONDS, SESSION
from services.portal.http.texts import TEXTS
from services.portal.model.return_path import is_local
from shared.http.browser import cookie_of, set_cookie, ticket_for
from shared.http.pages import LANGUAGES, Language, Pages, language_for

PAGES: Final = Pages.of("services.portal.http")

TICKET: Final = "portal"
"""What the forms of a session bring along is made for this purpose."""

LOCALES: Final = "ui_locales"


def language_of(request: Request) -> Language:
    """Choose the language: asked for now, chosen before, or what the browser likes best."""
    chosen = request.query_params.get(LOCALES) or cookie_of(request, LANGUAGE)
    return language_for(chosen, request.headers.get("accept-language"))


def page(request: Request, template: str, *, status: int = 200, **values: Any) -> HTMLResponse:
    """Show a page.

    Args:
        request: of the browser.
        template: its file, without the ending.
        status: of the answer.
        values: for the template.
    """
    language = language_of(request)
    cookie = cookie_of(request, SESSION)
    response = PAGES.show(
        language,
        template,
        texts=TEXTS[language],
        status=status,
        languages=_languages(request),
        ticket=ticket_for(cookie, TICKET) if cookie else "",
        **values,
    )
    if request.query_params.get(LOCALES) in LANGUAGES:
        set_cookie(response, LANGUAGE, language, seconds=LANGUAGE_SECONDS)
    return response


def message_page(
    request: Request,
    code: str,
    *,
    status: int,
    reason: str | None = None,
    back: str = "/",
    back_text: str = "to_start",
) -> HTMLResponse:
    """Say something in one sentence, and how to go on.

    Args:
        request: of the browser.
        code: of the text; its title is named `<code>-title`.
        status: of the answer.
        reason: a word for whoever looks into it.
        back: where to go on.
        back_text: what that is called.
    """
    texts = TEXTS[language_of(request)]
    return page(
        request,
        "message",
        status=status,
        title=texts[f"{code}-title"],
        text=texts[code],
        reason=reason,
        is_refusal=status >= 400,
        back=back,
        back_text=texts[back_text],
    )


def here(request: Request) -> str:
    """Where the same page can be asked for again; the first page for what is good once."""
    path: str = request.scope["path"]
    is_page = request.method == "GET" and not path.startswith("/session/callback")
    return path if is_page and is_local(path) else "/"


def _languages(request: Request) -> list[tuple[str, str, str]]:
    path = here(request)
    return [(tag, name, f"{path}?{urlencode({LOCALES: tag})}") for tag, name in LANGUAGES.items()]
