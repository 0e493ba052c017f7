"""A person logs in to an application: from the code to the tokens."""

import time
from uuid import UUID

import pytest
from sqlalchemy import func, select

from services.members.model.token_family import AuthorizationCode, RefreshToken, TokenFamily
from tests.members.network import OPENING, Network
from tests.members.oauth.browsing import BACK, Desk, answer_in, error_of
from tests.members.oauth.people import Person
from tests.web import ISSUER


async def test_an_official_logs_in_to_an_application(
    desk: Desk, coordinator: Person, network: Network
) -> None:
    back = answer_in(await desk.authorize())
    tokens = (await desk.redeem(back["code"])).json()

    assert (back["state"], back["iss"]) == ("s", ISSUER)
    assert set(tokens) == {
        *("access_token", "refresh_token", "id_token", "token_type", "expires_in", "scope")
    }
    assert (tokens["token_type"], tokens["expires_in"]) == ("Bearer", 300)
    assert tokens["scope"] == "openid projects:read projects:write"
    claims = await desk.claims(tokens["access_token"])
    assert claims["sub"] == str(coordinator.official.id)
    assert (claims["iss"], claims["aud"]) == (ISSUER, f"{ISSUER}/api/v1")
    assert (claims["member"], claims["client_id"]) == ("tokyo", "tokyo-desk")
    assert claims["roles"] == ["coordinator"]
    assert claims["scope"] == tokens["scope"]
    assert claims["auth_time"] == int(coordinator.sign_in.authenticated_at.timestamp())
    assert "cnf" not in claims
    async with network.database.sessions() as session:
        family = await session.get_one(TokenFamily, UUID(claims["sid"]))
    assert (family.sign_in_id, family.ends_at) == (
        coordinator.sign_in.id,
        coordinator.sign_in.ends_at,
    )


async def test_the_id_token_says_who_it_is_and_for_whom(desk: Desk, coordinator: Person) -> None:
    tokens = await desk.log_in()

    claims = await desk.claims(tokens["id_token"])

    assert set(claims) == {
        *("iss", "sub", "aud", "exp", "iat", "auth_time", "nonce", "at_hash", "sid")
    }
    assert (claims["iss"], claims["aud"]) == (ISSUER, ["tokyo-desk"])
    assert claims["sub"] == str(coordinator.official.id)
    assert claims["nonce"] == "n"
    assert claims["auth_time"] == int(coordinator.sign_in.authenticated_at.timestamp())
    assert claims["exp"] - claims["iat"] == 300
    assert abs(claims["iat"] - time.time()) < 30


async def test_who_does_not_ask_who_it_is_gets_no_id_token(desk: Desk) -> None:
    tokens = await desk.log_in(scope="projects:read")

    assert "id_token" not in tokens


async def test_no_secret_is_kept(desk: Desk, network: Network) -> None:
    code = await desk.code()
    tokens = (await desk.redeem(code)).json()

    async with network.database.sessions() as session:
        codes = list(await session.scalars(select(AuthorizationCode.hash)))
        links = list(await session.scalars(select(RefreshToken.hash)))

    assert code not in codes
    assert tokens["refresh_token"] not in links
    assert all(len(kept) == 64 for kept in codes + links)


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"code": "rkc_unknown"}, "invalid_grant"),
        ({"code": None}, "invalid_request"),
        ({"redirect_uri": f"{BACK}/"}, "invalid_grant"),
        ({"redirect_uri": None}, "invalid_grant"),
        ({"code_verifier": "w" * 43}, "invalid_grant"),
        ({"code_verifier": None}, "invalid_request"),
        ({"code_verifier": "short"}, "invalid_request"),
        ({"resource": "https://other.example"}, "invalid_target"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"grant_type": "client_credentials"}, "unauthorized_client"),
    ],
)
async def test_a_code_is_redeemed_by_whoever_began_and_as_it_was_begun(
    desk: Desk, wrong: dict[str, str | None], error: str
) -> None:
    code = await desk.code()

    refused = await desk.redeem(**({"code": code} | wrong))  # type: ignore[arg-type]
    right = await desk.redeem(code)

    assert (refused.status_code, error_of(refused)) == (400, error)
    assert right.status_code == 200


async def test_who_is_second_with_a_code_ends_the_session(desk: Desk, network: Network) -> None:
    code = await desk.code()
    tokens = (await desk.redeem(code)).json()

    second = await desk.redeem(code)
    refreshed = await desk.refresh(tokens["refresh_token"])

    assert (second.status_code, error_of(second)) == (400, "invalid_grant")
    assert (refreshed.status_code, error_of(refreshed)) == (400, "invalid_grant")
    assert await network.happened() == [*OPENING, "session.ended"]
    ended = (await network.events())[-1]
    assert ended.subject == (await desk.claims(tokens["access_token"]))["sid"]
    async with network.database.sessions() as session:
        assert await session.scalar(select(func.count()).select_from(RefreshToken)) == 1
