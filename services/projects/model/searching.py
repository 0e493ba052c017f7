"""What people mean by the words they look for, whichever way these are written.

Texts and questions are folded alike: width, case and diacritics make no difference, and all that is
neither letter nor digit parts words. A word is found anywhere in a text, as several scripts write
no spaces. The index knows short pieces of words, the *grams*: of Chinese characters, kana and
hangul one or two, of everything else two or three. Whatever contains a word contains its grams; the
word itself is looked for in what they find.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from shared.refusals import Invalid

FOLDED_MAX: Final = 100_000
"""Characters of a folded text that count: a single character can become eighteen by folding."""

TERMS_MAX: Final = 8
GRAMS_ASKED_MAX: Final = 12
"""So many grams of a word narrow down enough; each further one costs time."""

DIACRITICS: Final = re.compile(
    "[\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]"
)
"""Marks on Latin, Greek and Cyrillic letters. Elsewhere marks are what makes the word."""

UNDIVIDED: Final = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "ð": "d", "ħ": "h", "ı": "i", "æ": "ae", "œ": "oe", "þ": "th"}
)
"""Letters that no standard takes apart, and people without them on their keyboards do."""

_MARKS: Final = "".join(
    chr(code) for code in range(0x0300, 0x1F000) if unicodedata.category(chr(code))[0] == "M"
)
_INVISIBLE: Final = re.compile(
    "[\u00ad\u200b-\u200f\u2060\ufe00-\ufe0f\ufeff\U000e0100-\U000e01ef]"
)
_BETWEEN_WORDS: Final = re.compile(f"[^\\w{re.escape(_MARKS)}]+|_+")
_EAST_ASIAN: Final = re.compile(
    "[\u1100-\u11ff\u3005-\u3007\u3040-\u30ff\u3130-\u318f\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff"
    "\uac00-\ud7ff\uf900-\ufaff\U00016fe0-\U000323af]"
)

KINDS_OF_PLACES: Final = ("特別市", "直轄市", "都", "府", "県", "市", "특별시", "광역시", "시")
"""Endings of names by which East Asian languages say what kind of place it is, and often do not."""


class SearchTooShort(Invalid):
    code = "search-too-short"
    title = "Look for at least one Chinese character, kana or hangul, or two other letters"


class SearchTooLong(Invalid):
    code = "search-too-long"
    title = "Look for fewer words at once"


def folded(text: str) -> str:
    """Write a text in the one way in which it is looked for: words, with one space between them.

    Source: Unicode Standard, section 3.13 (caseless matching), and Annex 15 (NFKC).
    """
    text = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    text = DIACRITICS.sub("", unicodedata.normalize("NFD", text)).translate(UNDIVIDED)
    text = _INVISIBLE.sub("", unicodedata.normalize("NFC", text))
    return _BETWEEN_WORDS.sub(" ", text).strip()


_folded_name: Final = lru_cache(maxsize=4096)(folded)
"""Of names only, which are short and always the same ones."""


def grams_of(text: str) -> set[str]:
    """Every gram of the words of a folded text."""
    found: set[str] = set()
    for word in text.split():
        found.update(_EAST_ASIAN.findall(word))
        found.update(word[place : place + 2] for place in range(len(word) - 1))
        found.update(
            word[place : place + 3]
            for place in range(len(word) - 2)
            if not _EAST_ASIAN.search(word, place, place + 3)
        )
    return found


def grams_to_ask(text: str) -> list[str]:
    """The longest grams of the words of a folded text: what contains it has all of them.

    Returns:
        Nothing, if there is no word long enough.
    """
    found: dict[str, None] = {}
    for word in text.split():
        grams = grams_of(word)
        telling = {
            gram
            for gram in grams
            if len(gram) == 3 or (len(gram) == 2 and _EAST_ASIAN.search(gram))
        } or {gram for gram in grams if len(gram) == 2}
        found.update(dict.fromkeys(sorted(telling or grams, key=word.find)))
    every = max(1, -(-len(found) // GRAMS_ASKED_MAX))
    return list(found)[::every]


@dataclass(frozen=True, slots=True)
class Term:
    """One thing that is looked for: any of `texts`, or a place of any of `members`.

    Attributes:
        texts: folded; several, if it is the name of a member, which has others.
        members: whose names contain it.
    """

    texts: tuple[str, ...]
    members: tuple[str, ...]

    @property
    def grams(self) -> list[list[str]]:
        """For each text what to ask the index for; nothing, if it cannot help."""
        asked = [grams_to_ask(text) for text in self.texts]
        return asked if all(asked) else []


Names = Mapping[str, Mapping[str, str]]
"""By member its names by language."""


def understood(question: str, names: Names) -> list[Term]:
    """Read what somebody looks for; all of the terms must be found.

    Neighbouring words that are the name of a member are one term, which its other names answer as
    well. What narrows down most comes first.

    Raises:
        SearchTooShort: nothing in it is long enough to look for.
        SearchTooLong: there are too many words.
    """
    forms = {slug: _forms(slug, by_language) for slug, by_language in names.items()}
    terms = [_term(text, forms) for text in _parts(folded(question).split(), forms)]
    terms = list(dict.fromkeys(terms))
    if len(terms) > TERMS_MAX:
        raise SearchTooLong(f"There are {len(terms)}; up to {TERMS_MAX} can be looked for.")
    if not any(term.grams for term in terms):
        raise SearchTooShort("There is nothing to look for in this.")
    return sorted(terms, key=lambda term: (not term.grams, -min(map(len, term.texts))))


def _forms(slug: str, names: Mapping[str, str]) -> frozenset[str]:
    """All that a member is called, folded."""
    called = {_folded_name(slug), *map(_folded_name, names.values())} - {""}
    for name in tuple(called):
        ending = next((kind for kind in KINDS_OF_PLACES if name.endswith(kind)), "")
        if len(name) - len(ending) >= 2:
            called.add(name.removesuffix(ending))
    return frozenset(called)


def _parts(words: Sequence[str], forms: Mapping[str, frozenset[str]]) -> Iterable[str]:
    """Put words together that are the name of a member."""
    every = {form for called in forms.values() for form in called}
    longest = max((form.count(" ") + 1 for form in every), default=1)
    place = 0
    while place < len(words):
        lengths = range(min(longest, len(words) - place), 1, -1)
        spans = (" ".join(words[place : place + length]) for length in lengths)
        part = next((span for span in spans if span in every), words[place])
        yield part
        place += part.count(" ") + 1


def _term(text: str, forms: Mapping[str, frozenset[str]]) -> Term:
    others = {form for called in forms.values() if text in called for form in called}
    members = sorted(slug for slug, called in forms.items() if any(text in form for form in called))
    return Term((text, *sorted(filter(_says_much, others - {text}))), tuple(members))


def _says_much(text: str) -> bool:
    """Whether a name is long enough to be no part of everything."""
    return len(text) >= (2 if _EAST_ASIAN.search(text) else 3)
