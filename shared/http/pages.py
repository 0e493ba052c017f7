"""Pages for people: plain HTML in one frame, no scripts, in the languages that people read."""

import hashlib
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from fastapi.responses import HTMLResponse
from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

Language = Literal["en", "ja"]

LANGUAGES: Final[Mapping[Language, str]] = {"en": "English", "ja": "日本語"}

FRAME_STYLE: Final = (Path(__file__).parent / "templates" / "page.css").read_text()


@dataclass(frozen=True)
class Pages:
    """The pages of one part of the platform."""

    templates: Environment
    style: str
    headers: Mapping[str, str]

    @classmethod
    def of(cls, package: str) -> "Pages":
        """Find the templates of a package, with their style if there is one (`more.css`)."""
        templates = Environment(
            loader=ChoiceLoader([PackageLoader(package), PackageLoader("shared.http")]),
            autoescape=True,
            undefined=StrictUndefined,
            auto_reload=False,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        more = "more.css" in templates.list_templates()
        style = FRAME_STYLE + (templates.get_template("more.css").render() if more else "")
        return cls(templates, style, headers_with(style))

    def show(
        self,
        language: Language,
        template: str,
        *,
        texts: Mapping[str, str],
        status: int = 200,
        languages: Sequence[tuple[str, str, str]] = (),
        **values: Any,
    ) -> HTMLResponse:
        """Show a page in a language that was chosen.

        Args:
            language: of the page.
            template: its file, without the ending.
            texts: in that language.
            status: of the answer.
            languages: in which it can be asked for again: tag, name and address.
            values: for the template.
        """
        text = self.templates.get_template(f"{template}.html").render(
            language=language,
            languages=languages,
            t=texts,
            style=Markup(self.style),  # noqa: S704 -- ours
            **values,
        )
        return HTMLResponse(text, status, {**self.headers, "Content-Language": language})


def headers_with(style: str) -> dict[str, str]:
    """What goes with a page that has this style."""
    digest = b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return {
        # No `form-action`: a browser applies it to redirects, too, and a form of ours may lead to
        # another server: to the provider of a city, or back to an application.
        "Content-Security-Policy": (
            f"default-src 'none'; style-src 'sha256-{digest}'; "
            "base-uri 'none'; frame-ancestors 'none'"
        ),
        "X-Frame-Options": "DENY",
        # Not `no-referrer`, with which a browser would hide where a form of ours comes from.
        "Referrer-Policy": "same-origin",
        "Cache-Control": "no-store",
        "Vary": "Accept-Language, Cookie",
    }


def language_for(asked: str | None, accept_language: str | None) -> Language:
    """Choose the language of a page: what was asked for, else what the browser likes best.

    Source: OpenID Connect Core 1.0, section 3.1.2.1; RFC 9110, section 12.5.4.
    """
    for tag in (asked or "").split()[:10]:
        if (known := _known(tag)) is not None:
            return known
    liked = []
    for position, part in enumerate((accept_language or "")[:500].split(",")[:20]):
        tag, _, weight = part.partition(";")
        try:
            quality = float(weight.strip().removeprefix("q=") or 1)
        except ValueError:
            continue
        if (known := _known(tag)) is not None and quality > 0:
            liked.append((-quality, position, known))
    return min(liked)[2] if liked else "en"


def _known(tag: str) -> Language | None:
    primary = tag.strip().lower().partition("-")[0]
    return next((language for language in LANGUAGES if language == primary), None)


def in_language(names: Mapping[str, str], language: Language) -> str:
    """Give the text in this language, else in English, else in whichever there is."""
    return names.get(language) or names.get("en") or next(iter(names.values()))
