"""Nothing that can be sent to the authorization server is a fault of ours."""

import random
from typing import Final

import pytest

from tests.members.oauth.browsing import BACK, CHALLENGE, VERIFIER, Desk
from tests.members.oauth.keys import ASSERTION, TOKEN, assertion, proof

FORM: Final = "application/x-www-form-urlencoded"
ODD: Final = [
    *("", " ", "0", "-1", "9" * 40, "x", '"', "\\", "%", "%00", "\u0000", "\u6771", "\ud7ff", "\n"),
    *("none", "login", "login none", "null", "[]", "{}", "a" * 5_000, "..", "a.b.c", "1e400"),
    *("https://evil.example/", "urn:ietf:params:oauth:request_uri:x", "S256", "plain", "code"),
    *("01a209ba-fc62-71f0-a2d8-6c13a7ed3b88", "true", "eyJhbGciOiJub25lIn0.e30."),
]
NAMES: Final = [
    *("response_type", "client_id", "redirect_uri", "scope", "state", "nonce", "prompt", "max_age"),
    *(
        "acr_values",
        "login_hint",
        "code_challenge",
        "code_challenge_method",
        "dpop_jkt",
        "resource",
    ),
    *("request", "request_uri", "continue", "claims", "response_mode", "grant_type", "code"),
    *("code_verifier", "refresh_token", "client_secret", "client_assertion", "token", "decision"),
    *("client_assertion_type", "authorization", "ticket", "token_type_hint", "id_token_hint"),
]
HEADERS: Final = ["authorization", "dpop", "cookie", "content-type", "accept-language"]
ROUTES: Final = [
    *(("GET", "/oauth/authorize"), ("GET", "/oauth/userinfo"), ("POST", "/oauth/userinfo")),
    *(("POST", "/oauth/token"), ("POST", "/oauth/par"), ("POST", "/oauth/revoke")),
    *(("POST", "/oauth/introspect"), ("POST", "/oauth/consent")),
]
TRIES: Final = 25


def good(desk: Desk, chance: random.Random) -> dict[str, str]:
    """Everything that could be right, of which some will not be."""
    return desk.asking() | {
        "grant_type": chance.choice(["authorization_code", "refresh_token", "client_credentials"]),
        "code": "rkc_x",
        "refresh_token": "rkr_x",
        "code_verifier": VERIFIER,
        "code_challenge": CHALLENGE,
        "redirect_uri": BACK,
        "client_secret": str(desk.secret),
        "token": "x",
        "decision": "allow",
    }


@pytest.mark.parametrize(("method", "path"), ROUTES)
async def test_no_mixture_of_right_and_odd_is_a_fault(desk: Desk, method: str, path: str) -> None:
    chance = random.Random(f"{method} {path}")
    found = []

    for _ in range(TRIES):
        given = good(desk, chance) | {
            chance.choice(NAMES): chance.choice(ODD) for _ in range(chance.randrange(4))
        }
        headers = {"Cookie": f"__Host-sign-in={desk.cookies['__Host-sign-in']}"}
        if method == "POST":
            headers["content-type"] = FORM
        if chance.random() < 0.3:
            odd = chance.choice(ODD).encode("ascii", "ignore").decode()
            headers[chance.choice(HEADERS)] = odd.replace("\x00", "").replace("\n", "").strip()
        if chance.random() < 0.2:
            headers["dpop"] = proof(TOKEN)
        if chance.random() < 0.2:
            given.pop("client_secret", None)
            given |= assertion(desk.client_id) | {"client_assertion_type": ASSERTION}
        answer = await desk.http.request(
            method,
            path,
            params=given if method == "GET" else None,
            data=given if method == "POST" else None,
            headers=headers,
        )
        found.append(answer.status_code)

    assert max(found) < 500
    assert len(found) == TRIES
