"""How instants are written on a page."""

from dataclasses import dataclass
from datetime import UTC, datetime

from services.portal.http.texts import INSTANT
from shared.http.pages import Language


@dataclass(frozen=True, slots=True)
class Shown:
    """An instant, for people and for machines."""

    text: str
    machine: str


def shown(at: datetime, language: Language) -> Shown:
    """Write an instant, with the clock that it is of."""
    at = at.astimezone(UTC)
    return Shown(at.strftime(INSTANT[language]), at.strftime("%Y-%m-%dT%H:%M:%SZ"))
