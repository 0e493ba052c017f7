"""Who is asking, taken from the access token. Source: RFC 6750, RFC 9068.

A service knows of the authorization server only issuer, audience, key set and claim names, so that
another one can take its place.
"""

import asyncio
import hashlib
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Final, NoReturn
from uuid import UUID

import structlog
from fastapi import Depends, Request
from fastapi.security import HTTPBearer
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey
from joserfc.jws import JWSRegistry

from shared.actor import Actor
from shared.http.dpop import GOOD_SECONDS, Proof, WrongProof, read_proof
from shared.http.kept_keys import KeptKeys
from shared.refusals import Unauthenticated, Unavailable

log = structlog.get_logger(__name__)

TOKEN_LIMIT: Final = 8_000
ALGORITHMS: Final = ["ES256"]
REGISTRY: Final = JWSRegistry(algorithms=ALGORITHMS)
CACHE_SECONDS: Final = 30
CACHE_ENTRIES: Final = 10_000
KEYS_LIMIT: Final = 20
COOL_DOWN_SECONDS: Final = 10
FIRST_COOL_DOWN_SECONDS: Final = 1
YEAR_10000: Final = 253_402_300_800

FetchKeys = Callable[[], Any]


class KeysAway(Unavailable):
    code = "keys-unavailable"
    title = "The keys of the authorization server cannot be read at the moment"


class JsonWebKeys:
    """The authorization server's public keys, fetched once for all who wait.

    Known keys outlive an outage of the server, and are renewed behind the back of those who use
    them; an unknown key id leads to one fetch in `COOL_DOWN_SECONDS`, however many tokens carry
    one. A process that starts during an outage takes the keys that the service has kept. Keys that
    nobody has confirmed for too long are believed no longer: they may have been withdrawn.

    Args:
        fetch: reads the key set where it is published.
        lifetime_seconds: after this time keys are renewed.
        kept: where the service keeps them, if it does.
        believed_seconds: after this time they are good no longer without having been renewed.
    """

    def __init__(
        self,
        fetch: FetchKeys,
        *,
        lifetime_seconds: float,
        kept: KeptKeys | None = None,
        believed_seconds: float = math.inf,
    ) -> None:
        self._fetch = fetch
        self._lifetime = lifetime_seconds
        self._kept = kept
        self._believed = believed_seconds
        self._keys: dict[str, ECKey] = {}
        self._fetched_at = self._tried_at = -math.inf
        self._is_away = False
        self._task: asyncio.Task[None] | None = None
        self._keeping: asyncio.Task[None] | None = None

    async def key(self, key_id: str) -> Any:
        """Find the public key with this id.

        Raises:
            Unauthenticated: the authorization server has no such key.
            KeysAway: it cannot be asked, and this key is not among those that are believed.
        """
        now = time.monotonic()
        if now - self._fetched_at > self._believed:
            self._keys = {}
        pause = COOL_DOWN_SECONDS if self._keys else FIRST_COOL_DOWN_SECONDS
        rested = now - self._tried_at > pause
        if key_id in self._keys:
            if rested and now - self._fetched_at > self._lifetime:
                self._refresh()
        elif rested or self._is_fetching():
            await asyncio.shield(self._refresh())
        try:
            return self._keys[key_id]
        except KeyError:
            if self._is_away or not self._keys:
                raise KeysAway("The key of this access token is not known yet.") from None
            raise Unauthenticated("The access token is signed with an unknown key.") from None

    async def keep_fresh(self) -> NoReturn:
        """Renew the keys in time although nobody asks, so that an outage finds them fresh."""
        while True:
            # Not at once: where everything starts together, the server is not there yet.
            await asyncio.sleep(min(self._lifetime, COOL_DOWN_SECONDS))
            if time.monotonic() - self._fetched_at > self._lifetime - COOL_DOWN_SECONDS:
                await asyncio.shield(self._refresh())

    def _is_fetching(self) -> bool:
        return self._task is not None and not self._task.done()

    def _refresh(self) -> asyncio.Task[None]:
        # Everybody who arrives during a fetch waits for that fetch, not for one of their own.
        if self._task is None or self._task.done():
            self._tried_at = time.monotonic()
            self._task = asyncio.create_task(self._load())
        return self._task

    async def _load(self) -> None:
        try:
            found = _usable_keys(await self._fetch())
        except Exception as error:
            log.warning("keys.not_fetched", error=repr(error)[:300])
            self._is_away = True
            if not self._keys:
                await self._recall()
            return
        self._is_away = False
        self._keys, self._fetched_at = found, time.monotonic()
        if self._kept is not None and (self._keeping is None or self._keeping.done()):
            # Nobody waits for that; and who is away then finds what was kept before.
            self._keeping = asyncio.create_task(self._keep(self._kept, found))

    async def _keep(self, kept: KeptKeys, keys: dict[str, ECKey]) -> None:
        try:
            await kept.keep({"keys": [dict(key.as_dict(private=False)) for key in keys.values()]})
        except Exception as error:
            log.warning("keys.not_kept", error=repr(error)[:300])

    async def _recall(self) -> None:
        """Take what the service read before it started, if that is not too long ago."""
        if self._kept is None:
            return
        try:
            last = await self._kept.last()
            if last is None:
                return
            document, age = last
            if abs(age) <= self._believed:  # one from the future would be believed for too long
                self._keys, self._fetched_at = _usable_keys(document), time.monotonic() - abs(age)
                log.info("keys.recalled", seconds=round(age))
        except Exception as error:
            log.warning("keys.not_recalled", error=repr(error)[:300])


def _usable_keys(document: Any) -> dict[str, ECKey]:
    """Read a key set.

    Raises:
        ValueError: there is nothing in it that an access token could be checked with.
    """
    found = dict(filter(None, map(_usable_key, document["keys"][:KEYS_LIMIT])))
    if not found:
        raise ValueError("no usable key")
    return found


def _usable_key(document: Any) -> tuple[str, ECKey] | None:
    """Read one key; those of other kinds, which the server may publish too, are passed over."""
    if not isinstance(document, dict) or document.get("kty") != "EC" or "d" in document:
        return None
    if document.get("use", "sig") != "sig" or not isinstance(document.get("kid"), str):
        return None
    try:
        return document["kid"], ECKey.import_key(document)
    except (JoseError, ValueError, TypeError):
        return None


@dataclass(frozen=True, slots=True)
class GoodToken:
    """What an access token says that was found good."""

    actor: Actor
    thumbprint: str | None
    """Of the key that it is bound to, if it is. Source: RFC 9449, section 6."""
    expires_at: float


class AccessTokens:
    """Reads access tokens. A token that was found good is not checked again for half a minute.

    A token that is bound to a key is good only with a proof of that key. A proof is taken once by
    each process; that another one would take it, within two minutes, is what RFC 9449 allows.
    """

    def __init__(
        self, keys: JsonWebKeys, *, issuer: str, audience: str, leeway_seconds: float
    ) -> None:
        self._keys = keys
        self._claims = jwt.JWTClaimsRegistry(
            leeway=int(leeway_seconds),
            iss={"essential": True, "value": issuer},
            aud={"essential": True, "value": audience},
            exp={"essential": True},
            iat={"essential": True},
            sub={"essential": True},
            jti={"essential": True},
            client_id={"essential": True},
        )
        self._issuer = issuer
        self._known: dict[bytes, tuple[float, GoodToken]] = {}
        self._taken: set[tuple[str, str]] = set()
        self._before: set[tuple[str, str]] = set()
        self._turned_at = time.monotonic()

    async def actor(self, token: str, *, proof: Proof | None = None) -> Actor:
        """Read who is asking.

        Args:
            token: what was shown.
            proof: of a key, for this request and this token, if one was shown too.

        Raises:
            Unauthenticated: the token is not good, or not without a proof.
            KeysAway: it cannot be checked at the moment.
        """
        digest = hashlib.sha256(token.encode("utf-8", "replace")).digest()
        until, good = self._known.get(digest, (0.0, None))
        if good is None or until <= time.time():
            good = await self._check(token)
            if len(self._known) >= CACHE_ENTRIES:
                self._known.clear()
            self._known[digest] = (min(good.expires_at, time.time() + CACHE_SECONDS), good)
        if good.thumbprint != (None if proof is None else proof.thumbprint):
            raise Unauthenticated("The access token is bound to a key that was not shown.")
        if proof is not None:
            self._take(proof)
        return good.actor

    async def actor_of(self, request: Request, token: str) -> Actor:
        """Read who is asking with a token that is bound to a key. Source: RFC 9449, section 7.

        Raises:
            Unauthenticated: the token is not good, or the proof is not one for this request.
            KeysAway: it cannot be checked at the moment.
        """
        headers = request.headers.getlist("dpop")
        uri = f"{self._issuer}{request.scope['path']}"
        try:
            proof = read_proof(headers, method=request.method, uri=uri, token=token)
        except WrongProof as error:
            raise Unauthenticated(f"The DPoP proof is not good. {error}") from error
        if proof is None:
            raise Unauthenticated("The request needs a `DPoP` header with a proof.")
        return await self.actor(token, proof=proof)

    def _take(self, proof: Proof) -> None:
        now, taken = time.monotonic(), (proof.thumbprint, proof.identifier)
        if now - self._turned_at > GOOD_SECONDS:
            # What is older than two turns has expired: forgetting costs nothing per request.
            self._before, self._taken, self._turned_at = self._taken, set(), now
        if taken in self._taken or taken in self._before:
            raise Unauthenticated("The DPoP proof has been used before.")
        self._taken.add(taken)

    async def _check(self, token: str) -> GoodToken:
        if len(token) > TOKEN_LIMIT or not token.isascii():
            raise Unauthenticated("The access token cannot be read.")
        try:
            key_id = _header(token).get("kid")
            if not isinstance(key_id, str):
                raise Unauthenticated("The access token names no key.")
            key = await self._keys.key(key_id)
            decoded = jwt.decode(token, key, registry=REGISTRY)
            if str(decoded.header.get("typ", "")).lower().removeprefix("application/") != "at+jwt":
                raise Unauthenticated("The token is no access token.")
            self._claims.validate(decoded.claims)
            claims = decoded.claims
            return GoodToken(_actor(claims), _thumbprint(claims), float(claims["exp"]))
        except JoseError as error:
            raise Unauthenticated(f"The access token is not valid: {error.error}.") from error
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise Unauthenticated("The access token cannot be read.") from error


def _header(token: str) -> dict[str, Any]:
    from joserfc.jws import extract_compact  # noqa: PLC0415

    return dict(extract_compact(token.encode()).headers())


def _thumbprint(claims: dict[str, Any]) -> str | None:
    if "cnf" not in claims:
        return None
    thumbprint = claims["cnf"]["jkt"]  # bound in another way would be a token that we cannot check
    if not isinstance(thumbprint, str):
        raise TypeError("claims of the wrong type")
    return thumbprint


def _actor(claims: dict[str, Any]) -> Actor:
    scopes = claims.get("scope", "")
    member = claims["member"]
    if not isinstance(scopes, str) or not isinstance(member, str) or not member:
        raise ValueError("claims of the wrong type")
    subject, client = str(claims["sub"]), str(claims["client_id"])
    if subject == client:
        return Actor(member=member, client_id=client, scopes=frozenset(scopes.split()))
    session, at, acr = claims["sid"], claims["auth_time"], claims.get("acr")
    if not isinstance(session, str) or not isinstance(at, int) or not 0 <= at < YEAR_10000:
        raise ValueError("claims of the wrong type")
    return Actor(
        member=member,
        client_id=client,
        official_id=UUID(subject),
        scopes=frozenset(scopes.split()),
        session_id=UUID(session),
        acr=None if acr is None else str(acr),
        authenticated_at=datetime.fromtimestamp(at, UTC),
    )


bearer = HTTPBearer(
    auto_error=False,
    bearerFormat="JWT",
    description="Access token from `/oauth/token` (RFC 6749, section 4.4).",
)


async def current_actor(request: Request, _: Annotated[Any, Depends(bearer)]) -> Actor:
    """Read the actor from the bearer token.

    Raises:
        Unauthenticated: there is no token, or it is not valid.
    """
    headers = request.headers.getlist("authorization")
    if len(headers) != 1:
        raise Unauthenticated("The request needs one `Authorization: Bearer …` header.")
    scheme, _, token = headers[0].partition(" ")
    if scheme.lower() not in ("bearer", "dpop") or not token.strip():
        raise Unauthenticated("The request needs an `Authorization: Bearer …` header.")
    tokens: AccessTokens = request.app.state.access_tokens
    if scheme.lower() == "dpop":
        actor = await tokens.actor_of(request, token.strip())
    else:
        actor = await tokens.actor(token.strip())
    structlog.contextvars.bind_contextvars(member=actor.member, actor=actor.reference)
    return actor


CurrentActor = Annotated[Actor, Depends(current_actor)]
