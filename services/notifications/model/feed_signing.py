"""The signed form of a digest. Source: RFC 7515 (compact serialisation), RFC 8037 (EdDSA)."""

import hashlib
from base64 import urlsafe_b64encode
from datetime import date
from typing import Any, Final
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic_core import to_json

TYPE: Final = "feed-digest+jws"
EMPTY: Final = hashlib.sha256(b"").hexdigest()


def signed_form(claims: dict[str, Any], *, key_id: UUID, private: bytes) -> str:
    """Sign what a digest says.

    Args:
        claims: what it says.
        key_id: names the key in the published set.
        private: the key, in its 32 bytes.
    """
    header = {"alg": "EdDSA", "typ": TYPE, "kid": str(key_id)}
    text = f"{_written(header)}.{_written(claims)}"
    signature = Ed25519PrivateKey.from_private_bytes(private).sign(text.encode())
    return f"{text}.{_base64(signature)}"


def claims_of(
    *,
    issuer: str,
    member: str,
    day: date,
    first_sequence: int,
    last_sequence: int,
    count: int,
    sha256: str,
    previous: str | None,
) -> dict[str, Any]:
    """Say what a feed got on a day.

    Args:
        issuer: address of the platform.
        member: whose feed.
        day: in UTC.
        first_sequence: the first of the day, or that would have been.
        last_sequence: the last of the day, or before it.
        count: how many there were.
        sha256: over `<sequence> <event id>` and a newline for each.
        previous: the digest of the day before in its signed form; nothing for the first one.
    """
    return {
        "iss": issuer,
        "sub": member,
        "day": day.isoformat(),
        "first_sequence": first_sequence,
        "last_sequence": last_sequence,
        "count": count,
        "sha256": sha256,
        "previous": None if previous is None else hashlib.sha256(previous.encode()).hexdigest(),
    }


def _written(document: dict[str, Any]) -> str:
    return _base64(to_json(document))


def _base64(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()
