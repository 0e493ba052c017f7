"""Use case: a process needs the keys that tokens are signed with."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, get_args

from joserfc.jwk import ECKey, RSAKey
from sqlalchemy.ext.asyncio import AsyncSession

from services.members.model.signing_key import SigningKey, SigningKeyAlgorithm
from services.members.queries.signing_keys import keys_in_use, wait_for_turn
from shared.sealing import Seals

ALGORITHMS: Final[tuple[SigningKeyAlgorithm, ...]] = get_args(SigningKeyAlgorithm)
RSA_BITS: Final = 2048


@dataclass(frozen=True, slots=True)
class SigningKeys:
    """The private keys that sign, and every key that others may meet, newest first."""

    signing: ECKey
    """Signs access tokens, with ES256."""
    identity: RSAKey
    """Signs id_tokens, with RS256."""
    published: tuple[ECKey | RSAKey, ...]

    def document(self) -> dict[str, Any]:
        """The public keys as a JWK set. Source: RFC 7517."""
        return {"keys": [dict(key.as_dict(private=False)) for key in self.published]}


async def read_signing_keys(session: AsyncSession, *, seals: Seals, now: datetime) -> SigningKeys:
    """Read the keys in use; the first ones ever are made by whoever needs them first.

    Raises:
        CannotOpen: a key was sealed with a master key that we do not have.
    """
    rows = await keys_in_use(session)
    if _missing(rows):
        await wait_for_turn(session)
        rows = await keys_in_use(session)
    made = [new_signing_key(seals, now, algorithm) for algorithm in _missing(rows)]
    session.add_all(made)
    rows = [*made, *rows]
    keys = {row.id: _opened(row, seals) for row in rows}
    signing, identity = (keys[_signer(rows, algorithm, now).id] for algorithm in ALGORITHMS)
    if not isinstance(signing, ECKey) or not isinstance(identity, RSAKey):
        raise TypeError("a signing key is not of the kind that its row says")
    return SigningKeys(signing, identity, tuple(keys.values()))


def new_signing_key(
    seals: Seals, now: datetime, algorithm: SigningKeyAlgorithm = "ES256"
) -> SigningKey:
    """Make a key, named by its thumbprint. Source: RFC 7638."""
    key: ECKey | RSAKey
    key = ECKey.generate_key("P-256") if algorithm == "ES256" else RSAKey.generate_key(RSA_BITS)
    key_id = key.thumbprint()
    private = key.as_dict(private=True) | {"kid": key_id, "use": "sig", "alg": algorithm}
    return SigningKey(
        id=key_id,
        sealed_key=seals.seal(json.dumps(private).encode(), place=SigningKey.place(key_id)),
        algorithm=algorithm,
        status="active",
        created_at=now,
    )


def _missing(rows: Sequence[SigningKey]) -> list[SigningKeyAlgorithm]:
    """Algorithms that no key signs with."""
    return [algorithm for algorithm in ALGORITHMS if not _active(rows, algorithm)]


def _signer(
    rows: Sequence[SigningKey], algorithm: SigningKeyAlgorithm, now: datetime
) -> SigningKey:
    """The newest key whose time has come; one that is the only one need not wait."""
    active = _active(rows, algorithm)
    return next((row for row in active if row.signs_since <= now), active[-1])


def _active(rows: Sequence[SigningKey], algorithm: SigningKeyAlgorithm) -> list[SigningKey]:
    return [row for row in rows if row.status == "active" and row.algorithm == algorithm]


def _opened(row: SigningKey, seals: Seals) -> ECKey | RSAKey:
    private = json.loads(seals.open(row.sealed_key, place=SigningKey.place(row.id)))
    return ECKey.import_key(private) if row.algorithm == "ES256" else RSAKey.import_key(private)
