"""Text in several languages of which some are written anew."""

from collections.abc import Mapping
from typing import Final

from shared.refusals import Invalid

LANGUAGES_MAX: Final = 30
ALL_LANGUAGES_MAX: Final = 20_000
"""Characters of a text in all its languages together."""


class TextsTooLong(Invalid):
    code = "texts-too-long"
    title = "The text would be longer, or in more languages, than it may be"


def reworded(texts: Mapping[str, str] | None, words: Mapping[str, str | None]) -> dict[str, str]:
    """Put words in the place of what was written in their languages; the other languages stay.

    Args:
        texts: what was written, if anything.
        words: by language; nothing ends what was written in it.

    Raises:
        TextsTooLong: together with what stays it is too much.
    """
    changed = {**(texts or {}), **words}
    kept = {language: text for language, text in changed.items() if text is not None}
    if len(kept) > LANGUAGES_MAX:
        raise TextsTooLong(f"It would be in {len(kept)} languages, of {LANGUAGES_MAX}.")
    length = sum(map(len, kept.values()))
    if length > ALL_LANGUAGES_MAX:
        raise TextsTooLong(f"It would have {length} characters, of {ALL_LANGUAGES_MAX}.")
    return kept
