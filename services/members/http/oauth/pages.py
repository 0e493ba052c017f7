"""Pages of the authorization server for people, in the frame that those of the login have."""

from typing import Any, Final

from fastapi.responses import HTMLResponse

from services.members.http.login.texts import TEXTS as FRAME
from services.members.http.oauth.texts import SCOPE_TEXTS, TEXTS
from services.members.model.client import Client
from services.members.model.member import Member
from services.members.model.official import Official
from shared.http.pages import Language, Pages, in_language, language_for

PAGES: Final = Pages.of("services.members.http.oauth")


def consent_page(
    *,
    application: Client,
    official: Official,
    member: Member,
    scopes: tuple[str, ...],
    redirect_uri: str,
    authorization: str,
    ticket: str,
    action: str,
) -> HTMLResponse:
    """Ask the person, in their language, whether an application may act for them."""
    language = language_for(official.language, None)
    return _page(
        "consent",
        language,
        application=application.name,
        person=official.name or in_language(official.function, language),
        member=in_language(member.name, language),
        host=redirect_uri.split("/")[2],
        lines=[SCOPE_TEXTS[language][scope] for scope in scopes],
        authorization=authorization,
        ticket=ticket,
        action=action,
    )


def refusal_page(detail: str, *, accept_language: str) -> HTMLResponse:
    """Tell the person what is wrong, where the application cannot be told."""
    return _page("refusal", language_for(None, accept_language), status=400, detail=detail)


def _page(template: str, language: Language, **values: Any) -> HTMLResponse:
    return PAGES.show(language, template, texts=FRAME[language], words=TEXTS[language], **values)
