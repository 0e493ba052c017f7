"""A token that is bound to a key is good with a proof of that key, and without it for nobody."""

import json
import time
from base64 import urlsafe_b64encode
from typing import Any
from uuid import uuid4

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from joserfc.jwk import ECKey

from shared.http.dpop import hash_of_token
from tests.shared.things import Place
from tests.shared.things_api import client_of
from tests.web import ISSUER, token

MINE = ECKey.generate_key("P-256")
OTHER = ECKey.generate_key("P-256")
SCOPES = "things:read things:write"


def b64(data: bytes) -> str:
    return urlsafe_b64encode(data).decode().rstrip("=")


def proof(about: str, *, key: ECKey = MINE, **changes: Any) -> str:
    header = {"typ": "dpop+jwt", "alg": "ES256", "jwk": key.as_dict(private=False)}
    claims = {
        "jti": str(uuid4()),
        "htm": "GET",
        "htu": f"{ISSUER}/api/v1/things",
        "iat": int(time.time()),
        "ath": hash_of_token(about),
    } | changes
    text = ".".join(b64(json.dumps(part).encode()) for part in (header, claims))
    private = key.private_key
    assert isinstance(private, ec.EllipticCurvePrivateKey)
    r, s = decode_dss_signature(private.sign(text.encode(), ec.ECDSA(SHA256())))
    return f"{text}.{b64(r.to_bytes(32) + s.to_bytes(32))}"


def bound(**claims: Any) -> str:
    return token("seoul", SCOPES, **{"cnf": {"jkt": MINE.thumbprint()}} | claims)


async def ask(place: Place, scheme: str, shown: str, *proofs: str) -> int:
    headers = [("Authorization", f"{scheme} {shown}"), *(("DPoP", each) for each in proofs)]
    async with client_of(place, None) as http:
        return (await http.get("/api/v1/things?limit=1", headers=headers)).status_code


async def test_a_bound_token_is_good_with_a_proof_about_it(place: Place) -> None:
    shown = bound()

    assert await ask(place, "DPoP", shown, proof(shown)) == 200
    assert await ask(place, "dpop", shown, proof(shown)) == 200


async def test_a_proof_is_taken_once(place: Place) -> None:
    shown = bound()
    headers = {"Authorization": f"DPoP {shown}", "DPoP": proof(shown)}

    async with client_of(place, None) as http:
        answers = [await http.get("/api/v1/things?limit=1", headers=headers) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [200, 401]


async def test_a_bound_token_is_no_bearer_token(place: Place) -> None:
    shown = bound()

    assert await ask(place, "Bearer", shown) == 401
    assert await ask(place, "Bearer", shown, proof(shown)) == 401


async def test_a_bearer_token_needs_no_proof_and_is_no_dpop_token(place: Place) -> None:
    shown = token("seoul", SCOPES)

    assert await ask(place, "Bearer", shown) == 200
    assert await ask(place, "DPoP", shown, proof(shown)) == 401


@pytest.mark.parametrize("cnf", [{}, "x", None, [], {"jkt": 1}, {"x5t#S256": "x"}], ids=str)
async def test_a_token_that_is_bound_in_another_way_is_refused(place: Place, cnf: Any) -> None:
    shown = bound(cnf=cnf)

    assert await ask(place, "Bearer", shown) == 401
    assert await ask(place, "DPoP", shown, proof(shown)) == 401


@pytest.mark.parametrize(
    "changes",
    [
        {"htm": "POST"},
        {"htu": f"{ISSUER}/api/v1/other"},
        {"htu": "https://other.example/api/v1/things"},
        {"ath": hash_of_token("x")},
        {"ath": None},
        {"iat": int(time.time()) - 3_600},
        {"key": OTHER},
    ],
)
async def test_a_proof_of_something_else_is_refused(place: Place, changes: dict[str, Any]) -> None:
    shown = bound()

    assert await ask(place, "DPoP", shown, proof(shown, **changes)) == 401


async def test_one_proof_is_needed(place: Place) -> None:
    shown = bound()

    assert await ask(place, "DPoP", shown) == 401
    assert await ask(place, "DPoP", shown, proof(shown), proof(shown)) == 401
    assert await ask(place, "DPoP", shown, "x") == 401
