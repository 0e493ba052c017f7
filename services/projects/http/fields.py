"""Lengths of text, so small that a fact with all of it stays below what the broker takes."""

from typing import Annotated

from pydantic import AfterValidator, StringConstraints

from services.projects.model.rewording import ALL_LANGUAGES_MAX
from shared.fields import Input, Line, Text, Texts


def _at_most(limit: int) -> AfterValidator:
    # After the text has been normalised, which may lengthen it.
    def checked(text: str) -> str:
        if len(text) > limit:
            raise ValueError(f"must have at most {limit} characters")
        return text

    return AfterValidator(checked)


def _together_at_most(texts: dict[str, str]) -> dict[str, str]:
    if sum(map(len, texts.values())) > ALL_LANGUAGES_MAX:
        raise ValueError(f"must have at most {ALL_LANGUAGES_MAX} characters in all languages")
    return texts


Remark = Annotated[Text, _at_most(1000)]
"""A few sentences, such as a reason."""

Evidence = Annotated[Text, _at_most(2000)]
"""What shows that something is there."""

Link = Annotated[
    str,
    StringConstraints(max_length=2000, pattern=r"^https?://[A-Za-z0-9.:\[\]-]+(/[!-~]*)?$"),
]
"""A web address, such as one that shows that something is there."""

Sought = Annotated[Line, _at_most(200)]
"""What somebody looks for."""

Description = Annotated[Texts, AfterValidator(_together_at_most)]
"""Text in one or several languages, up to 20 000 characters together."""


class ReasonIn(Input):
    """Why."""

    reason: Remark
