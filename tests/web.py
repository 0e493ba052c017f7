"""Talking to a service in a test: its real application, with access tokens signed by a test key."""

import time
from typing import Any, Final
from uuid import UUID, uuid4

from fastapi import FastAPI
from httpx2 import ASGITransport, AsyncClient
from joserfc import jwt
from joserfc.jwk import ECKey
from pydantic import SecretStr

from shared.database import reading_sessions_of
from shared.http.application import audience_of
from shared.http.identity import AccessTokens, JsonWebKeys
from shared.settings import Settings
from tests.conftest import Database

ISSUER: Final = "https://renkei.example"
KEY: Final = ECKey.generate_key("P-256", {"alg": "ES256", "use": "sig"}, auto_kid=True)
MASTER_KEYS: Final = "k1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="

SCOPES: Final = (
    "members:read members:write projects:read projects:contribute projects:write"
    " notifications:read notifications:write"
)


def environment(
    database: Database | None = None, nats_url: str = "nats://127.0.0.1:1"
) -> dict[str, Any]:
    """Arguments for a service's settings class."""
    return {
        "database_url": SecretStr(
            database.url if database else "postgresql+asyncpg://nowhere/none"
        ),
        "nats_url": SecretStr(nats_url),
        "issuer": ISSUER,
        "jwks_url": f"{ISSUER}/oauth/jwks",
        "master_keys": SecretStr(MASTER_KEYS),
    }


def on(app: FastAPI, database: Database) -> FastAPI:
    """Give the application its database and the test's keys, as its lifespan would."""
    settings: Settings = app.state.settings

    async def fetch_keys() -> Any:
        return {"keys": [KEY.as_dict(private=False)]}

    app.state.sessions = database.sessions
    app.state.engine = database.engine
    app.state.reading_sessions = reading_sessions_of(database.engine)
    app.state.access_tokens = AccessTokens(
        JsonWebKeys(fetch_keys, lifetime_seconds=300),
        issuer=settings.issuer,
        audience=audience_of(settings),
        leeway_seconds=5,
    )
    return app


def token(member: str, scopes: str = SCOPES, *, client_id: str | None = None, **claims: Any) -> str:
    """An access token of a machine of `member`, as the authorization server would issue it."""
    now = int(time.time())
    client = client_id or f"{member}-main"
    return jwt.encode(
        {"alg": "ES256", "typ": "at+jwt", "kid": KEY.kid},
        {
            "iss": ISSUER,
            "aud": f"{ISSUER}/api/v1",
            "sub": client,
            "client_id": client,
            "iat": now,
            "exp": now + 300,
            "jti": str(uuid4()),
            "scope": scopes,
            "member": member,
        }
        | claims,
        KEY,
    )


def person_token(
    member: str,
    official_id: UUID,
    scopes: str = SCOPES,
    *,
    session_id: UUID | None = None,
    seconds_ago: int = 0,
    **claims: Any,
) -> str:
    """An access token of an official, who logged in to an application of the host."""
    return token(
        member,
        scopes,
        client_id="tokyo-portal",
        sub=str(official_id),
        sid=str(session_id or uuid4()),
        auth_time=int(time.time()) - seconds_ago,
        **claims,
    )


def api(app: FastAPI, member: str | None = None, scopes: str = SCOPES) -> AsyncClient:
    """A client of the service, acting for `member`, or a stranger."""
    headers = {"Authorization": f"Bearer {token(member, scopes)}"} if member else {}
    return AsyncClient(
        transport=ASGITransport(app, raise_app_exceptions=False), base_url=ISSUER, headers=headers
    )
