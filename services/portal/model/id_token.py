"""Who logged in. Source: OpenID Connect Core 1.0, section 3.1.3.7."""

from dataclasses import dataclass
from datetime import datetime
from hmac import compare_digest
from typing import Any, Final
from uuid import UUID

from services.portal.model.signed import (
    CLOCK_SECONDS,
    Keys,
    NotBelieved,
    claims_in,
    ensure_for,
    instant_in,
)

OLD_SECONDS: Final = 600
"""An id_token comes straight from the authorization server; this is what an answer may take."""


@dataclass(frozen=True, slots=True)
class Person:
    """Who logged in, and what the authorization server calls that."""

    official_id: UUID
    sid: UUID


def person_in(
    token: str,
    keys: Keys,
    *,
    issuer: str,
    client_id: str,
    nonce: str,
    max_age: str | None = None,
    acr_values: str | None = None,
    now: datetime,
) -> Person:
    """Read an id_token that was made for this login.

    Args:
        token: as it arrived.
        keys: of the authorization server.
        issuer: which that is.
        client_id: ours.
        nonce: of the login.
        max_age: how long ago, in seconds, the person may have proved who they are.
        acr_values: ways of which that must have been one, parted by spaces.
        now: when.

    Raises:
        NotBelieved: it was not.
    """
    claims = claims_in(token, keys, kind="jwt")
    ensure_for(claims, issuer=issuer, client_id=client_id)
    at = now.timestamp()
    if at >= instant_in(claims, "exp") + CLOCK_SECONDS:
        raise NotBelieved("expired")
    if not at - OLD_SECONDS <= instant_in(claims, "iat") <= at + CLOCK_SECONDS:
        raise NotBelieved("not made just now")
    given = claims.get("nonce")
    if not isinstance(given, str) or not compare_digest(given.encode(), nonce.encode()):
        raise NotBelieved("for another login")
    if max_age is not None and at > instant_in(claims, "auth_time") + int(max_age) + CLOCK_SECONDS:
        raise NotBelieved("logged in too long ago")
    if acr_values is not None and claims.get("acr") not in acr_values.split():
        raise NotBelieved("logged in in another way")
    return Person(official_id=id_in(claims, "sub"), sid=id_in(claims, "sid"))


def id_in(claims: dict[str, Any], name: str) -> UUID:
    """Read an id.

    Raises:
        NotBelieved: there is none.
    """
    try:
        return UUID(claims[name])
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise NotBelieved(f"{name} is no id") from error
