"""When we believe a provider that somebody has left it.

Source: OpenID Connect Back-Channel Logout 1.0, sections 2.4 and 2.6.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from joserfc.errors import JoseError

from services.members.model.id_token import (
    LEEWAY,
    LoginRefused,
    Metadata,
    ReadKeys,
    signed_by,
)
from services.members.model.identity_provider import IdentityProvider

EVENT: Final = "http://schemas.openid.net/event/backchannel-logout"
TYPES: Final = ("logout+jwt", "jwt")
GOOD_FOR: Final = timedelta(minutes=5)
"""How old such a token may be, whatever it says itself."""
WORD_LIMIT: Final = 255


@dataclass(frozen=True, slots=True)
class Left:
    """Who left: a session of the provider, or a person in all of them."""

    session_id: str | None
    subject: str | None = field(repr=False)
    identifier: str
    """Of the token, which counts once."""


async def who_left(
    provider: IdentityProvider, metadata: Metadata, token: str, *, keys: ReadKeys, now: datetime
) -> Left:
    """Read a logout token.

    Raises:
        LoginRefused: it is none of this provider's for us, or not good any more.
    """
    try:
        decoded = await signed_by(provider, metadata, token, keys=keys)
    except (JoseError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise LoginRefused("logout-token-not-valid", type(error).__name__) from error
    claims: dict[str, Any] = decoded.claims
    kind = str(decoded.header.get("typ", "jwt")).lower().removeprefix("application/")
    events, audience = claims.get("events"), claims.get("aud")
    is_for_us = audience == provider.client_id or (
        isinstance(audience, list) and provider.client_id in audience
    )
    if (
        kind not in TYPES
        or claims.get("iss") != provider.issuer
        or not is_for_us
        or not isinstance(events, dict)
        or EVENT not in events
        or "nonce" in claims
        or not _is_recent(claims, now)
    ):
        raise LoginRefused("logout-token-not-valid")
    left = Left(_word(claims.get("sid")), _word(claims.get("sub")), _word(claims.get("jti")) or "")
    if not left.identifier or (left.session_id is None and left.subject is None):
        raise LoginRefused("logout-token-not-valid")
    return left


def _is_recent(claims: dict[str, Any], now: datetime) -> bool:
    instants = [claims.get("iat"), claims.get("exp", now.timestamp())]
    if not all(isinstance(at, int | float) and 0 <= at < 2**40 for at in instants):
        return False
    made, ends = (datetime.fromtimestamp(float(at or 0), UTC) for at in instants)
    return now - GOOD_FOR <= made <= now + LEEWAY and now - LEEWAY <= ends


def _word(value: Any) -> str | None:
    is_word = isinstance(value, str) and value.isprintable() and 0 < len(value) <= WORD_LIMIT
    return value if is_word else None
