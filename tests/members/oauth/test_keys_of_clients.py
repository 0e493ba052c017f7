"""Clients that prove who they are with a key of their own, or not at all."""

import hmac
import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from joserfc.jwk import ECKey
from sqlalchemy import func, select, update

from services.members.model.client import Client
from services.members.model.token_family import UsedIdentifier
from tests.members.network import Network
from tests.members.oauth.browsing import Desk, error_of
from tests.members.oauth.keys import ASSERTION, EC, KEYS, RSA, TOKEN, assertion, encoded
from tests.members.oauth.people import application
from tests.web import ISSUER

MACHINE = "tokyo-machine"


@pytest.fixture
async def machine(network: Network, desk: Desk) -> Desk:
    """A machine of Tokyo with two keys."""
    row = application(
        id=MACHINE,
        kind="machine",
        redirect_uris=(),
        authentication="private_key_jwt",
        keys=KEYS,
    )
    async with network.database.sessions.begin() as session:
        session.add(row)
    return Desk(desk.http, MACHINE)


async def ask(desk: Desk, form: dict[str, str]) -> Any:
    return await desk.http.post("/oauth/token", data={"grant_type": "client_credentials"} | form)


GOOD: dict[str, Callable[[], dict[str, str]]] = {
    "ES256": lambda: assertion(MACHINE),
    "RS256": lambda: assertion(MACHINE, key=RSA),
    "kid": lambda: assertion(MACHINE, header={"kid": EC.thumbprint()}),
    "list": lambda: assertion(MACHINE, aud=[ISSUER]),
    "client_id": lambda: assertion(MACHINE) | {"client_id": MACHINE},
}
"""Made when the test runs: an assertion is good for a minute."""


@pytest.mark.parametrize("name", GOOD)
async def test_a_client_proves_itself_with_one_of_its_keys(machine: Desk, name: str) -> None:
    answer = await ask(machine, GOOD[name]())

    assert answer.status_code == 200, answer.text
    claims = await machine.claims(answer.json()["access_token"])
    assert (claims["sub"], claims["client_id"]) == (MACHINE, MACHINE)


async def test_an_assertion_is_good_once(machine: Desk, network: Network) -> None:
    given = assertion(MACHINE)

    first, second = await ask(machine, given), await ask(machine, given)

    assert first.status_code == 200
    assert (second.status_code, error_of(second)) == (401, "invalid_client")
    async with network.database.sessions() as session:
        [row] = await session.scalars(select(UsedIdentifier))
    assert row.owner == f"client:{MACHINE}"
    assert 60 < row.expires_at.timestamp() - time.time() < 100


def unsigned() -> dict[str, str]:
    good = assertion(MACHINE)["client_assertion"].split(".")
    return {
        "client_assertion_type": ASSERTION,
        "client_assertion": f"eyJhbGciOiJub25lIn0.{good[1]}.",
    }


def by_public_key() -> dict[str, str]:
    """Signed with HS256, and as its secret the public key, which everybody knows."""
    claims = {"iss": MACHINE, "sub": MACHINE, "aud": ISSUER, "jti": "x"}
    parts = ({"alg": "HS256"}, claims | {"exp": int(time.time()) + 60})
    signing = ".".join(encoded(json.dumps(part).encode()) for part in parts)
    secret = EC.as_pem(private=False)
    signature = encoded(hmac.digest(secret, signing.encode(), "sha256"))
    return {
        "client_assertion_type": ASSERTION,
        "client_assertion": f"{signing}.{signature}",
    }


WRONG: dict[str, Callable[[], dict[str, str]]] = {
    "another key": lambda: assertion(MACHINE, key=ECKey.generate_key("P-256")),
    "unknown kid": lambda: assertion(MACHINE, header={"kid": "other"}),
    "odd kid": lambda: assertion(MACHINE, header={"kid": "a\u0000b"}),
    "unsigned": unsigned,
    "signed with the public key": by_public_key,
    "another issuer": lambda: assertion(MACHINE, iss="tokyo-other"),
    "another client": lambda: assertion("tokyo-other"),
    "no subject": lambda: assertion(MACHINE, sub=None),
    "subject is no text": lambda: assertion(MACHINE, sub=None, extra=[1]),
    "for the token endpoint": lambda: assertion(MACHINE, aud=TOKEN),
    "for two": lambda: assertion(MACHINE, aud=[ISSUER, "https://other.example"]),
    "for nobody": lambda: assertion(MACHINE, aud=None),
    "expired": lambda: assertion(MACHINE, exp=int(time.time()) - 100),
    "for ever": lambda: assertion(MACHINE, exp=int(time.time()) + 100_000),
    "beyond all time": lambda: assertion(MACHINE, exp=10**40),
    "no end": lambda: assertion(MACHINE, exp=None),
    "no identifier": lambda: assertion(MACHINE, jti=None),
    "empty identifier": lambda: assertion(MACHINE, jti=""),
    "long identifier": lambda: assertion(MACHINE, jti="x" * 201),
    "identifier with NUL": lambda: assertion(MACHINE, jti="a\u0000b"),
    "another type": lambda: assertion(MACHINE) | {"client_assertion_type": "x"},
    "nonsense": lambda: {"client_assertion_type": ASSERTION, "client_assertion": "x"},
    "too long": lambda: {"client_assertion_type": ASSERTION, "client_assertion": "x" * 9_000},
}


@pytest.mark.parametrize("name", WRONG)
async def test_no_other_assertion_is_taken(machine: Desk, network: Network, name: str) -> None:
    answer = await ask(machine, WRONG[name]())

    assert (answer.status_code, error_of(answer)) == (401, "invalid_client")
    async with network.database.sessions() as session:
        assert await session.scalar(select(func.count()).select_from(UsedIdentifier)) == 0


async def test_a_client_has_one_name_and_one_way(machine: Desk, desk: Desk) -> None:
    two_names = await ask(machine, assertion(MACHINE) | {"client_id": "tokyo-other"})
    two_ways = await ask(machine, assertion(MACHINE) | {"client_secret": "x"})
    other_way = await ask(machine, {"client_id": MACHINE, "client_secret": "x"})
    no_proof = await ask(machine, {"client_id": MACHINE})
    not_with_a_key = await ask(desk, assertion(desk.client_id))

    for answer in (two_names, two_ways):
        assert (answer.status_code, error_of(answer)) == (400, "invalid_request")
    for answer in (other_way, no_proof, not_with_a_key):
        assert (answer.status_code, error_of(answer)) == (401, "invalid_client")


async def test_a_withdrawn_key_is_no_longer_taken(machine: Desk, network: Network) -> None:
    async with network.database.sessions.begin() as session:
        await session.execute(
            update(Client).where(Client.id == MACHINE).values(keys={"keys": KEYS["keys"][1:]})
        )

    assert (await ask(machine, assertion(MACHINE))).status_code == 401
    assert (await ask(machine, assertion(MACHINE, key=RSA))).status_code == 200


async def test_a_public_application_needs_its_verifier_and_nothing_else(
    desk: Desk, network: Network
) -> None:
    async with network.database.sessions.begin() as session:
        session.add(application(id="tokyo-app", authentication="none", is_first_party=True))
    app = Desk(desk.http, "tokyo-app", cookies=desk.cookies)
    code = await app.code()

    without = await app.redeem(code, code_verifier=None)
    secret = await app.redeem(code, client_secret="x")
    tokens = await app.redeem(code)
    refreshed = await app.refresh(tokens.json()["refresh_token"])

    assert (without.status_code, error_of(without)) == (400, "invalid_request")
    assert (secret.status_code, error_of(secret)) == (401, "invalid_client")
    assert (tokens.status_code, refreshed.status_code) == (200, 200)
