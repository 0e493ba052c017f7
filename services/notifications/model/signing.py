"""Signatures by which a receiver knows who sent it something. Source: Standard Webhooks 1.0.0.

Signed are id, timestamp and body, joined by full stops: by `v1` with a secret that both know
(HMAC-SHA256), by `v1a` with a key whose public half everybody may know (Ed25519). A receiver
accepts a message if one of its signatures is right, so that keys can change with an overlap.
"""

import os
from base64 import b64decode, b64encode, urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Literal, Protocol, Self
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from standardwebhooks import Webhook

SignatureKind = Literal["v1", "v1a"]

SECRET_PREFIX: Final = "whsec_"  # noqa: S105 -- the standard's prefix, not a secret
PUBLIC_KEY_PREFIX: Final = "whpk_"
SECRET_BYTES: Final = 32


class SigningKey(Protocol):
    """One that signs what an endpoint gets."""

    def sign(self, message: str, moment: datetime, body: bytes) -> str:
        """Make a signature, with its version: `v1,…`; `moment` in UTC."""


@dataclass(frozen=True, slots=True)
class SharedSecret:
    """Signs by `v1`."""

    webhook: Webhook

    @classmethod
    def of(cls, secret: bytes) -> Self:
        return cls(Webhook(secret))

    def sign(self, message: str, moment: datetime, body: bytes) -> str:
        return self.webhook.sign(message, moment, body.decode())


@dataclass(frozen=True, slots=True)
class PrivateKey:
    """Signs by `v1a`."""

    key: Ed25519PrivateKey

    @classmethod
    def of(cls, private: bytes) -> Self:
        return cls(Ed25519PrivateKey.from_private_bytes(private))

    def sign(self, message: str, moment: datetime, body: bytes) -> str:
        signature = self.key.sign(f"{message}.{int(moment.timestamp())}.".encode() + body)
        return f"v1a,{b64encode(signature).decode()}"


def signing_key(kind: SignatureKind, secret: bytes) -> SigningKey:
    return SharedSecret.of(secret) if kind == "v1" else PrivateKey.of(secret)


def signed_headers(
    keys: Sequence[SigningKey], message: str, body: bytes, *, now: datetime
) -> dict[str, str]:
    """Headers that let the receiver check who sent this, and when."""
    moment = now.astimezone(UTC)
    return {
        "webhook-id": message,
        "webhook-timestamp": str(int(moment.timestamp())),
        "webhook-signature": " ".join(key.sign(message, moment, body) for key in keys),
    }


def new_secret() -> bytes:
    """A secret for `v1`, or a private key for `v1a`: both are 32 random bytes."""
    return os.urandom(SECRET_BYTES)


def public_half(private: bytes) -> bytes:
    """The public key that belongs to a private one, in its 32 bytes. Source: RFC 8032."""
    return Ed25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()


def written_secret(secret: bytes) -> str:
    """The form in which the receiver gets it: `whsec_…`."""
    return SECRET_PREFIX + b64encode(secret).decode()


def read_secret(written: str) -> bytes:
    return b64decode(written.removeprefix(SECRET_PREFIX))


def written_public_key(public: bytes) -> str:
    """The standard's form of a public key: `whpk_…`."""
    return PUBLIC_KEY_PREFIX + b64encode(public).decode()


def public_jwk(key_id: UUID, public: bytes) -> dict[str, str]:
    """A public key as a JSON Web Key. Source: RFC 8037."""
    return {
        "kty": "OKP",
        "crv": "Ed25519",
        "alg": "EdDSA",
        "use": "sig",
        "kid": str(key_id),
        "x": urlsafe_b64encode(public).rstrip(b"=").decode(),
    }
