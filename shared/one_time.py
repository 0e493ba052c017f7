"""Secrets that we give out and know again, without keeping them."""

import hashlib
import secrets
from typing import Final

SECRET_BYTES: Final = 32


def new_one_time_secret(prefix: str = "") -> str:
    """Make 256 random bits that can stand in an address or a header."""
    return prefix + secrets.token_urlsafe(SECRET_BYTES)


def hash_of(secret: str) -> str:
    """What is kept in place of a secret. It cannot be guessed, so no slow hash is needed."""
    return hashlib.sha256(secret.encode()).hexdigest()
