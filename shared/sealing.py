"""Secrets at rest: what we must be able to read again, such as signing keys, lies encrypted.

AES-256-GCM. Additional data binds a ciphertext to its place (table, column, row), so that swapping
rows in the database yields nothing that opens. Keys are listed newest first: the first one seals,
all of them open; that is how keys are rotated without a moment of darkness.
"""

import os
from base64 import b64decode, urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NotBase64
from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_BYTES: Final = 32
NONCE_BYTES: Final = 12


class CannotOpen(Exception):
    """The ciphertext was made with a key that we do not have, for another place, or is damaged."""


@dataclass(frozen=True)
class Seals:
    """The keys of one installation, newest first."""

    keys: tuple[tuple[str, AESGCM], ...]

    @classmethod
    def read(cls, text: str) -> "Seals":
        """Read keys written as `id:base64,id:base64`, newest first.

        Raises:
            ValueError: there is no key, one is not 32 bytes of base64, or two have one name.
        """
        keys: list[tuple[str, AESGCM]] = []
        for entry in filter(None, text.split(",")):
            name, _, encoded = entry.strip().partition(":")
            try:
                key = b64decode(encoded, validate=True)
            except NotBase64 as error:
                raise ValueError(f"key {name!r} is not base64") from error
            if not name or "." in name or len(key) != KEY_BYTES:
                raise ValueError(f"key {name!r} is not {KEY_BYTES} bytes with a name without dots")
            if name in dict(keys):
                raise ValueError(f"key {name!r} is given twice")
            keys.append((name, AESGCM(key)))
        if not keys:
            raise ValueError("at least one key is needed")
        return cls(tuple(keys))

    def seal(self, secret: bytes, *, place: str) -> str:
        """Encrypt with the newest key. `place` names table, column and row."""
        name, key = self.keys[0]
        nonce = os.urandom(NONCE_BYTES)
        sealed = nonce + key.encrypt(nonce, secret, place.encode())
        return f"v1.{name}.{urlsafe_b64encode(sealed).decode()}"

    def open(self, sealed: str, *, place: str) -> bytes:
        """Decrypt what `seal` made for the same place.

        Raises:
            CannotOpen: unknown key, other place, or damaged.
        """
        try:
            version, name, encoded = sealed.split(".")
            data = urlsafe_b64decode(encoded)
            key = dict(self.keys)[name] if version == "v1" else None
            if key is None:
                raise CannotOpen(f"unknown format {version!r}")
            return key.decrypt(data[:NONCE_BYTES], data[NONCE_BYTES:], place.encode())
        except (ValueError, KeyError, InvalidTag) as error:
            raise CannotOpen(f"cannot open the secret of {place}") from error
