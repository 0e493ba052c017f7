"""An application hears the challenge, sends the person to log in again, and then it works.

It is Authlib's own client, and werkzeug reads the challenge: neither knows anything of us but the
standards. Source: RFC 9470.
"""

import time
from typing import Any, Final

import pytest
from authlib.integrations.httpx_client import AsyncOAuth2Client
from httpx2 import ASGITransport, AsyncClient, Response
from werkzeug.datastructures import WWWAuthenticate

from services.members.http.oauth.keys import KeyRing
from services.members.model.client import new_secret, secret_hash_of
from shared.http.identity import AccessTokens, JsonWebKeys
from tests.members.login.seoul import Seoul, browser
from tests.members.login.test_applications import BACK, back_again, to_the_provider
from tests.members.network import code_of
from tests.members.oauth.people import application
from tests.web import ISSUER, KEY

VERIFIER: Final = "v" * 64
TOKENS: Final = f"{ISSUER}/api/v1/members/seoul/scim-tokens"


@pytest.fixture
async def desk(seoul: Seoul) -> Any:
    """An application of the platform itself, for an administrator of Seoul."""
    await seoul.invite(roles=["administrator"])
    await seoul.prove()
    app = seoul.network.app
    ring: KeyRing = app.state.signing_keys

    async def all_keys() -> Any:
        own = (await ring.current(app.state.sessions)).document()["keys"]
        return {"keys": [*own, KEY.as_dict(private=False)]}

    app.state.access_tokens = AccessTokens(
        JsonWebKeys(all_keys, lifetime_seconds=300),
        issuer=ISSUER,
        audience=f"{ISSUER}/api/v1",
        leeway_seconds=5,
    )
    secret = new_secret()
    async with seoul.network.database.sessions.begin() as session:
        session.add(
            application(
                is_first_party=True,
                serves_network=True,
                scopes=("members:read", "members:write"),
                secret_hash=secret_hash_of(secret),
            )
        )
    return AsyncOAuth2Client(
        "tokyo-desk",
        secret,
        redirect_uri=BACK,
        scope="openid members:read members:write",
        code_challenge_method="S256",
        transport=ASGITransport(app, raise_app_exceptions=False),
    )


def asked(desk: Any, **more: str) -> tuple[str, str]:
    """Where the application sends a browser, and the state that it keeps."""
    address, state = desk.create_authorization_url(
        f"{ISSUER}/oauth/authorize",
        code_verifier=VERIFIER,
        nonce="n",
        login_hint="seoul",
        **more,
    )
    return str(address), str(state)


async def logs_in(
    seoul: Seoul, desk: Any, client: AsyncClient, **more: str
) -> tuple[dict[str, str], Response]:
    """Walk to the provider and back; gives what that was asked, and where it ended."""
    address, state = asked(desk, **more)
    out = await to_the_provider(client, address)
    back = await back_again(seoul, client, out["url"])
    if back.status_code == 302:
        await desk.fetch_token(
            f"{ISSUER}/oauth/token",
            authorization_response=back.headers["location"],
            code_verifier=VERIFIER,
            state=state,
        )
    return out, back


async def test_a_challenge_leads_to_a_login_and_then_it_works(seoul: Seoul, desk: Any) -> None:
    seoul.provider.id_claims = {"auth_time": int(time.time()) - 7_200}

    async with desk, browser(seoul.network.app) as client:
        await logs_in(seoul, desk, client)
        refused = await desk.post(TOKENS, json={"name": "Entra"})
        wanted = WWWAuthenticate.from_header(refused.headers["www-authenticate"])
        assert wanted is not None
        max_age = wanted.parameters["max_age"]
        assert max_age is not None
        seoul.provider.id_claims = {}
        out, _ = await logs_in(seoul, desk, client, max_age=max_age)
        made = await desk.post(TOKENS, json={"name": "Entra"})

    assert (refused.status_code, code_of(refused)) == (401, "insufficient-user-authentication")
    assert (wanted.type, wanted.parameters["error"]) == (
        "bearer",
        "insufficient_user_authentication",
    )
    assert out["max_age"] == "900"
    assert (made.status_code, made.json()["name"]) == (201, "Entra")


async def test_a_provider_that_asks_nobody_again_leads_nowhere(seoul: Seoul, desk: Any) -> None:
    seoul.provider.id_claims = {"auth_time": int(time.time()) - 7_200}

    async with desk, browser(seoul.network.app) as client:
        await logs_in(seoul, desk, client)
        _, page = await logs_in(seoul, desk, client, max_age="900")
        still = await desk.post(TOKENS, json={"name": "Entra"})

    assert (page.status_code, still.status_code) == (403, 401)
    assert (await seoul.network.get("/seoul/scim-tokens", by="seoul"))["items"] == []


async def test_a_provider_that_never_says_when_is_asked_and_refused(
    seoul: Seoul, desk: Any
) -> None:
    seoul.provider.id_claims = {"auth_time": None}

    async with desk, browser(seoul.network.app) as client:
        await logs_in(seoul, desk, client)
        refused = await desk.post(TOKENS, json={"name": "Entra"})
        _, page = await logs_in(seoul, desk, client, max_age="900")

    assert (refused.status_code, page.status_code) == (401, 403)
