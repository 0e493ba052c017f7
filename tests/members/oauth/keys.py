"""Clients with keys of their own: assertions and DPoP proofs."""

import json
import time
from base64 import urlsafe_b64encode
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

from shared.http.dpop import hash_of_token
from tests.members.oauth.browsing import fresh
from tests.web import ISSUER

ASSERTION: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
EC: Final = ECKey.generate_key("P-256")
RSA: Final = RSAKey.generate_key(2048)
TOKEN: Final = f"{ISSUER}/oauth/token"


def public(key: ECKey | RSAKey, algorithm: str) -> dict[str, Any]:
    return {**key.as_dict(private=False), "kid": key.thumbprint(), "use": "sig", "alg": algorithm}


KEYS: Final = {"keys": [public(EC, "ES256"), public(RSA, "RS256")]}


def assertion(
    client_id: str,
    *,
    key: ECKey | RSAKey = EC,
    header: dict[str, Any] | None = None,
    **claims: Any,
) -> dict[str, str]:
    """What a client with keys adds to a form."""
    now = int(time.time())
    said = {
        "iss": client_id,
        "sub": client_id,
        "aud": ISSUER,
        "iat": now,
        "exp": now + 60,
        "jti": fresh(),
    } | claims
    algorithm = "ES256" if isinstance(key, ECKey) else "RS256"
    signed = jwt.encode(
        {"alg": algorithm} | (header or {}),
        {name: value for name, value in said.items() if value is not None},
        key,
        algorithms=["ES256", "RS256", "ES384", "HS256"],
    )
    return {"client_assertion_type": ASSERTION, "client_assertion": signed}


def proof(
    uri: str = TOKEN,
    *,
    key: ECKey = EC,
    method: str = "POST",
    token: str | None = None,
    header: dict[str, Any] | None = None,
    **claims: Any,
) -> str:
    """A DPoP proof for one request."""
    said = {"jti": fresh(), "htm": method, "htu": uri, "iat": int(time.time())}
    if token is not None:
        said["ath"] = hash_of_token(token)
    heading = {"typ": "dpop+jwt", "alg": "ES256", "jwk": key.as_dict(private=False)}
    said = {name: value for name, value in (said | claims).items() if value is not None}
    return by_hand(heading | (header or {}), said, key)


def by_hand(header: dict[str, Any], claims: dict[str, Any], key: ECKey) -> str:
    """Sign what a library would not."""
    signing = ".".join(encoded(json.dumps(part).encode()) for part in (header, claims))
    signature = key.get_op_key("sign").sign(signing.encode(), ECDSA(SHA256()))
    r, s = decode_dss_signature(signature)
    return f"{signing}.{encoded(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"


def encoded(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()
