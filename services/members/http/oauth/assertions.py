"""How a client proves who it is with a key of its own. Source: RFC 7523, section 3.

Of the audiences that the standard knows we take the issuer alone: an assertion for somebody else's
token endpoint that claims to be ours could otherwise be used against us.
"""

import json
import re
from datetime import UTC, datetime
from typing import Any, Final

from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey
from joserfc.jws import JWSRegistry

from services.members.http.oauth.errors import WrongCredentials
from services.members.model.client import Client

ALGORITHMS: Final = ["ES256", "RS256"]
REGISTRY: Final = JWSRegistry(algorithms=ALGORITHMS)
ASSERTION_LIMIT: Final = 8_000
CLOCK_SECONDS: Final = 30
LONGEST_SECONDS: Final = 3_600
"""What clients in use give an assertion at most; it must be remembered for so long."""
NAME: Final = re.compile(r"[\x21-\x7e]{1,200}")
UNREADABLE: Final = (JoseError, ValueError, TypeError, KeyError, AttributeError, RecursionError)


def client_named_in(assertion: str) -> str:
    """Read whose assertion this claims to be; nothing of it is proved yet.

    Raises:
        WrongCredentials: it cannot be read.
    """
    if len(assertion) > ASSERTION_LIMIT:
        raise WrongCredentials
    try:
        subject = json.loads(jws.extract_compact(assertion.encode()).payload)["sub"]
    except UNREADABLE as error:
        raise WrongCredentials from error
    if not isinstance(subject, str) or not NAME.fullmatch(subject):
        raise WrongCredentials
    return subject


def check_assertion(
    assertion: str, client: Client, *, issuer: str, now: datetime
) -> tuple[str, datetime]:
    """Check that a client signed an assertion, for us and for now.

    Returns:
        The identifier, which must not come again, and until when that matters.

    Raises:
        WrongCredentials: it did not.
    """
    claims = _claims(assertion, client)
    expires, identifier = claims.get("exp"), claims.get("jti")
    if (
        claims.get("iss") != client.id
        or claims.get("sub") != client.id
        or claims.get("aud") not in (issuer, [issuer])
        or not isinstance(identifier, str)
        or not NAME.fullmatch(identifier)
        or isinstance(expires, bool)
        or not isinstance(expires, int | float)
    ):
        raise WrongCredentials
    seconds = expires - now.timestamp() if abs(expires) < ENDLESS else ENDLESS
    if not -CLOCK_SECONDS < seconds < LONGEST_SECONDS + CLOCK_SECONDS:
        raise WrongCredentials
    return identifier, datetime.fromtimestamp(expires + CLOCK_SECONDS, UTC)


ENDLESS: Final = 1e12


def _claims(assertion: str, client: Client) -> dict[str, Any]:
    """Find the key of the client that an assertion is signed with, and what it says."""
    try:
        named = jws.extract_compact(assertion.encode()).headers().get("kid")
    except UNREADABLE as error:
        raise WrongCredentials from error
    for document in (client.keys or {"keys": []})["keys"]:
        if named is not None and named != document["kid"]:
            continue
        key = ECKey if document["kty"] == "EC" else RSAKey
        try:
            token = jwt.decode(assertion, key.import_key(document), registry=REGISTRY)
            return dict(token.claims)
        except UNREADABLE:
            continue
    raise WrongCredentials
