"""Types of fields at the edges: what may come in, exactly, and nothing else.

pydantic turns "5" into 5, `true` into 1 and a number into a date when it reads the Python objects
that a web framework hands to it. These types refuse that, and what PostgreSQL cannot store.
"""

import re
import unicodedata
from datetime import UTC, date, datetime
from typing import Annotated, Any, Final
from zoneinfo import available_timezones

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    Strict,
    StringConstraints,
)

INT4_MAX: Final = 2**31 - 1
YEARS: Final = (1900, 2200)
ZONES: Final = frozenset(available_timezones())

NO_TEXT: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef"
    + "".join(f"{chr(plane << 16 | 0xFFFE)}{chr(plane << 16 | 0xFFFF)}" for plane in range(17))
    + "]"
)
BREAKS: Final = re.compile("[\n\t\u2028\u2029]")


def _clean(text: str) -> str:
    """Normalise to NFC and refuse what is no text: controls (but tab and newline), surrogates.

    Characters that are newer than our tables are text.
    """
    if found := NO_TEXT.search(text):
        raise ValueError(f"contains the character U+{ord(found[0]):04X}, which is not text")
    text = unicodedata.normalize("NFC", text).strip()
    if not text:
        raise ValueError("must not be blank")
    return text


def _one_line(text: str) -> str:
    if BREAKS.search(text):
        raise ValueError("must be a single line")
    return text


def _written_as(pattern: str, example: str) -> BeforeValidator:
    """Take only this form: pydantic would read "5" as five seconds after the year 1970 began."""
    form = re.compile(pattern)

    def check(value: Any) -> Any:
        # A `date` comes from our own code, never from JSON.
        if isinstance(value, date) or (isinstance(value, str) and form.match(value)):
            return value
        raise ValueError(f"must be a string such as {example}")

    return BeforeValidator(check)


def _in_range(value: date) -> date:
    if not YEARS[0] <= value.year <= YEARS[1]:
        raise ValueError(f"must lie between the years {YEARS[0]} and {YEARS[1]}")
    return value


def _instant_in_range(value: datetime) -> datetime:
    # Compared before the conversion, which overflows at the ends of the calendar.
    if not YEARS[0] < value.year < YEARS[1]:
        raise ValueError(f"must lie between the years {YEARS[0]} and {YEARS[1]}")
    return value.astimezone(UTC)


def _known_zone(name: str) -> str:
    if name not in ZONES:
        raise ValueError("is no time zone of the IANA database, such as Asia/Tokyo")
    return name


Text = Annotated[str, Field(min_length=1, max_length=20_000), AfterValidator(_clean)]
"""Text of any length that people write: up to 20 000 characters, with line breaks."""

Line = Annotated[
    str, Field(min_length=1, max_length=300), AfterValidator(_clean), AfterValidator(_one_line)
]
"""One line of text, such as a title."""

LanguageTag = Annotated[
    str, StringConstraints(pattern=r"^[a-z]{2,3}(-[A-Z][a-z]{3})?(-([A-Z]{2}|[0-9]{3}))?$")
]
"""A language with optional script and region. Source: BCP 47."""

Lines = Annotated[dict[LanguageTag, Line], Field(min_length=1, max_length=30)]
"""One line in one or several languages, such as {"en": "Tokyo", "ja": "東京都"}."""

Texts = Annotated[dict[LanguageTag, Text], Field(min_length=1, max_length=30)]
"""Text in one or several languages."""

Slug = Annotated[
    str, StringConstraints(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", min_length=2, max_length=60)
]
"""A short stable name for addresses, such as `kuala-lumpur`."""

Country = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]
"""Source: ISO 3166-1 alpha-2."""

ZoneName = Annotated[str, Field(max_length=60), AfterValidator(_known_zone)]
"""Source: IANA time zone database."""

Day = Annotated[date, AfterValidator(_in_range), _written_as(r"\d{4}-\d\d-\d\d\Z", "2026-04-01")]
"""A calendar day, from the year 1900 to 2200. Source: RFC 3339, full-date."""

Instant = Annotated[
    AwareDatetime,
    AfterValidator(_instant_in_range),
    _written_as(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d", "2026-04-01T09:00:00Z"),
]
"""A moment with an offset, kept in UTC. Source: RFC 3339, date-time."""

Whole = Annotated[int, Strict(), Field(ge=0, le=INT4_MAX)]
Flag = Annotated[bool, Strict()]
Degrees = Annotated[float, Field(allow_inf_nan=False), Strict()]

Email = Annotated[
    str,
    StringConstraints(
        max_length=254, pattern=r"^[A-Za-z0-9._%+'-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+$"
    ),
]
"""A mail address as people have them; delivery, not the pattern, shows that it exists."""


class Input(BaseModel):
    """Base of every request body: a field that we do not know is refused, not ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Output(BaseModel):
    """Base of every representation."""

    model_config = ConfigDict(from_attributes=True, frozen=True)


OMITTED: Any = Field(default_factory=lambda: None)
"""Default of each field of a PATCH body, as in `name: Line = OMITTED`.

The client may leave the field out, and only then is it empty; null is refused unless the type
allows it. `model_dump(exclude_unset=True)` gives what the client wants to change.
"""
