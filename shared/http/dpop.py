"""Proofs that whoever sends a token has its key. Source: RFC 9449."""

import json
import re
import time
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey
from joserfc.jws import JWSRegistry

ALGORITHMS: Final = ["ES256"]
PROOF_LIMIT: Final = 4_000
CLOCK_SECONDS: Final = 60
"""How far the clock of whoever sends a proof may be off."""
GOOD_SECONDS: Final = 2 * CLOCK_SECONDS
"""How long an identifier must be remembered, so that no proof is taken twice."""
IDENTIFIER: Final = re.compile(r"[\x21-\x7e]{1,200}")
UNREADABLE: Final = (
    JoseError,
    KeyError,
    ValueError,
    TypeError,
    AttributeError,
    OverflowError,
    RecursionError,
)
REGISTRY: Final = JWSRegistry(algorithms=ALGORITHMS, strict_check_header=False)


class WrongProof(Exception):
    """The proof is not one for this request."""


@dataclass(frozen=True, slots=True)
class Proof:
    """A proof that was right for its request; that it is new is for the caller to see to."""

    thumbprint: str
    """Of the key. Source: RFC 7638."""
    identifier: str


def read_proof(
    headers: Sequence[str], *, method: str, uri: str, token: str | None = None
) -> Proof | None:
    """Read the proof in the `DPoP` headers of a request.

    Args:
        headers: all that were sent.
        method: of the request.
        uri: its address as the outside knows it, without query.
        token: the access token that the proof must be about, where there is one.

    Returns:
        The proof; nothing if none was sent.

    Raises:
        WrongProof: it cannot be read, or is for something else.
    """
    if not headers:
        return None
    if len(headers) > 1 or len(headers[0]) > PROOF_LIMIT or not headers[0].isascii():
        raise WrongProof("There must be one proof of moderate size.")
    try:
        header = jws.extract_compact(headers[0].encode()).headers()
        public = header["jwk"]
        if header.get("typ") != "dpop+jwt" or public["kty"] != "EC" or "d" in public:
            raise WrongProof("It is no proof with a public key.")
        key = ECKey.import_key(public)
        opened = jws.deserialize_compact(headers[0], key, registry=REGISTRY)
        claims: Any = json.loads(opened.payload)
        _ensure_right(claims, method, uri, token)
        return Proof(key.thumbprint(), claims["jti"])
    except UNREADABLE as error:
        raise WrongProof("It cannot be read.") from error


def hash_of_token(token: str) -> str:
    """What a proof names an access token by. Source: RFC 9449, section 4.2."""
    return urlsafe_b64encode(sha256(token.encode()).digest()).rstrip(b"=").decode()


def _ensure_right(claims: dict[str, Any], method: str, uri: str, token: str | None) -> None:
    if not (isinstance(claims["jti"], str) and IDENTIFIER.fullmatch(claims["jti"])):
        raise WrongProof("It has no identifier.")
    if claims["htm"] != method or re.split(r"[?#]", claims["htu"])[0] != uri:
        raise WrongProof("It is for another request.")
    if isinstance(claims["iat"], bool) or not abs(time.time() - claims["iat"]) < CLOCK_SECONDS:
        raise WrongProof("It is not fresh.")
    if token is not None and claims["ath"] != hash_of_token(token):
        raise WrongProof("It is about another token.")
