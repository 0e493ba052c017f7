"""Languages as directories write them."""

import re
from typing import Final

FORM: Final = re.compile(
    r"\s*([A-Za-z]{2,3})(?:[-_]([A-Za-z]{4}))?(?:[-_]([A-Za-z]{2}|[0-9]{3}))?\s*(?:[,;].*)?"
)


def language_tag(written: str | None) -> str | None:
    """Write a language as BCP 47 wants it; of several the first, as `Accept-Language` has them.

    Source: RFC 7643, section 4.1.1.
    """
    if written is None:
        return None
    found = FORM.fullmatch(written)
    if found is None:
        return written  # for the field's own rule to refuse
    language, script, region = found.groups()
    parts = (language.lower(), script and script.title(), region and region.upper())
    return "-".join(part for part in parts if part)
