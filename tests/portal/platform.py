"""A stand-in for the platform: an authorization server and an API that tests can bend."""

import asyncio
import json
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Final
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit
from uuid import UUID, uuid4

from httpx2 import ConnectError, MockTransport, Request, Response
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, RSAKey
from joserfc.jws import JWSRegistry

from tests.web import ISSUER

CLIENT_ID: Final = "tokyo-portal-1a2b3c4d"
CLIENT_KEY: Final = ECKey.generate_key(
    "P-256", {"alg": "ES256", "use": "sig", "kid": "portal-1"}, private=True
)
CALLBACK: Final = f"{ISSUER}/session/callback"
LOGOUT_EVENT: Final = "http://schemas.openid.net/event/backchannel-logout"
SIGNS: Final = JWSRegistry(algorithms=["RS256", "PS256", "HS256"])

Claims = dict[str, Any]


def new_key(kid: str = "signing-1") -> RSAKey:
    return RSAKey.generate_key(2048, {"alg": "RS256", "use": "sig", "kid": kid}, private=True)


KEY: Final = new_key()


@dataclass
class Family:
    """What one login has led to."""

    official_id: UUID
    sid: UUID = field(default_factory=uuid4)
    is_over: bool = False
    refresh_token: str = field(default_factory=lambda: f"refresh-{uuid4()}")
    access_tokens: set[str] = field(default_factory=set)
    used: set[str] = field(default_factory=set)
    """Refresh tokens that were redeemed; one that comes a second time ends it all."""

    @property
    def access_token(self) -> str:
        [newest] = self.access_tokens
        return newest


@dataclass
class Platform:
    """Answers as the platform would, unless a test says otherwise."""

    key: RSAKey = field(default_factory=lambda: KEY)
    published: list[RSAKey] = field(default_factory=lambda: [KEY])
    is_away: bool = False
    lifetime: int = 300
    official_id: UUID = field(default_factory=uuid4)
    member: str = "seoul"
    roles: list[str] = field(default_factory=lambda: ["coordinator"])
    places: list[Claims] = field(default_factory=list)
    name: str | None = "Kim Ji-woo"
    metadata: Claims = field(default_factory=dict)
    claims: Callable[[Claims], Claims] = lambda claims: claims
    """Changes what an id_token says before it is signed."""
    sign: Callable[[Claims], str] | None = None
    codes: dict[str, Claims] = field(default_factory=dict)
    families: list[Family] = field(default_factory=list)
    asked: list[tuple[str, str]] = field(default_factory=list)
    on_refresh: Callable[[], Any] | None = None
    challenges: dict[str, str] = field(default_factory=dict)
    """What a path of the API answers to a good token in place of what was asked for."""

    def transport(self) -> MockTransport:
        return MockTransport(self.answer)

    def count(self, method: str, path: str) -> int:
        return self.asked.count((method, path))

    async def answer(self, request: Request) -> Response:
        path = request.url.path
        self.asked.append((request.method, path))
        if self.is_away:
            raise ConnectError("refused")
        if path == "/.well-known/openid-configuration":
            return Response(200, json=self.own_metadata())
        if path == "/oauth/jwks":
            return Response(
                200, json={"keys": [key.as_dict(private=False) for key in self.published]}
            )
        if path == "/oauth/token":
            return await self._token(dict(parse_qsl(request.content.decode())))
        if path == "/oauth/revoke":
            return self._revoked(dict(parse_qsl(request.content.decode())))
        return self._api(request, path)

    def own_metadata(self) -> Claims:
        return {
            "issuer": ISSUER,
            "authorization_endpoint": f"{ISSUER}/oauth/authorize",
            "token_endpoint": f"{ISSUER}/oauth/token",
            "revocation_endpoint": f"{ISSUER}/oauth/revoke",
            "end_session_endpoint": f"{ISSUER}/oauth/end_session",
            "jwks_uri": f"{ISSUER}/oauth/jwks",
        } | self.metadata

    def authorize(self, url: str) -> str:
        """Let the person in who was sent here, and give the address that they are sent back to."""
        asked = {name: value for name, [value] in parse_qs(urlsplit(url).query).items()}
        assert asked["client_id"] == CLIENT_ID
        assert asked["redirect_uri"] == CALLBACK
        assert asked["response_type"] == "code"
        assert asked["code_challenge_method"] == "S256"
        code = f"code-{uuid4()}"
        self.codes[code] = asked
        return f"{CALLBACK}?{urlencode({'code': code, 'state': asked['state'], 'iss': ISSUER})}"

    def logout_token(
        self, header: Claims | None = None, key: RSAKey | None = None, **claims: Any
    ) -> str:
        now = int(time.time())
        said = {
            "iss": ISSUER,
            "aud": CLIENT_ID,
            "iat": now,
            "exp": now + 120,
            "jti": str(uuid4()),
            "events": {LOGOUT_EVENT: {}},
        } | claims
        key = key or self.key
        named = self.key.kid if header else key.kid
        if header is not None and "alg" in header:
            key = RSAKey.import_key(key.as_pem(private=True))  # which names no algorithm
        return jwt.encode(
            {"alg": "RS256", "typ": "logout+jwt", "kid": named} | (header or {}),
            {name: value for name, value in said.items() if value is not None},
            key,
            registry=SIGNS,
        )

    async def _token(self, form: dict[str, str]) -> Response:
        if not self._is_portal(form):
            return Response(401, json={"error": "invalid_client"})
        if form["grant_type"] == "refresh_token":
            if self.on_refresh is not None:
                await self.on_refresh()
            return self._refreshed(form["refresh_token"])
        asked = self.codes.pop(form["code"], None)
        if asked is None or not is_verifier(form["code_verifier"], asked["code_challenge"]):
            return Response(400, json={"error": "invalid_grant"})
        assert form["redirect_uri"] == CALLBACK
        family = Family(self.official_id)
        self.families.append(family)
        return self._issued(family, self._id_token(family, asked["nonce"]))

    def _refreshed(self, token: str) -> Response:
        for family in self.families:
            if family.refresh_token == token and not family.is_over:
                family.used.add(token)
                family.refresh_token = f"refresh-{uuid4()}"
                return self._issued(family, None)
            family.is_over = family.is_over or token in family.used
        return Response(400, json={"error": "invalid_grant"})

    def _issued(self, family: Family, id_token: str | None) -> Response:
        family.access_tokens = {f"access-{uuid4()}"}
        issued = {
            "access_token": family.access_token,
            "token_type": "Bearer",
            "expires_in": self.lifetime,
            "refresh_token": family.refresh_token,
        }
        return Response(200, json=issued if id_token is None else issued | {"id_token": id_token})

    def _id_token(self, family: Family, nonce: str) -> str:
        now = int(time.time())
        claims = self.claims(
            {
                "iss": ISSUER,
                "sub": str(family.official_id),
                "sid": str(family.sid),
                "aud": [CLIENT_ID],
                "iat": now,
                "exp": now + 300,
                "auth_time": now,
                "nonce": nonce,
            }
        )
        if self.sign is not None:
            return self.sign(claims)
        header = {"alg": "RS256", "typ": "JWT", "kid": self.key.kid}
        return jwt.encode(header, claims, self.key)

    def _revoked(self, form: dict[str, str]) -> Response:
        if not self._is_portal(form):
            return Response(401, json={"error": "invalid_client"})
        for family in self.families:
            family.is_over = family.is_over or family.refresh_token == form["token"]
        return Response(200)

    def _is_portal(self, form: dict[str, str]) -> bool:
        """Check the assertion as the authorization server does."""
        public = KeySet([ECKey.import_key(CLIENT_KEY.as_dict(private=False))])
        claims = jwt.decode(form["client_assertion"], public, algorithms=["ES256"]).claims
        is_named = form["client_id"] == claims["iss"] == claims["sub"] == CLIENT_ID
        is_timely = time.time() < claims["exp"] < time.time() + 300
        return bool(is_named and is_timely and claims["aud"] == ISSUER)

    def _api(self, request: Request, path: str) -> Response:
        shown = request.headers.get("authorization", "").removeprefix("Bearer ")
        standing = [each for each in self.families if not each.is_over]
        found = [family for family in standing if shown in family.access_tokens]
        if not found:
            return problem(401, "unauthenticated")
        [family] = found
        if path in self.challenges:
            refused = problem(401, "insufficient-user-authentication")
            refused.headers["WWW-Authenticate"] = self.challenges[path]
            return refused
        if path.startswith("/api/v1/me/sessions"):
            return self._sessions(request, family)
        if path == "/api/v1/me":
            return Response(200, json=self._me(family))
        if path.startswith("/api/v1/members/"):
            slug = path.rpartition("/")[2]
            return Response(200, json={"slug": slug, "name": NAMES[slug]})
        return problem(404, "not-found")

    def _sessions(self, request: Request, asking: Family) -> Response:
        """One browser for each login, known by its `sid`."""
        standing = [family for family in self.families if not family.is_over]
        if request.method == "GET":
            items = [self._session(family, family is asking) for family in standing]
            return Response(200, json={"items": items, "next": None})
        meant = request.url.path.rpartition("/")[2]
        ended = [family for family in standing if meant in ("sessions", str(family.sid))]
        for family in ended:
            family.is_over = True
        return Response(204) if ended else problem(404, "session-not-found")

    def _session(self, family: Family, is_current: bool) -> Claims:
        return {
            "id": str(family.sid),
            "is_current": is_current,
            "began_at": "2026-11-23T08:15:00Z",
            "ends_at": "2026-11-23T18:15:00Z",
            "applications": [
                {
                    "session_id": str(family.sid),
                    "name": "Portal",
                    "began_at": "2026-11-23T08:15:00Z",
                }
            ],
        }

    def _me(self, family: Family) -> Claims:
        return {
            "official": {
                "id": str(family.official_id),
                "function": {"en": "Coordinator, Seoul", "ja": "ソウル調整担当"},
                "name": self.name,
            },
            "member": self.member,
            "roles": self.roles,
            "other_places": self.places,
        }


NAMES: Final = {
    "seoul": {"en": "Seoul", "ja": "ソウル"},
    "tokyo": {"en": "Tokyo", "ja": "東京都"},
}


def problem(status: int, code: str) -> Response:
    return Response(
        status,
        content=json.dumps({"type": f"/problems/{code}", "title": code, "status": status}),
        headers={"Content-Type": "application/problem+json"},
    )


def is_verifier(verifier: str, challenge: str) -> bool:
    return urlsafe_b64encode(sha256(verifier.encode()).digest()).decode().rstrip("=") == challenge


async def a_moment() -> None:
    """Let others run."""
    for _ in range(10):
        await asyncio.sleep(0)
