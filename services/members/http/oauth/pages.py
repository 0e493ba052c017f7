"""Pages that the authorization server shows to people, in English and Japanese. No scripts."""

from dataclasses import dataclass, field
from typing import Any, Final

from fastapi.responses import HTMLResponse
from jinja2 import ChoiceLoader, PackageLoader
from markupsafe import Markup

from services.members.http.login.pages import HEADERS, STYLE, TEMPLATES
from services.members.http.login.texts import TEXTS, Language
from services.members.model.client import Client
from services.members.model.member import Member
from services.members.model.official import Official

PAGES: Final = TEMPLATES.overlay(
    loader=ChoiceLoader(
        [PackageLoader(f"services.members.http.{part}") for part in ("oauth", "login")]
    )
)


@dataclass(frozen=True, slots=True)
class Words:
    """What the pages say in one language."""

    language: Language
    title: str
    who: str
    would: str
    allow: str
    deny: str
    refused: str
    reason: str
    scopes: dict[str, str] = field(repr=False)


ENGLISH: Final = Words(
    language="en",
    title="Allow {application} to act for you?",
    who="You are logged in as {person}, for {member}.",
    would="{application} will be sent to {host} with your answer. It asks to:",
    allow="Allow",
    deny="Do not allow",
    refused="This did not work",
    reason="The application sent something that we cannot go on with.",
    scopes={
        "openid": "know who you are",
        "profile": "see your name and language",
        "email": "see your mail address",
        "members:read": "see the members of the network, with their officials",
        "members:write": "manage your member's officials, applications and data",
        "network:write": "run the network",
        "projects:read": "see the projects that your member may see",
        "projects:contribute": "deliver contributions to projects",
        "projects:write": "create and change projects for your member",
        "notifications:read": "see your member's notifications",
        "notifications:write": "manage your member's notifications and webhooks",
    },
)

JAPANESE: Final = Words(
    language="ja",
    title="{application} があなたに代わって操作することを許可しますか",
    who="{member} の {person} としてログインしています。",
    would="回答とともに {host} の {application} に戻ります。次のことが求められています。",
    allow="許可する",
    deny="許可しない",
    refused="処理を続けられませんでした",
    reason="アプリケーションから送られた内容では続けることができません。",
    scopes={
        "openid": "あなたが誰であるかを確認する",
        "profile": "氏名と言語を見る",
        "email": "メールアドレスを見る",
        "members:read": "ネットワークの会員と担当者を見る",
        "members:write": "会員の担当者、アプリケーション、情報を管理する",
        "network:write": "ネットワークを運営する",
        "projects:read": "会員が見られるプロジェクトを見る",
        "projects:contribute": "プロジェクトの成果を提出する",
        "projects:write": "会員としてプロジェクトを作成し変更する",
        "notifications:read": "会員への通知を見る",
        "notifications:write": "会員への通知と Webhook を管理する",
    },
)


def words_in(language: str) -> Words:
    """Choose the words for a language tag, or for what a browser says that it accepts."""
    return JAPANESE if language.lower().startswith("ja") else ENGLISH


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
    """Ask the person whether an application may act for them."""
    words = words_in(official.language)
    function = official.function.get(words.language) or next(iter(official.function.values()))
    return _page(
        "consent",
        words,
        application=application.name,
        person=official.name or function,
        member=member.name.get(words.language) or next(iter(member.name.values())),
        host=redirect_uri.split("/")[2],
        lines=[words.scopes[scope] for scope in scopes],
        authorization=authorization,
        ticket=ticket,
        action=action,
    )


def refusal_page(detail: str, *, language: str) -> HTMLResponse:
    """Tell the person what is wrong, where the application cannot be told."""
    return _page("refusal", words_in(language), status=400, detail=detail)


def _page(template: str, words: Words, *, status: int = 200, **values: Any) -> HTMLResponse:
    """Show a page with the frame that those of the login have."""
    text = PAGES.get_template(f"{template}.html").render(
        language=words.language,
        languages=[],
        t=TEXTS[words.language],
        style=Markup(STYLE),  # noqa: S704 -- ours
        words=words,
        **values,
    )
    return HTMLResponse(text, status, {**HEADERS, "Content-Language": words.language})
