"""What the authorization server gives the portal to act for somebody."""

from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Tokens:
    """The tokens of one answer."""

    access_token: str = field(repr=False)
    access_ends_at: datetime
    refresh_token: str = field(repr=False)
    id_token: str | None = field(repr=False)


class TokensRefused(Exception):
    """The authorization server has ended what these tokens belonged to."""
