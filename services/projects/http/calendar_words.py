"""What the platform itself says in a calendar, in the languages that it speaks there."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from services.projects.model.calendar_entry import CalendarEntryKind
from shared.contracts.projects import CalendarFeedKind

ENGLISH: Final = "en"


@dataclass(frozen=True, slots=True)
class EntryWords:
    """What is said of one kind of entries."""

    title: str
    due: str
    responsible: str
    category: str


@dataclass(frozen=True, slots=True)
class Words:
    """One language."""

    cancelled: str
    names: Mapping[CalendarFeedKind, str]
    entries: Mapping[CalendarEntryKind, EntryWords]


WORDS: Final = {
    "en": Words(
        cancelled="Cancelled: {title}",
        names={
            "official": "Renkei: what {name} owes",
            "member": "Renkei: projects of {name}",
            "project": "Renkei: {name}",
        },
        entries={
            "milestone": EntryWords(
                title="{title}",
                due="Due by the end of {day} in {zone}.",
                responsible="Accountable: {member}.",
                category="Milestone",
            ),
            "decision": EntryWords(
                title="Decision closes: {title}",
                due="Closes at the end of {day} in {zone}.",
                responsible="Asked by: {member}.",
                category="Decision",
            ),
            "participation": EntryWords(
                title="Invitation of {member} ends: {title}",
                due="To be answered by the end of {day} in {zone}.",
                responsible="Invited: {member}.",
                category="Invitation",
            ),
        },
    ),
    "ja": Words(
        cancelled="中止: {title}",
        names={
            "official": "連携: {name}の担当",
            "member": "連携: {name}のプロジェクト",
            "project": "連携: {name}",
        },
        entries={
            "milestone": EntryWords(
                title="{title}",
                due="期限: {day} の終わりまで（{zone}）",
                responsible="責任者: {member}",
                category="マイルストーン",
            ),
            "decision": EntryWords(
                title="決定の締切: {title}",
                due="締切: {day} の終わりまで（{zone}）",
                responsible="提案者: {member}",
                category="決定",
            ),
            "participation": EntryWords(
                title="{member}への招待の回答期限: {title}",
                due="回答期限: {day} の終わりまで（{zone}）",
                responsible="招待先: {member}",
                category="招待",
            ),
        },
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
