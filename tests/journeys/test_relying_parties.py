"""Applications that know nothing of us but the standards: people log in to them, and out again.

One is npm `openid-client`, in a process of its own (`relying_party/`); the other is the client that
comes with Authlib. Both are a city's own application, so that people are asked for their consent.
"""

import asyncio
import json
import os
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import pytest
from authlib.integrations.base_client import OAuthError
from authlib.integrations.httpx_client import AsyncOAuth2Client
from authlib.integrations.starlette_client import StarletteOAuth2App
from authlib.integrations.starlette_client.integration import StarletteIntegration
from authlib.oauth2.rfc7523 import PrivateKeyJWT
from joserfc.jwk import ECKey
from starlette.requests import Request

from deploy.demo.browser import Browser
from deploy.embedded.console import Console
from deploy.embedded.layout import REPOSITORY
from deploy.embedded.node import NodeProgram, node
from shared.identifiers import new_id
from tests.journeys.conftest import Demo

pytestmark = pytest.mark.journey

BACK: Final = "http://127.0.0.1:9/callback"
"""Nobody listens there: the browser stops before it."""
OUT: Final = "http://127.0.0.1:9/out"
SCOPE: Final = "openid profile projects:read"
SECONDS: Final = 60.0
STRANGER: Final = NodeProgram(
    REPOSITORY / "tests" / "journeys" / "relying_party",
    Path(sys.prefix) / "renkei-node-relying-party",
    "its tests cannot run",
)
KEY: Final = ECKey.generate_key("P-256")
PRIVATE_KEY: Final = KEY.as_dict(private=True) | {"kid": KEY.thumbprint()}
PUBLIC_KEY: Final = KEY.as_dict(private=False) | {"kid": KEY.thumbprint()}


async def registered(demo: Demo, member: str, authentication: str, **more: Any) -> dict[str, Any]:
    """Let a city register an application or a machine; gives what it needs to know of itself."""
    is_secret = authentication.startswith("client_secret")
    is_key = authentication == "private_key_jwt"
    kind = more.get("kind", "application")
    addresses = {"redirect_uris": [BACK], "post_logout_redirect_uris": [OUT]}
    made = await demo.world[member].post(
        f"/api/v1/members/{member}/clients",
        {
            "name": f"Of a stranger {new_id()}",
            "kind": kind,
            "scopes": ["projects:read"],
            "authentication": "client_secret" if is_secret else authentication,
            **({"keys": {"keys": [PUBLIC_KEY]}} if is_key else {}),
            **(addresses if kind == "application" else {}),
            **more,
        },
        key=str(new_id()),
    )
    return {"client_id": made["id"], "secret": made["secret"], "issuer": demo.platform.url}


@asynccontextmanager
async def somebody(demo: Demo, member: str) -> AsyncIterator["Somebody"]:
    [name] = [each for each in demo.login_of(member)["people"] if each.endswith("-contributor")]
    async with Browser() as browser:
        yield Somebody(browser, name)


class Somebody:
    """An official in front of a browser, who allows what an application asks for."""

    def __init__(self, browser: Browser, name: str) -> None:
        self._browser = browser
        self._name = name

    async def visit(self, address: str, *, until: str) -> str:
        """Go where an application sends them; gives where they came back to it."""
        page = await self._browser.log_in(address, person=self._name, until=until)
        while page.status == 200:
            page = await self._browser.send(page, {}, until=until)
        assert page.status == 0, page.words
        return page.url


async def talk(person: Somebody | None, told: dict[str, Any]) -> dict[str, Any]:
    """Let the stranger for Node do its work, with a person in front of it if it needs one."""
    process = await asyncio.create_subprocess_exec(
        str(node()), "relying_party.mjs", cwd=STRANGER.place, stdin=PIPE, stdout=PIPE, stderr=PIPE
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(json.dumps(told).encode() + b"\n")
    seen: dict[str, Any] = {}
    async with asyncio.timeout(SECONDS):
        async for line in process.stdout:
            seen = json.loads(line)
            if person is not None and "open" in seen:
                until = OUT if "/end_session" in seen["open"] else BACK
                url = await person.visit(seen["open"], until=until)
                process.stdin.write(json.dumps({"url": url}).encode() + b"\n")
        _, complaints = await process.communicate()
    assert process.returncode == 0, complaints.decode()
    return seen


@pytest.fixture(scope="module", autouse=True)
def packages() -> None:
    assert STRANGER.install(Console(), os.environ)


@pytest.mark.parametrize(
    ("member", "authentication", "par", "dpop"),
    [
        ("seoul", "client_secret_basic", False, False),
        ("bangkok", "client_secret_post", True, False),
        ("seoul", "private_key_jwt", True, True),
        ("bangkok", "none", False, True),
    ],
)
async def test_openid_client_logs_somebody_in_and_out(
    demo: Demo, member: str, authentication: str, par: bool, dpop: bool
) -> None:
    client = await registered(demo, member, authentication, requires_dpop=dpop)

    async with somebody(demo, member) as person:
        seen = await talk(
            person,
            {
                **client,
                "grant": "authorization_code",
                "authentication": authentication,
                "key": PRIVATE_KEY,
                "member": member,
                "redirect_uri": BACK,
                "logged_out_uri": OUT,
                "scope": SCOPE,
                "par": par,
                "dpop": dpop,
            },
        )

    official = (await demo.world.officials(member))["contributor"]
    may_ask = authentication != "none"
    assert seen == {
        "token_type": "dpop" if dpop else "bearer",
        "sub": official,
        "person": official,
        "scope": SCOPE,
        "api": 200,
        "rotated": True,
        "active": True if may_ask else None,
        "reused": "invalid_grant",
        "family": "invalid_grant",
        "revoked": "invalid_grant",
        "inactive": False if may_ask else None,
        "out": f"{OUT}?state=out",
        "logged_out": "invalid_grant",
        "afterwards": "login_required",
    }


@pytest.mark.parametrize(
    ("authentication", "dpop"),
    [("client_secret_basic", False), ("private_key_jwt", True)],
)
async def test_openid_client_is_a_machine_of_a_city(
    demo: Demo, authentication: str, dpop: bool
) -> None:
    client = await registered(demo, "hanoi", authentication, kind="machine", requires_dpop=dpop)

    seen = await talk(
        None,
        {
            **client,
            "grant": "client_credentials",
            "authentication": authentication,
            "key": PRIVATE_KEY,
            "scope": "projects:read",
            "dpop": dpop,
        },
    )

    kind = "dpop" if dpop else "bearer"
    assert seen == {"token_type": kind, "scope": "projects:read", "api": 200}


def authlib_with(client: dict[str, Any], authentication: str) -> Any:
    """Make what an application for Starlette has that follows Authlib's own instructions."""
    issuer = client["issuer"]
    is_key = authentication == "private_key_jwt"
    method = PrivateKeyJWT(f"{issuer}/oauth/token", claims={"aud": issuer}, alg="ES256")
    return StarletteOAuth2App(
        StarletteIntegration("renkei"),
        "renkei",
        client_id=client["client_id"],
        client_secret=KEY if is_key else client["secret"],
        server_metadata_url=f"{issuer}/.well-known/openid-configuration",
        client_kwargs={
            "scope": SCOPE,
            "code_challenge_method": "S256",
            "token_endpoint_auth_method": method if is_key else authentication,
        },
    )


def request(url: str, session: dict[str, Any]) -> Request:
    """Make the request of a browser to an application, as its framework shows it."""
    query = url.partition("?")[2].encode()
    return Request(
        {"type": "http", "method": "GET", "query_string": query, "headers": [], "session": session}
    )


@pytest.mark.parametrize(
    ("member", "authentication"),
    [("bangkok", "client_secret_basic"), ("seoul", "private_key_jwt")],
)
async def test_the_client_of_authlib_logs_somebody_in_and_out(
    demo: Demo, member: str, authentication: str
) -> None:
    client = await registered(demo, member, authentication)
    app = authlib_with(client, authentication)
    session: dict[str, Any] = {}
    asked = request("", session)

    async with somebody(demo, member) as person:
        sent = await app.authorize_redirect(asked, BACK, login_hint=member)
        back = await person.visit(sent.headers["location"], until=BACK)
        token = await app.authorize_access_token(request(back, session))
        about = await app.userinfo(token=token)
        api = await app.get(f"{client['issuer']}/api/v1/projects", token=token)
        sent = await app.logout_redirect(asked, OUT, id_token_hint=token["id_token"])
        out = await person.visit(sent.headers["location"], until=OUT)
        left = await app.validate_logout_response(request(out, session))
        sent = await app.authorize_redirect(asked, BACK, login_hint=member, prompt="none")
        afterwards = await person.visit(sent.headers["location"], until=BACK)

    official = (await demo.world.officials(member))["contributor"]
    assert (token["userinfo"]["sub"], about["sub"], api.status_code) == (official, official, 200)
    assert left == {"post_logout_redirect_uri": OUT}
    with pytest.raises(OAuthError, match="login_required"):
        await app.authorize_access_token(request(afterwards, session))


async def test_the_client_of_authlib_keeps_somebody_in_until_it_gives_the_token_back(
    demo: Demo,
) -> None:
    client = await registered(demo, "seoul", "client_secret_basic")
    app = authlib_with(client, "client_secret_basic")
    session: dict[str, Any] = {}
    async with somebody(demo, "seoul") as person:
        sent = await app.authorize_redirect(request("", session), BACK, login_hint="seoul")
        back = await person.visit(sent.headers["location"], until=BACK)
    first = await app.authorize_access_token(request(back, session))
    at = await app.load_server_metadata()

    async with AsyncOAuth2Client(
        client["client_id"], client["secret"], scope=SCOPE, token=first
    ) as http:
        second = await http.refresh_token(at["token_endpoint"])
        before = await http.introspect_token(
            at["introspection_endpoint"], token=second["access_token"]
        )
        revoked = await http.revoke_token(at["revocation_endpoint"], token=second["refresh_token"])
        after = await http.introspect_token(
            at["introspection_endpoint"], token=second["access_token"]
        )
        with pytest.raises(OAuthError, match="invalid_grant"):
            await http.refresh_token(at["token_endpoint"], second["refresh_token"])

    assert second["access_token"] != first["access_token"]
    assert (before.json()["active"], revoked.status_code) == (True, 200)
    assert after.json() == {"active": False}


@pytest.mark.parametrize("authentication", ["client_secret_post", "private_key_jwt"])
async def test_the_client_of_authlib_is_a_machine_of_a_city(
    demo: Demo, authentication: str
) -> None:
    client = await registered(demo, "hanoi", authentication, kind="machine")
    app = authlib_with(client, authentication)

    token = await app.fetch_access_token(grant_type="client_credentials", scope="projects:read")

    answer = await app.get(f"{client['issuer']}/api/v1/projects", token=token)
    assert (token["scope"], answer.status_code) == ("projects:read", 200)
