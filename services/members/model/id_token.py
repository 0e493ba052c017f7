"""When we believe a token that a provider has signed.

Source: OpenID Connect Core 1.0, section 3.1.3.7.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final, Protocol, get_args

from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import BadSignatureError, InvalidKeyIdError, JoseError
from joserfc.jwk import Key, KeySet
from joserfc.jws import JWSRegistry

from services.members.model.identity_provider import IdentityProvider, SigningAlgorithm

Metadata = Mapping[str, Any]

ALGORITHMS: Final = get_args(SigningAlgorithm)
LEEWAY: Final = timedelta(seconds=60)
"""How far clocks may differ."""
KEYS_LIMIT: Final = 20


class LoginRefused(Exception):
    """What the provider says is not to be believed; `code` names why."""

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(f"{code} {detail}".strip())
        self.code = code
        self.detail = detail


class ReadKeys(Protocol):
    """Gives the provider's JWK set; `anew` asks for it again, as far as that is allowed."""

    async def __call__(self, *, anew: bool = False) -> Any: ...


def algorithms_of(provider: IdentityProvider, metadata: Metadata) -> list[str]:
    """Name what the id_token may be signed with: what we, the member and the provider allow.

    Raises:
        LoginRefused: that is nothing.
    """
    offered = metadata.get("id_token_signing_alg_values_supported") or ["RS256"]
    known = [name for name in provider.algorithms if name in ALGORITHMS]
    found = [name for name in known if name in offered] if isinstance(offered, list) else []
    if not found:
        raise LoginRefused("no-common-algorithm", str(offered)[:200])
    return found


async def claims_of(
    provider: IdentityProvider,
    metadata: Metadata,
    token: str,
    *,
    keys: ReadKeys,
    now: datetime,
) -> dict[str, Any]:
    """Read an id_token that this provider signed for us. Source: OpenID Connect Core, 3.1.3.7.

    Raises:
        LoginRefused: it did not, or what it says is impossible.
    """
    try:
        decoded = await signed_by(provider, metadata, token, keys=keys)
        options = {
            "iss": {"essential": True, "value": provider.issuer},
            "aud": {"essential": True, "value": provider.client_id},
        }
        claims = CodeIDToken(
            decoded.claims, decoded.header, options, {"client_id": provider.client_id}
        )
        claims.validate(now=int(now.timestamp()), leeway=int(LEEWAY.total_seconds()))
    except (JoseError, ValueError, TypeError, KeyError, AttributeError) as error:
        # A word of the library, such as `ExceededSizeError`: it helps who looks into a test login.
        raise LoginRefused("id-token-not-valid", type(error).__name__) from error
    return dict(claims)


async def signed_by(
    provider: IdentityProvider, metadata: Metadata, token: str, *, keys: ReadKeys
) -> jwt.Token:
    """Check a signature, with keys that are read anew if those we know do not fit.

    Raises:
        JoseError, ValueError, TypeError, KeyError: it is not the provider's.
    """
    registry = JWSRegistry(algorithms=algorithms_of(provider, metadata), strict_check_header=False)
    try:
        return _decoded(token, await keys(), registry)
    except (BadSignatureError, InvalidKeyIdError):
        # Some write no key id, so that a new key shows as a wrong signature only.
        return _decoded(token, await keys(anew=True), registry)


def _decoded(token: str, document: Any, registry: JWSRegistry) -> jwt.Token:
    given = document["keys"][:KEYS_LIMIT] if isinstance(document, dict) else []
    usable = KeySet.import_key_set({"keys": [key for key in given if _is_public(key)]})
    try:
        return jwt.decode(token, usable, registry=registry)
    except InvalidKeyIdError:
        if any(key.kid is not None for key in usable.keys) and _names_key(token):
            raise
    return _decoded_with_any(token, usable.keys, registry)


def _decoded_with_any(token: str, keys: list[Key], registry: JWSRegistry) -> jwt.Token:
    for key in keys:
        try:
            return jwt.decode(token, key, registry=registry)
        except JoseError:
            continue
    raise BadSignatureError


def _names_key(token: str) -> bool:
    from joserfc.jws import extract_compact  # noqa: PLC0415

    return "kid" in extract_compact(token.encode()).headers()


def _is_public(key: Any) -> bool:
    is_key = isinstance(key, dict) and key.get("kty") in ("RSA", "EC", "OKP")
    return is_key and "d" not in key and key.get("use", "sig") == "sig"
