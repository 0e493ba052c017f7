"""A provider, or somebody between, who lies gets nowhere."""

import json
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

import pytest
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey

from tests.members.login.provider import KEY, SECRET, Claims, Provider
from tests.members.login.seoul import PATH, Seoul, browser, is_in

OTHER: Final = RSAKey.generate_key(2048, {"use": "sig", "alg": "RS256", "kid": str(KEY.kid)})


def unsigned(claims: Claims) -> str:
    parts = ({"alg": "none"}, claims)
    encoded = [urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in parts]
    return b".".join(encoded).decode() + "."


def by(key: Any, **header: Any) -> Callable[[Claims], str]:
    return lambda claims: jwt.encode(
        {"alg": "RS256", "kid": KEY.kid} | header, claims, key, algorithms=["RS256", "HS256"]
    )


LIES: Final[dict[str, dict[str, Any]]] = {
    "unsigned": {"sign": unsigned},
    "signed with the secret": {
        "sign": by(OctKey.import_key(SECRET.ljust(32, "x")), alg="HS256", kid=None)
    },
    "signed with the public key": {
        "sign": by(OctKey.import_key(KEY.as_pem(private=False)[27:-25]), alg="HS256")
    },
    "signed by somebody else": {"sign": by(OTHER)},
    "brings its own key": {"sign": by(OTHER, jwk=OTHER.as_dict(private=False), kid=None)},
    "no token": {"sign": lambda _: None},
    "garbage": {"sign": lambda _: "a.b.c"},
    "too long": {"sign": lambda _: "a" * 40_000},
    "for somebody else": {"id_claims": {"aud": "other", "azp": "renkei"}},
    "for two, and nobody says who asked": {"id_claims": {"aud": ["renkei", "other"]}},
    "for two, and another asked": {"id_claims": {"aud": ["renkei", "other"], "azp": "other"}},
    "of another issuer": {"id_claims": {"iss": "https://evil.example"}},
    "answer of another issuer": {"answer": {"iss": "https://evil.example"}},
    "answer without an issuer": {"answer": {"iss": ""}},
    "metadata of another issuer": {"metadata": {"issuer": "https://evil.example"}},
    "keys in our house": {"metadata": {"jwks_uri": "file:///etc/passwd"}},
    "nothing but unsigned": {"metadata": {"id_token_signing_alg_values_supported": ["none"]}},
    "algorithms that are none": {"metadata": {"id_token_signing_alg_values_supported": 7}},
    "foreign nonce": {"id_claims": {"nonce": "x"}},
    "no nonce": {"id_claims": {"nonce": None}},
    "nonce that is no text": {"id_claims": {"nonce": "\ud800"}},
    "no end": {"id_claims": {"exp": None}},
    "over": {"id_claims": {"exp": int(time.time()) - 100}},
    "end in words": {"id_claims": {"exp": "soon"}},
    "from the future": {"id_claims": {"iat": int(time.time()) + 90_000}},
    "audience is a number": {"id_claims": {"aud": 7}},
    "subject is a list": {"id_claims": {"sub": ["kim-1"]}},
    "subject is empty": {"id_claims": {"sub": ""}},
    "subject with a NUL": {"id_claims": {"sub": "kim\0"}, "userinfo": {"sub": "kim\0"}},
    "userinfo of somebody else": {"userinfo": {"sub": "somebody"}},
    "proved long ago": {"id_claims": {"auth_time": int(time.time()) - 40_000}},
    "proved in the future": {"id_claims": {"auth_time": int(time.time()) + 90_000}},
    "proved in words": {"id_claims": {"auth_time": "now"}},
    "a code of nobody": {"answer": {"code": "guessed"}},
}


WITHOUT_ISS: Final = {"authorization_response_iss_parameter_supported": False}


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES.keys())
async def test_a_lie_gets_nowhere(seoul: Seoul, lie: dict[str, Any]) -> None:
    await seoul.invite()
    await seoul.prove()
    seoul.network.app.state.identity_providers._known.clear()
    for name, value in lie.items():
        setattr(seoul.provider, name, value)

    async with browser(seoul.network.app) as client:
        response = await client.get("/login/seoul")
        if response.status_code == 302:
            response = await client.get(seoul.provider.log_in(response.headers["location"]))

        assert response.status_code == 403, response.text
        assert not is_in(client)
    assert await seoul.sign_ins() == []
    assert [official.identity_id for official in await seoul.officials()] == [None]


@pytest.mark.parametrize(
    "oddity",
    [
        {
            "metadata": {"authorization_response_iss_parameter_supported": False},
            "answer": {"iss": ""},
        },
        {"id_claims": {"auth_time": None}},
        {"id_claims": {"aud": ["renkei"]}},
        {"id_claims": {"aud": ["renkei", "other"], "azp": "renkei"}},
        {"sign": lambda claims: jwt.encode({"alg": "RS256"}, claims, KEY)},
    ],
    ids=["no iss", "no auth_time", "one in a list", "two and we asked", "no key id"],
)
async def test_what_honest_providers_do_is_accepted(seoul: Seoul, oddity: dict[str, Any]) -> None:
    await seoul.invite()
    await seoul.prove()
    seoul.network.app.state.identity_providers._known.clear()
    for name, value in oddity.items():
        setattr(seoul.provider, name, value)

    async with browser(seoul.network.app) as client:
        response = await seoul.log_in(client)

        assert response.status_code == 302, response.text
        assert is_in(client)


async def test_what_is_asked_names_everything_that_protects_a_login(seoul: Seoul) -> None:
    async with browser(seoul.network.app) as client:
        left = await client.get("/login/seoul")

    asked = dict(parse_qsl(urlsplit(left.headers["location"]).query))
    assert asked.pop("state") != asked.pop("nonce")
    assert len(asked.pop("code_challenge")) == 43
    assert asked == {
        "response_type": "code",
        "client_id": "renkei",
        "redirect_uri": "https://renkei.example/login/seoul/callback",
        "scope": "openid profile email",
        "code_challenge_method": "S256",
        "max_age": "36000",
        "ui_locales": "en",
    }


async def test_an_answer_counts_once(seoul: Seoul) -> None:
    await seoul.invite()
    await seoul.prove()
    async with browser(seoul.network.app) as client:
        left = await client.get("/login/seoul")
        back = seoul.provider.log_in(left.headers["location"])
        answers = [await client.get(back) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [302, 400]
    assert "expired" in answers[1].text
    assert len(await seoul.sign_ins()) == 1


async def test_an_answer_counts_in_the_browser_that_asked_alone(seoul: Seoul) -> None:
    await seoul.invite()
    await seoul.prove()
    async with browser(seoul.network.app) as one, browser(seoul.network.app) as other:
        left = await one.get("/login/seoul")
        await other.get("/login/seoul")
        response = await other.get(seoul.provider.log_in(left.headers["location"]))

        assert (response.status_code, is_in(other)) == (400, False)


async def test_an_answer_counts_at_the_city_that_asked_alone(seoul: Seoul) -> None:
    async with browser(seoul.network.app) as client:
        left = await client.get("/login/seoul")
        back = seoul.provider.log_in(left.headers["location"])
        response = await client.get(back.replace("/login/seoul/", "/login/tokyo/"))

        assert (response.status_code, is_in(client)) == (400, False)


@pytest.mark.parametrize(
    "query",
    [
        "",
        "code=1",
        "state=a&state=b",
        "state=%00",
        "state=%ff",
        "state=" + "a" * 9_000,
        "%",
        "state",
    ],
)
async def test_an_answer_that_cannot_be_read_is_refused(seoul: Seoul, query: str) -> None:
    async with browser(seoul.network.app) as client:
        await client.get("/login/seoul")
        response = await client.get(f"/login/seoul/callback?{query}")

    assert response.status_code == 400
    assert response.headers["content-type"].startswith("text/html")


async def test_a_no_of_the_provider_is_told_in_plain_words(seoul: Seoul) -> None:
    seoul.provider.answer = {"error": "access_denied", "code": ""}
    async with browser(seoul.network.app, **{"Accept-Language": "ja,en;q=0.5"}) as client:
        response = await seoul.log_in(client)

    assert response.status_code == 403
    assert "拒否されました" in response.text
    assert response.headers["content-language"] == "ja"


async def test_a_new_key_is_read_when_a_signature_does_not_fit(seoul: Seoul) -> None:
    await seoul.invite()
    await seoul.prove()
    client_of_providers = seoul.network.app.state.identity_providers
    await use_new_key(seoul.provider, client_of_providers)

    async with browser(seoul.network.app) as client:
        response = await seoul.log_in(client)

    assert response.status_code == 302, response.text
    assert seoul.provider.asked.count("/jwks") == 2


async def test_wrong_signatures_lead_to_no_flood_of_questions(seoul: Seoul) -> None:
    seoul.provider.sign = by(OTHER)
    async with browser(seoul.network.app) as client:
        for _ in range(5):
            await seoul.log_in(client)

    assert seoul.provider.asked.count("/jwks") == 1


async def use_new_key(provider: Provider, client: Any) -> None:
    """Let the provider change its key, a while after we have read the old one."""
    provider.key = RSAKey.generate_key(2048, {"use": "sig", "alg": "RS256"}, auto_kid=True)
    known = client._known[f"{provider.issuer}/jwks"]
    client._known[f"{provider.issuer}/jwks"] = type(known)(known.document, known.read_at - 60)


async def test_a_provider_that_is_down_is_told_in_plain_words(seoul: Seoul) -> None:
    seoul.provider.is_down = True
    seoul.network.app.state.identity_providers._known.clear()
    async with browser(seoul.network.app) as client:
        response = await client.get("/login/seoul")

    assert response.status_code == 503
    assert "does not answer" in response.text


async def test_a_provider_in_our_house_is_not_asked(seoul: Seoul) -> None:
    client_of_providers = seoul.network.app.state.identity_providers
    client_of_providers.allow_private = False
    client_of_providers._known.clear()
    asked = len(seoul.provider.asked)
    async with browser(seoul.network.app) as client:
        response = await client.get("/login/seoul")

    assert response.status_code == 503
    assert len(seoul.provider.asked) == asked


async def test_a_test_login_opens_no_session_and_shows_what_is_said(seoul: Seoul) -> None:
    await seoul.change(roles_claim="groups", role_of_group={"desk": "contributor"})
    seoul.provider.person["groups"] = ["desk"]
    given = await seoul.network.send("POST", f"{PATH}/{seoul.row['id']}/test", by="seoul")
    async with browser(seoul.network.app) as client:
        page = await seoul.log_in(client, given.json()["url"])

        assert (page.status_code, is_in(client)) == (200, False)
    assert "The test login worked" in page.text
    assert "Contributor" in page.text
    assert "min@seoul.example" in page.text


async def test_a_test_login_that_fails_says_why_and_proves_nothing(seoul: Seoul) -> None:
    given = await seoul.network.send("POST", f"{PATH}/{seoul.row['id']}/test", by="seoul")
    before = await seoul.network.get(f"{PATH}/{seoul.row['id']}", by="seoul")
    seoul.provider.id_claims = {"aud": "other"}
    async with browser(seoul.network.app) as client:
        page = await seoul.log_in(client, given.json()["url"])

    assert page.status_code == 403
    assert "InvalidClaimError" in page.text
    assert await seoul.network.get(f"{PATH}/{seoul.row['id']}", by="seoul") == before


@pytest.mark.parametrize("given", ["x", "v1.k1.AAAA", "%00", "v1.k1." + "A" * 3_000])
async def test_an_invented_test_login_leads_nowhere(seoul: Seoul, given: str) -> None:
    async with browser(seoul.network.app) as client:
        response = await client.get(f"/login/seoul/test/{given}")

    assert response.status_code == 404
