"""Somebody is on the way to the authorization server and back.

The browser itself carries what must be known when it comes back, sealed: strangers make no rows in
our database, every tab has its own, and another browser has none.
"""

import json
import re
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Final

from shared.one_time import hash_of, new_one_time_secret
from shared.sealing import CannotOpen, Seals

COOKIE: Final = "__Host-portal-login-"
"""Beginning of the cookie's name; the rest tells the tabs apart."""


@dataclass(frozen=True, slots=True)
class LoginAttempt:
    """What one tab has begun."""

    return_path: str
    expires_at: datetime
    max_age: str | None = None
    """How old the login may be, in seconds; and of which kinds it must be, if that is asked."""
    acr_values: str | None = None
    again: bool = False
    """Whether the platform wants somebody to log in who has logged in before."""
    state: str = field(repr=False, default_factory=new_one_time_secret)
    nonce: str = field(repr=False, default_factory=new_one_time_secret)
    verifier: str = field(repr=False, default_factory=new_one_time_secret)

    @property
    def cookie_name(self) -> str:
        return cookie_name_of(self.state)

    def sealed(self, seals: Seals) -> str:
        """Write it so that only we can read it, and only together with its state."""
        written = asdict(self) | {"expires_at": self.expires_at.timestamp()}
        return seals.seal(json.dumps(written).encode(), place=_place(self.state))

    @classmethod
    def opened(
        cls, sealed: str, *, state: str, seals: Seals, now: datetime
    ) -> "LoginAttempt | None":
        """Read what a browser brought; nothing if it began elsewhere, or too long ago."""
        try:
            read = json.loads(seals.open(sealed, place=_place(state)))
            ends = datetime.fromtimestamp(read.pop("expires_at"), UTC)
            attempt = cls(expires_at=ends, **read)
        except (CannotOpen, TypeError, KeyError):  # the latter: another release has written it
            return None
        return attempt if now < ends else None


def cookie_name_of(state: str) -> str:
    """Name the cookie that belongs to a state."""
    return f"{COOKIE}{hash_of(state)[:16]}"


def is_cookie_name(name: str) -> bool:
    """Tell whether a cookie has the name of one of ours."""
    return re.fullmatch(f"{COOKIE}[0-9a-f]{{16}}", name) is not None


def _place(state: str) -> str:
    return f"login_attempt {hash_of(state)}"
