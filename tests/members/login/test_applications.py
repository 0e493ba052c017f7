"""Somebody logs in to an application: there, to the city's provider, and back with a code."""

import time
from base64 import urlsafe_b64encode
from hashlib import sha256
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from httpx2 import AsyncClient, Response

from shared.actor import STRONG
from tests.members.login.seoul import Seoul, browser

BACK: Final = "https://desk.example/back"
VERIFIER: Final = "v" * 43
CHALLENGE: Final = urlsafe_b64encode(sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()


@pytest.fixture
async def desk(seoul: Seoul) -> dict[str, Any]:
    """An application of Seoul, and somebody who may use it."""
    await seoul.invite()
    await seoul.prove()
    response = await seoul.network.send(
        "POST",
        "/seoul/clients",
        {
            "name": "Water desk",
            "kind": "application",
            "scopes": ["projects:read"],
            "redirect_uris": [BACK],
        },
        by="seoul",
    )
    assert response.status_code == 201, response.text
    return dict(response.json())


def asked(desk: dict[str, Any], **more: str) -> str:
    """The address that the application sends a browser to."""
    return "/oauth/authorize?" + urlencode(
        {
            "response_type": "code",
            "client_id": desk["id"],
            "redirect_uri": BACK,
            "scope": "openid projects:read",
            "state": "here",
            "nonce": "n",
            "code_challenge": CHALLENGE,
            "code_challenge_method": "S256",
            "login_hint": "seoul",
        }
        | more
    )


async def to_the_provider(client: AsyncClient, path: str) -> dict[str, str]:
    """Follow the way out, and give what the provider is asked."""
    login = await client.get(path)
    assert login.headers["location"].startswith("/login/seoul?authorization="), login.text
    left = await client.get(login.headers["location"])
    assert left.status_code == 302, left.text
    return {"url": left.headers["location"]} | dict(
        parse_qsl(urlsplit(left.headers["location"]).query)
    )


async def back_again(seoul: Seoul, client: AsyncClient, url: str) -> Response:
    """Follow the way back, until there is a page or the application."""
    came = await client.get(seoul.provider.log_in(url))
    if came.status_code != 302:
        return came
    assert came.headers["location"].startswith("/oauth/authorize?continue="), came.text
    return await client.get(came.headers["location"])


async def test_who_comes_back_is_asked_for_consent(seoul: Seoul, desk: dict[str, Any]) -> None:
    async with browser(seoul.network.app) as client:
        out = await to_the_provider(client, asked(desk))
        page = await back_again(seoul, client, out["url"])

    assert page.status_code == 200
    assert "Water desk" in page.text


async def test_a_second_factor_is_asked_for_and_believed_from_the_provider_alone(
    seoul: Seoul, desk: dict[str, Any]
) -> None:
    await seoul.change(strong_acr=["urn:seoul:two"])
    async with browser(seoul.network.app) as client:
        out = await to_the_provider(client, asked(desk, acr_values=STRONG))
        refused = await back_again(seoul, client, out["url"])
        out = await to_the_provider(client, asked(desk, acr_values=STRONG))
        seoul.provider.id_claims = {"acr": "urn:seoul:two"}
        page = await back_again(seoul, client, out["url"])

    assert out["acr_values"] == "urn:seoul:two"
    assert refused.status_code == 403
    assert "second factor is needed" in refused.text
    assert page.status_code == 200
    [sign_in] = await seoul.sign_ins()
    assert sign_in.acr == STRONG


async def test_a_city_without_a_second_factor_says_so(seoul: Seoul, desk: dict[str, Any]) -> None:
    async with browser(seoul.network.app) as client:
        login = await client.get(asked(desk, acr_values=STRONG))
        page = await client.get(login.headers["location"])

    assert page.status_code == 403
    assert "second factor is needed" in page.text


@pytest.mark.parametrize("seconds_ago", [5, 3_000, None])
async def test_a_fresh_login_is_asked_for_and_believed_from_the_provider_alone(
    seoul: Seoul, desk: dict[str, Any], seconds_ago: int | None
) -> None:
    at = None if seconds_ago is None else int(time.time()) - seconds_ago
    seoul.provider.id_claims = {"auth_time": at}
    async with browser(seoul.network.app) as client:
        out = await to_the_provider(client, asked(desk, max_age="600"))
        page = await back_again(seoul, client, out["url"])

    assert out["max_age"] == "600"
    assert page.status_code == (200 if seconds_ago == 5 else 403)


async def test_who_must_log_in_again_is_asked_by_the_provider_and_once(
    seoul: Seoul, desk: dict[str, Any]
) -> None:
    async with browser(seoul.network.app) as client:
        out = await to_the_provider(client, asked(desk))
        await back_again(seoul, client, out["url"])
        out = await to_the_provider(client, asked(desk, prompt="login"))
        page = await back_again(seoul, client, out["url"])

    assert (out["prompt"], out["max_age"]) == ("login", "0")
    assert page.status_code == 200


async def test_who_is_logged_in_does_not_see_the_provider(
    seoul: Seoul, desk: dict[str, Any]
) -> None:
    async with browser(seoul.network.app) as client:
        await seoul.log_in(client)
        page = await client.get(asked(desk))

    assert page.status_code == 200
    assert "Water desk" in page.text


async def test_the_pages_speak_the_language_that_the_application_wants(
    seoul: Seoul, desk: dict[str, Any]
) -> None:
    async with browser(seoul.network.app, **{"Accept-Language": "en"}) as client:
        login = await client.get(asked(desk, ui_locales="fr ja", login_hint=""))
        page = await client.get(login.headers["location"], follow_redirects=True)
        login = await client.get(asked(desk, ui_locales="fr ja"))
        left = await client.get(login.headers["location"])
        left = await client.get(left.headers["location"])

    assert "都市を選ぶ" in page.text
    assert dict(parse_qsl(urlsplit(left.headers["location"]).query))["ui_locales"] == "fr ja"
