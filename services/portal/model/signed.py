"""When we believe a token that the authorization server has signed."""

from typing import Any, Final

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet, RSAKey
from joserfc.jws import JWSRegistry, extract_compact

REGISTRY: Final = JWSRegistry(algorithms=["RS256"])
TOKEN_LIMIT: Final = 16_000
KEYS_LIMIT: Final = 20
CLOCK_SECONDS: Final = 60
"""How far clocks may differ."""
YEAR_10000: Final = 253_402_300_800

Keys = dict[str, RSAKey]
"""Public keys by their ids."""


class NotBelieved(Exception):
    """What arrived is not the authorization server's, or not for us, or not for now."""


class UnknownKey(NotBelieved):
    """It names a key that we do not know, or not yet."""


def keys_in(document: Any) -> Keys:
    """Read those of the published keys that sign what we read; private ones are none of them."""
    found = document.get("keys") if isinstance(document, dict) else None
    keys: Keys = {}
    for key in found[:KEYS_LIMIT] if isinstance(found, list) else []:
        if not isinstance(key, dict) or key.get("kty") != "RSA" or "d" in key:
            continue
        if key.get("use", "sig") != "sig" or not isinstance(key.get("kid"), str):
            continue
        try:
            keys[key["kid"]] = RSAKey.import_key(key)
        except (JoseError, ValueError, TypeError, KeyError):
            continue
    return keys


def claims_in(token: str, keys: Keys, *, kind: str) -> dict[str, Any]:
    """Read what the authorization server has signed.

    Args:
        token: as it arrived.
        keys: of the authorization server.
        kind: `typ` that it must have; one kind of token never passes for another.

    Raises:
        UnknownKey: the keys may have changed since they were read.
        NotBelieved: it did not sign this.
    """
    if not 0 < len(token) <= TOKEN_LIMIT or not token.isascii():
        raise NotBelieved("too long, or not a token")
    try:
        decoded = jwt.decode(token, KeySet(list(keys.values())), registry=REGISTRY)
    except (JoseError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        named = _key_named_in(token)
        if named is not None and named not in keys:
            raise UnknownKey("signed with an unknown key") from error
        raise NotBelieved(type(error).__name__) from error
    header = decoded.header
    typ = str(header.get("typ", "")).lower().removeprefix("application/")
    if typ != kind or header.get("kid") not in keys:
        raise NotBelieved("of another kind, or without the name of its key")
    return dict(decoded.claims)


def ensure_for(claims: dict[str, Any], *, issuer: str, client_id: str) -> None:
    """Refuse what another server says, or what it says to another client.

    Raises:
        NotBelieved: it does.
    """
    if claims.get("iss") != issuer:
        raise NotBelieved("of another issuer")
    if claims.get("aud") not in (client_id, [client_id]):
        raise NotBelieved("for another audience")
    if claims.get("azp", client_id) != client_id:
        raise NotBelieved("for another party")


def instant_in(claims: dict[str, Any], name: str) -> float:
    """Read an instant, in seconds since 1970.

    Raises:
        NotBelieved: there is none.
    """
    value = claims.get(name)
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not 0 <= float(value or 0) < YEAR_10000:
        raise NotBelieved(f"{name} is no instant")
    return float(value or 0)


def _key_named_in(token: str) -> str | None:

    try:
        named = extract_compact(token.encode()).headers().get("kid")
    except (JoseError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None
    return named if isinstance(named, str) else None
