"""What must be said of a member, an official or a client; the same for API and operators."""

import re
from typing import Annotated, Any, Final
from urllib.parse import urlsplit

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, KeySet, RSAKey
from pydantic import AfterValidator, Field, StringConstraints

from services.members.model.official import ROLES
from services.members.model.scopes import SCOPES, Scope
from shared.contracts.members import ClientAuthentication, ClientKind, MemberKind, Role
from shared.fields import (
    Country,
    Degrees,
    Email,
    Flag,
    Input,
    LanguageTag,
    Line,
    Lines,
    Slug,
    ZoneName,
)

LOOPBACK: Final = ("127.0.0.1", "::1", "localhost")
ADDRESS: Final = re.compile(r"[A-Za-z0-9._~:/?@!$&'()*+,;=%\[\]-]+")
KEYS_LIMIT: Final = 10
KEY_ID: Final = re.compile(r"[\x20-\x7e]{1,200}")
RSA_DIGITS: Final = range(342, 684)
"""Of a modulus of 2048 to 4096 bits in base64."""
RSA_E_DIGITS: Final = 6

Latitude = Annotated[Degrees, Field(ge=-90, le=90)]
Longitude = Annotated[Degrees, Field(ge=-180, le=180)]


def _ordered_roles(roles: tuple[Role, ...]) -> tuple[Role, ...]:
    return tuple(role for role in ROLES if role in roles)


def _ordered_scopes(scopes: tuple[Scope, ...]) -> tuple[Scope, ...]:
    return tuple(scope for scope in SCOPES if scope in scopes)


def _exact_address(address: str) -> str:
    """Take only an address that a browser can be sent to safely. Source: RFC 9700, section 2.1."""
    if not ADDRESS.fullmatch(address):
        raise ValueError("has characters that an address cannot have, or a fragment")
    parts = urlsplit(address)
    if parts.port == 0 or not parts.hostname or "@" in parts.netloc:
        raise ValueError("must name a host, and no user")
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in LOOPBACK):
        raise ValueError("must begin with https://, or with http:// on the person's own machine")
    return address


def _distinct(addresses: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(addresses)) != len(addresses):
        raise ValueError("names one address twice")
    return addresses


def _public_keys(document: dict[str, Any]) -> dict[str, Any]:
    """Take a JWK set of public keys that sign, as RFC 7517 writes them."""
    try:
        for given in document["keys"]:
            _ensure_usual_size(given)
        keys = KeySet.import_key_set(document).keys  # type: ignore[arg-type]
        told = [_public_key(key) for key in keys]
    except (JoseError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise ValueError("is no JWK set of public keys for ES256 or RS256") from error
    names = [key["kid"] for key in told]
    if not 1 <= len(told) <= KEYS_LIMIT or len(set(names)) != len(names):
        raise ValueError(f"needs 1 to {KEYS_LIMIT} keys, each with a `kid` of its own")
    return {"keys": told}


def _ensure_usual_size(key: dict[str, Any]) -> None:
    """Refuse RSA keys that can be broken, or that take us long to check a signature with."""
    if key["kty"] == "RSA" and not (len(key["n"]) in RSA_DIGITS and len(key["e"]) <= RSA_E_DIGITS):
        raise ValueError("too small or too large")


def _public_key(key: Any) -> dict[str, Any]:
    document = dict(key.as_dict())
    if key.is_private or document.get("use", "sig") != "sig":
        raise ValueError("private, or not for signatures")
    if isinstance(key, ECKey) and key.curve_name == "P-256":
        algorithm, members = "ES256", ["kty", "crv", "x", "y"]
    elif isinstance(key, RSAKey):
        algorithm, members = "RS256", ["kty", "n", "e"]
    else:
        raise ValueError("of another kind")
    if document.get("alg", algorithm) != algorithm:
        raise ValueError("for another algorithm")
    key_id = document.get("kid") or key.thumbprint()
    if not isinstance(key_id, str) or not KEY_ID.fullmatch(key_id):
        raise ValueError("named oddly")
    named = {"kid": key_id, "use": "sig", "alg": algorithm}
    return {name: document[name] for name in members} | named


Roles = Annotated[
    tuple[Role, ...], Field(min_length=1, max_length=len(ROLES)), AfterValidator(_ordered_roles)
]
Scopes = Annotated[
    tuple[Scope, ...], Field(min_length=1, max_length=len(SCOPES)), AfterValidator(_ordered_scopes)
]

Address = Annotated[str, Field(max_length=500), AfterValidator(_exact_address)]
"""Where a browser is sent back to; compared letter by letter."""

Addresses = Annotated[tuple[Address, ...], Field(max_length=20), AfterValidator(_distinct)]
PublicKeys = Annotated[
    dict[str, Any],
    Field(description="Public keys as a JWK set (RFC 7517), for ES256 or RS256."),
    AfterValidator(_public_keys),
]


Subdivision = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Z0-9]{1,3}$"),
    Field(
        description="ISO 3166-2 without the country, such as `NSW`, where public holidays differ."
    ),
]


class MemberFields(Input):
    """An organisation, as it enters the network."""

    slug: Slug
    kind: MemberKind
    name: Lines
    local_name: Line | None = None
    country: Country
    subdivision: Subdivision | None = None
    time_zone: ZoneName
    latitude: Latitude
    longitude: Longitude


class OfficialFields(Input):
    """A person, as it begins to act for a member."""

    function: Lines
    name: Line | None = None
    email: Email | None = None
    language: LanguageTag
    roles: Roles


class ClientFields(Input):
    """A machine of a member, or an application that people use."""

    name: Line
    scopes: Scopes
    kind: ClientKind = "machine"
    authentication: ClientAuthentication = "client_secret"
    keys: PublicKeys | None = None
    redirect_uris: Addresses = ()
    post_logout_redirect_uris: Addresses = ()
    backchannel_logout_uri: Address | None = None
    serves_network: Flag = False
    requires_dpop: Flag = False
