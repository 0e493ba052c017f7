"""A session is over, says the authorization server.

Source: OpenID Connect Back-Channel Logout 1.0, sections 2.4 and 2.6.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from services.portal.model.id_token import id_in
from services.portal.model.signed import (
    CLOCK_SECONDS,
    Keys,
    NotBelieved,
    claims_in,
    ensure_for,
    instant_in,
)

EVENT: Final = "http://schemas.openid.net/event/backchannel-logout"
OLD_SECONDS: Final = 600
"""How old a notice may be, whatever it says itself; its identifier is remembered for as long."""
IDENTIFIER_LIMIT: Final = 255


@dataclass(frozen=True, slots=True)
class Left:
    """Whose session is over: one session, or all of an official."""

    identifier: str
    sid: UUID | None
    official_id: UUID | None
    forget_at: datetime
    """From then on the notice is too old to be believed again."""


def left_in(token: str, keys: Keys, *, issuer: str, client_id: str, now: datetime) -> Left:
    """Read a logout token.

    Raises:
        NotBelieved: it is none, or not good any more.
    """
    claims = claims_in(token, keys, kind="logout+jwt")
    ensure_for(claims, issuer=issuer, client_id=client_id)
    at, made = now.timestamp(), instant_in(claims, "iat")
    if at >= instant_in(claims, "exp") + CLOCK_SECONDS:
        raise NotBelieved("expired")
    if not at - OLD_SECONDS <= made <= at + CLOCK_SECONDS:
        raise NotBelieved("not made just now")
    events = claims.get("events")
    if not isinstance(events, dict) or not isinstance(events.get(EVENT), dict):
        raise NotBelieved("about something else")
    if "nonce" in claims:
        raise NotBelieved("an id_token in disguise")
    identifier = claims.get("jti")
    if not isinstance(identifier, str) or not 0 < len(identifier) <= IDENTIFIER_LIMIT:
        raise NotBelieved("without an identifier")
    if not identifier.isascii() or not identifier.isprintable():
        raise NotBelieved("without a readable identifier")
    sid = id_in(claims, "sid") if "sid" in claims else None
    official_id = id_in(claims, "sub") if "sub" in claims else None
    if sid is None and official_id is None:
        raise NotBelieved("about nobody")
    forget_at = datetime.fromtimestamp(made + OLD_SECONDS + CLOCK_SECONDS, UTC)
    return Left(identifier, sid, official_id, forget_at)
