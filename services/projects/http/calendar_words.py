"""What the platform itself says in a calendar, in the languages that it speaks there."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from shared.contracts.projects import CalendarFeedKind

ENGLISH: Final = "en"


@dataclass(frozen=True, slots=True)
class Words:
    due: str
    responsible: str
    cancelled: str
    names: Mapping[CalendarFeedKind, str]
    categories: Mapping[str, str]


WORDS: Final = {
    "en": Words(
        due="Due by the end of {day} in {zone}.",
        responsible="Accountable: {member}.",
        cancelled="Cancelled: {title}",
        names={
            "official": "Renkei: what {name} owes",
            "member": "Renkei: projects of {name}",
            "project": "Renkei: {name}",
        },
        categories={"milestone": "Milestone"},
    ),
    "ja": Words(
        due="期限: {day} の終わりまで（{zone}）",
        responsible="責任者: {member}",
        cancelled="中止: {title}",
        names={
            "official": "連携: {name}の担当",
            "member": "連携: {name}のプロジェクト",
            "project": "連携: {name}",
        },
        categories={"milestone": "マイルストーン"},
    ),
}


def words_in(language: str) -> Words:
    return WORDS.get(language.partition("-")[0], WORDS[ENGLISH])


def in_language(texts: Mapping[str, str], language: str) -> str:
    """Give the text in a language, else in a kindred one, in English, or in whichever there is."""
    primary = language.partition("-")[0]
    kindred = [text for tag, text in texts.items() if tag.partition("-")[0] == primary]
    liked = [texts.get(language), *kindred, texts.get(ENGLISH), *texts.values()]
    return next(filter(None, liked))
