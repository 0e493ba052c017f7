"""Authlib's own client, which knows nothing of us but the standards, logs somebody in."""

from typing import Any

from authlib.integrations.httpx_client import AsyncOAuth2Client
from authlib.oauth2.rfc7523 import PrivateKeyJWT
from httpx2 import ASGITransport

from tests.members.network import OPENING, Network
from tests.members.oauth.browsing import BACK, Desk
from tests.members.oauth.keys import EC, KEYS
from tests.members.oauth.people import Person, application
from tests.web import ISSUER


def relying_party(network: Network, client_id: str, secret: Any, **more: Any) -> Any:
    return AsyncOAuth2Client(
        client_id,
        secret,
        redirect_uri=BACK,
        transport=ASGITransport(network.app, raise_app_exceptions=False),
        **more,
    )


async def test_it_logs_somebody_in_and_out_again(
    desk: Desk, coordinator: Person, network: Network
) -> None:
    verifier = "v" * 64
    async with relying_party(
        network,
        desk.client_id,
        desk.secret,
        scope="openid profile projects:read",
        code_challenge_method="S256",
    ) as client:
        described = (
            await client.request(
                "GET", f"{ISSUER}/.well-known/openid-configuration", withhold_token=True
            )
        ).json()
        address, state = client.create_authorization_url(
            described["authorization_endpoint"], code_verifier=verifier, nonce="n"
        )
        back = await desk.visit(address)

        token = await client.fetch_token(
            described["token_endpoint"],
            authorization_response=back.headers["location"],
            code_verifier=verifier,
            state=state,
        )
        person = (await client.get(described["userinfo_endpoint"])).json()
        first = token["access_token"]
        token = await client.refresh_token(described["token_endpoint"])
        seen = await client.introspect_token(
            described["introspection_endpoint"], token=token["access_token"]
        )
        gone = await client.revoke_token(
            described["revocation_endpoint"], token=token["refresh_token"]
        )
        after = await client.introspect_token(
            described["introspection_endpoint"], token=token["access_token"]
        )

    assert person["sub"] == str(coordinator.official.id)
    assert token["access_token"] != first
    assert seen.json()["active"]
    assert gone.status_code == 200
    assert after.json() == {"active": False}
    assert await network.happened() == [*OPENING, "session.ended"]


async def test_it_proves_itself_with_a_key(desk: Desk, network: Network) -> None:
    machine = application(
        id="tokyo-machine",
        kind="machine",
        redirect_uris=(),
        authentication="private_key_jwt",
        keys=KEYS,
    )
    async with network.database.sessions.begin() as session:
        session.add(machine)

    async with relying_party(
        network,
        machine.id,
        EC,
        token_endpoint_auth_method=PrivateKeyJWT(
            f"{ISSUER}/oauth/token", claims={"aud": ISSUER}, alg="ES256"
        ),
    ) as client:
        token = await client.fetch_token(
            f"{ISSUER}/oauth/token", grant_type="client_credentials", scope="projects:read"
        )

    claims = await desk.claims(token["access_token"])
    assert (claims["sub"], claims["scope"]) == ("tokyo-machine", "projects:read")
