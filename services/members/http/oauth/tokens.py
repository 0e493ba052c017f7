"""Reads tokens that this server has issued, as good as they are now."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, KeySet
from joserfc.jws import JWSRegistry
from sqlalchemy.orm import Session

from services.members.model.client import Client
from services.members.queries.clients import client_with_member
from services.members.queries.token_families import Holder, holder_of, refresh_token_with
from services.members.use_cases.read_signing_keys import SigningKeys
from shared.one_time import hash_of

REGISTRY: Final = JWSRegistry(algorithms=["ES256"])
TOKEN_LIMIT: Final = 8_000


@dataclass(frozen=True, slots=True)
class OwnToken:
    """An access token of ours that has not expired."""

    claims: dict[str, Any]

    @property
    def client_id(self) -> str:
        return str(self.claims["client_id"])

    @property
    def family_id(self) -> UUID | None:
        """The session that it belongs to; a machine's token belongs to none."""
        return UUID(self.claims["sid"]) if "sid" in self.claims else None

    @property
    def scopes(self) -> tuple[str, ...]:
        return tuple(str(self.claims["scope"]).split())

    @property
    def thumbprint(self) -> str | None:
        """Of the key that it is bound to."""
        bound = self.claims.get("cnf")
        return None if bound is None else str(bound["jkt"])


@dataclass(frozen=True, slots=True)
class OwnTokens:
    """Knows the access tokens that this server has issued."""

    keys: SigningKeys
    issuer: str
    audience: str

    def read(self, token: str) -> OwnToken | None:
        """Read an access token; nothing if it is none of ours, or has expired."""
        if len(token) > TOKEN_LIMIT or not token.isascii():
            return None
        published = KeySet([key for key in self.keys.published if isinstance(key, ECKey)])
        required = jwt.JWTClaimsRegistry(
            iss={"essential": True, "value": self.issuer},
            aud={"essential": True, "value": self.audience},
            exp={"essential": True},
        )
        try:
            decoded = jwt.decode(token, published, registry=REGISTRY)
            required.validate(decoded.claims)
        except (JoseError, ValueError, TypeError, KeyError, RecursionError):
            return None
        return OwnToken(dict(decoded.claims)) if decoded.header.get("typ") == "at+jwt" else None


def said_of(
    database: Session, tokens: OwnTokens, token: str, *, asker: Client, now: datetime
) -> dict[str, Any] | None:
    """What a client may learn of a token; nothing if it is not good or not for its eyes."""
    found = refresh_token_with(database, hash_of(token))
    if found is not None:
        link, family = found
        holder = holder_of(database, family.id)
        if link.used_at is not None or holder is None or not is_standing(holder, now):
            return None
        return _said_of_refresh(holder) if family.client_id == asker.id else None
    read = tokens.read(token)
    if read is None:
        return None
    known = client_with_member(database, read.client_id)
    if known is None or not known[0].may_have_tokens(known[1]):
        return None
    if asker.id != read.client_id and asker.member != read.claims["member"]:
        return None
    scopes = scopes_now(database, read, known[0], now=now)
    if scopes is None:
        return None
    return read.claims | {
        "scope": " ".join(scopes),
        "token_type": "Bearer" if read.thumbprint is None else "DPoP",
    }


def scopes_now(
    database: Session, read: OwnToken, client: Client, *, now: datetime
) -> tuple[str, ...] | None:
    """What an access token covers now; nothing if its session or its official may not act."""
    if read.family_id is None:
        return tuple(scope for scope in read.scopes if scope in client.scopes)
    holder = holder_of(database, read.family_id)
    if holder is None or not is_standing(holder, now):
        return None
    covered = holder.family.covered(client, holder.official, is_host=holder.member.is_host)
    return tuple(scope for scope in read.scopes if scope in covered)


def is_standing(holder: Holder, now: datetime) -> bool:
    """Tell whether a session still stands, with whoever holds it."""
    return (
        holder.family.is_good(now)
        and holder.official.status == "active"
        and holder.member.status != "withdrawn"
    )


def _said_of_refresh(holder: Holder) -> dict[str, Any]:
    family = holder.family
    return {
        "client_id": family.client_id,
        "sub": str(family.official_id),
        "member": family.member,
        "sid": str(family.id),
        "scope": " ".join(family.scopes),
        "exp": int(family.ends_at.timestamp()),
    }
