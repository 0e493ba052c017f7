"""Use case: a process needs the keys that access tokens are signed with."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from joserfc.jwk import ECKey
from sqlalchemy.ext.asyncio import AsyncSession

from services.members.model.signing_key import SigningKey
from services.members.queries.signing_keys import keys_in_use, wait_for_turn
from shared.sealing import Seals


@dataclass(frozen=True, slots=True)
class SigningKeys:
    """The private key that signs, and every key that others may meet, newest first."""

    signing: ECKey
    published: tuple[ECKey, ...]

    def document(self) -> dict[str, Any]:
        """The public keys as a JWK set. Source: RFC 7517."""
        return {"keys": [dict(key.as_dict(private=False)) for key in self.published]}


async def read_signing_keys(session: AsyncSession, *, seals: Seals, now: datetime) -> SigningKeys:
    """Read the keys in use; the first one ever is made by whoever needs it first.

    Raises:
        CannotOpen: a key was sealed with a master key that we do not have.
    """
    rows = await keys_in_use(session)
    if not _active(rows):
        await wait_for_turn(session)
        rows = await keys_in_use(session)
    if not _active(rows):
        rows = [new_signing_key(seals, now), *rows]
        session.add(rows[0])
    keys = {row.id: _opened(row, seals) for row in rows}
    return SigningKeys(keys[_active(rows)[0].id], tuple(keys.values()))


def new_signing_key(seals: Seals, now: datetime) -> SigningKey:
    """Make a key for ES256, named by its thumbprint. Source: RFC 7638."""
    key = ECKey.generate_key("P-256")
    key_id = key.thumbprint()
    private = key.as_dict(private=True) | {"kid": key_id, "use": "sig", "alg": "ES256"}
    return SigningKey(
        id=key_id,
        sealed_key=seals.seal(json.dumps(private).encode(), place=SigningKey.place(key_id)),
        status="active",
        created_at=now,
    )


def _active(rows: Sequence[SigningKey]) -> list[SigningKey]:
    return [row for row in rows if row.status == "active"]


def _opened(row: SigningKey, seals: Seals) -> ECKey:
    private = seals.open(row.sealed_key, place=SigningKey.place(row.id))
    return ECKey.import_key(json.loads(private))
