"""An OpenID provider on this machine, which can be told to lie."""

import time
from base64 import b64decode, urlsafe_b64encode
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode, urlsplit

from aiohttp import web
from joserfc import jwt
from joserfc.jwk import RSAKey

CLIENT_ID: Final = "renkei"
SECRET: Final = "what only the two of us know"
KEY: Final = RSAKey.generate_key(2048, {"use": "sig", "alg": "RS256"}, auto_kid=True)

Claims = dict[str, Any]


@dataclass
class Provider:
    """What the provider knows, does and was asked."""

    issuer: str = ""
    key: RSAKey = field(default_factory=lambda: KEY)
    person: Claims = field(
        default_factory=lambda: {
            "sub": "kim-1",
            "name": "Min Kim",
            "email": "min@seoul.example",
            "email_verified": True,
        }
    )
    id_claims: Claims = field(default_factory=dict)
    """Laid over what an id_token says; None takes a claim away."""
    metadata: Claims = field(default_factory=dict)
    """Laid over how it describes itself."""
    answer: dict[str, str] = field(default_factory=dict)
    """Laid over what the browser brings back."""
    userinfo: Claims = field(default_factory=dict)
    """Laid over what UserInfo says."""
    sign: Callable[[Claims], str | None] | None = None
    """Writes the id_token in place of what is right."""
    is_down: bool = False
    secrets: tuple[str, ...] = (SECRET,)
    """What we may authenticate with."""
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    """Paths of all requests, in order."""

    def log_in(self, url: str) -> str:
        """Do what the provider's login page would, and give where the browser goes then."""
        asked = dict(parse_qsl(urlsplit(url).query))
        code = f"code-{len(self.codes)}"
        self.codes[code] = asked
        given = {"code": code, "state": asked["state"], "iss": self.issuer} | self.answer
        return f"{asked['redirect_uri']}?{urlencode({k: v for k, v in given.items() if v})}"

    def id_token(self, asked: dict[str, str]) -> str | None:
        now = int(time.time())
        claims = {
            "iss": self.issuer,
            "aud": CLIENT_ID,
            "sub": self.person["sub"],
            "iat": now,
            "exp": now + 300,
            "nonce": asked["nonce"],
            "auth_time": now,
            "sid": "provider-session-1",
        } | self.id_claims
        claims = {name: value for name, value in claims.items() if value is not None}
        if self.sign is not None:
            return self.sign(claims)
        return jwt.encode({"alg": "RS256", "kid": self.key.kid}, claims, self.key)

    async def describe(self, _: web.Request) -> web.Response:
        return web.json_response(
            {
                "issuer": self.issuer,
                "authorization_endpoint": f"{self.issuer}/authorize",
                "token_endpoint": f"{self.issuer}/token",
                "jwks_uri": f"{self.issuer}/jwks",
                "userinfo_endpoint": f"{self.issuer}/userinfo",
                "end_session_endpoint": f"{self.issuer}/leave",
                "id_token_signing_alg_values_supported": ["none", "HS256", "RS256"],
                "authorization_response_iss_parameter_supported": True,
            }
            | self.metadata
        )

    async def jwks(self, _: web.Request) -> web.Response:
        return web.json_response({"keys": [self.key.as_dict(private=False)]})

    async def token(self, request: web.Request) -> web.Response:
        form = dict(parse_qsl(await request.text()))
        asked = self.codes.pop(form.get("code", ""), None)
        given = b64decode(request.headers["Authorization"].removeprefix("Basic ")).decode()
        challenge = urlsafe_b64encode(sha256(form["code_verifier"].encode()).digest())
        is_good = (
            asked is not None
            and asked["code_challenge"] == challenge.rstrip(b"=").decode()
            and asked["redirect_uri"] == form["redirect_uri"]
            and given in {f"{CLIENT_ID}:{secret.replace(' ', '+')}" for secret in self.secrets}
        )
        if asked is None or not is_good:
            return web.json_response({"error": "invalid_grant"}, status=400)
        answer = {"access_token": "for-userinfo", "token_type": "Bearer"}
        id_token = self.id_token(asked)
        return web.json_response(answer | ({"id_token": id_token} if id_token else {}))

    async def tell(self, _: web.Request) -> web.Response:
        return web.json_response(self.person | self.userinfo)

    @web.middleware
    async def note(self, request: web.Request, handler: Any) -> web.StreamResponse:
        self.asked.append(request.path)
        if self.is_down:
            return web.Response(status=503)
        response: web.StreamResponse = await handler(request)
        return response


@asynccontextmanager
async def running_provider() -> AsyncIterator[Provider]:
    """Start a provider of its own on a free port."""
    provider = Provider()
    app = web.Application(middlewares=[provider.note])
    app.router.add_get("/.well-known/openid-configuration", provider.describe)
    app.router.add_get("/jwks", provider.jwks)
    app.router.add_post("/token", provider.token)
    app.router.add_get("/userinfo", provider.tell)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    provider.issuer = f"http://127.0.0.1:{port}"
    try:
        yield provider
    finally:
        await runner.cleanup()
