"""Tokens that are good for the holder of a key alone."""

import time
from collections.abc import Callable
from typing import Any

import pytest
from joserfc.jwk import ECKey
from sqlalchemy import func, select, update

from services.members.model.client import Client
from services.members.model.token_family import RefreshToken, UsedIdentifier
from tests.members.network import OPENING, Network
from tests.members.oauth.browsing import Desk, answer_in, error_of
from tests.members.oauth.keys import EC, TOKEN, proof
from tests.web import ISSUER

OTHER = ECKey.generate_key("P-256")
USERINFO = f"{ISSUER}/oauth/userinfo"


async def test_tokens_are_bound_to_the_key(desk: Desk) -> None:
    answer = await desk.redeem(await desk.code(), proof=proof())
    tokens = answer.json()
    again = await desk.refresh(tokens["refresh_token"], proof=proof())

    assert (answer.status_code, again.status_code) == (200, 200)
    for given in (tokens, again.json()):
        assert given["token_type"] == "DPoP"
        assert (await desk.claims(given["access_token"]))["cnf"] == {"jkt": EC.thumbprint()}


@pytest.mark.parametrize("key", [None, OTHER], ids=["none", "another"])
async def test_a_bound_session_goes_on_with_its_key_alone(
    desk: Desk, network: Network, key: ECKey | None
) -> None:
    tokens = (await desk.redeem(await desk.code(), proof=proof())).json()

    refused = await desk.refresh(
        tokens["refresh_token"], proof=None if key is None else proof(key=key)
    )
    right = await desk.refresh(tokens["refresh_token"], proof=proof())

    assert (refused.status_code, error_of(refused)) == (400, "invalid_grant")
    assert right.status_code == 200
    assert await network.happened() == OPENING


async def test_a_code_can_be_bound_before_there_is_one(desk: Desk) -> None:
    code = await desk.code(dpop_jkt=EC.thumbprint())

    without = await desk.redeem(code)
    other = await desk.redeem(code, proof=proof(key=OTHER))
    right = await desk.redeem(code, proof=proof())

    for refused in (without, other):
        assert (refused.status_code, error_of(refused)) == (400, "invalid_grant")
    assert right.status_code == 200


async def test_an_application_may_have_to_show_a_key(desk: Desk, network: Network) -> None:
    async with network.database.sessions.begin() as session:
        await session.execute(
            update(Client).where(Client.id == desk.client_id).values(requires_dpop=True)
        )
    code = await desk.code()

    without = await desk.redeem(code)
    tokens = await desk.redeem(code, proof=proof())

    assert (without.status_code, error_of(without)) == (400, "invalid_dpop_proof")
    assert tokens.status_code == 200


async def test_a_machine_may_show_a_key(desk: Desk, network: Network) -> None:
    machine = Desk(desk.http, network.opened.client_id, network.opened.client_secret)

    answer = await machine.post("/oauth/token", proof=proof(), grant_type="client_credentials")

    assert answer.json()["token_type"] == "DPoP"
    claims = await machine.claims(answer.json()["access_token"])
    assert claims["cnf"] == {"jkt": EC.thumbprint()}


async def test_a_proof_is_good_once(desk: Desk, network: Network) -> None:
    code, given = await desk.code(), proof()
    tokens = (await desk.redeem(code, proof=given)).json()

    again = await desk.refresh(tokens["refresh_token"], proof=given)

    assert (again.status_code, error_of(again)) == (400, "invalid_dpop_proof")
    async with network.database.sessions() as session:
        assert await session.scalar(select(func.count()).select_from(UsedIdentifier)) == 1
        unused = select(func.count()).where(RefreshToken.used_at.is_(None))
        assert await session.scalar(unused) == 1


WRONG: dict[str, Callable[[], str]] = {
    "another method": lambda: proof(method="GET"),
    "another address": lambda: proof("https://other.example/oauth/token"),
    "address in part": lambda: proof(TOKEN[:-1]),
    "address is no text": lambda: proof(htu=1),
    "old": lambda: proof(iat=int(time.time()) - 3_600),
    "to come": lambda: proof(iat=int(time.time()) + 3_600),
    "no time": lambda: proof(iat=None),
    "time is text": lambda: proof(iat="now"),
    "time is truth": lambda: proof(iat=True),
    "beyond all time": lambda: proof(iat=10**400),
    "no identifier": lambda: proof(jti=None),
    "empty identifier": lambda: proof(jti=""),
    "long identifier": lambda: proof(jti="x" * 201),
    "identifier with NUL": lambda: proof(jti="a\u0000b"),
    "identifier is no text": lambda: proof(jti=[1]),
    "another type": lambda: proof(header={"typ": "JWT"}),
    "private key": lambda: proof(header={"jwk": EC.as_dict(private=True)}),
    "another key": lambda: proof(header={"jwk": OTHER.as_dict(private=False)}),
    "key is no object": lambda: proof(header={"jwk": "x"}),
    "key is nothing": lambda: proof(header={"jwk": {"kty": "EC"}}),
    "no key": lambda: proof(header={"jwk": None}),
    "nonsense": lambda: "x",
    "too long": lambda: "x" * 5_000,
    "dots": lambda: "..",
}


@pytest.mark.parametrize("name", WRONG)
async def test_no_other_proof_is_taken(desk: Desk, network: Network, name: str) -> None:
    code = await desk.code()

    refused = await desk.redeem(code, proof=WRONG[name]())
    right = await desk.redeem(code, proof=proof(f"{TOKEN}?x=1#y"))

    assert (refused.status_code, error_of(refused)) == (400, "invalid_dpop_proof")
    assert right.status_code == 200
    assert await network.happened() == OPENING


async def test_two_proofs_are_refused(desk: Desk) -> None:
    headers = [("DPoP", proof()), ("DPoP", proof())]

    answer = await desk.http.post(
        "/oauth/token",
        data={"grant_type": "client_credentials", "client_id": "x"},
        headers=headers,
    )

    assert (answer.status_code, error_of(answer)) == (400, "invalid_dpop_proof")


async def test_a_pushed_request_binds_its_code(desk: Desk) -> None:
    path = "/oauth/par"
    pushed = await desk.post(path, proof=proof(f"{ISSUER}{path}"), **desk.asking())
    other = await desk.post(
        path,
        proof=proof(f"{ISSUER}{path}"),
        **desk.asking(dpop_jkt=OTHER.thumbprint()),
    )
    back = answer_in(
        await desk.visit(
            "/oauth/authorize", client_id=desk.client_id, request_uri=pushed.json()["request_uri"]
        )
    )

    without = await desk.redeem(back["code"])
    right = await desk.redeem(back["code"], proof=proof())

    assert (other.status_code, error_of(other)) == (400, "invalid_dpop_proof")
    assert (without.status_code, error_of(without)) == (400, "invalid_grant")
    assert right.status_code == 200


async def test_a_bound_token_is_shown_with_a_proof_about_it(desk: Desk) -> None:
    tokens = (await desk.redeem(await desk.code(), proof=proof())).json()
    token = tokens["access_token"]

    async def ask(scheme: str, given: str | None) -> int:
        headers = {"Authorization": f"{scheme} {token}"} | ({"DPoP": given} if given else {})
        return (await desk.http.get("/oauth/userinfo", headers=headers)).status_code

    def about(**changes: Any) -> str:
        return proof(USERINFO, **{"method": "GET", "token": token} | changes)

    again = about()
    assert await ask("DPoP", again) == 200
    assert await ask("DPoP", again) == 401
    assert await ask("Bearer", None) == 401
    assert await ask("Bearer", about()) == 401
    assert await ask("DPoP", None) == 401
    assert await ask("DPoP", about(token=None)) == 401
    assert await ask("DPoP", about(token="x")) == 401
    assert await ask("DPoP", about(key=OTHER)) == 401
    assert await ask("DPoP", about(method="POST")) == 401


async def test_a_token_that_is_not_bound_is_no_dpop_token(desk: Desk) -> None:
    token = (await desk.log_in())["access_token"]

    answer = await desk.http.get(
        "/oauth/userinfo",
        headers={
            "Authorization": f"DPoP {token}",
            "DPoP": proof(USERINFO, method="GET", token=token),
        },
    )

    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == 'DPoP algs="ES256", error="invalid_token"'
