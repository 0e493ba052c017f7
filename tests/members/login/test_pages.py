"""Choosing a city: from the list, by the address of last time, by a mail address."""

import re
from html.parser import HTMLParser
from typing import Any, Final

import pytest

from services.members.model.identity_provider import IdentityProvider
from shared.clock import utc_now
from tests.members.login.seoul import Seoul, browser
from tests.members.network import city

FORM: Final = "application/x-www-form-urlencoded"


class Structure(HTMLParser):
    """What a page is made of."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs


async def test_the_cities_that_can_log_in_are_shown(seoul: Seoul) -> None:
    await seoul.network.join(city("busan"))
    async with browser(seoul.network.app) as client:
        page = await client.get("/login")

    assert page.status_code == 200
    assert re.findall(r'<li><a href="([^"]+)">([^<]+)', page.text) == [("/login/seoul", "Seoul")]
    assert "Busan" not in page.text


async def test_the_way_back_to_an_application_is_kept(seoul: Seoul) -> None:
    authorization = "01a209b6-67d3-7539-91cb-8c43058e85fb"
    async with browser(seoul.network.app) as client:
        page = await client.get(f"/login?authorization={authorization}&ui_locales=ja")
        by_mail = await client.post(
            f"/login?authorization={authorization}", data={"email": "who@seoul.example"}
        )

    assert f"/login/seoul?authorization={authorization}&amp;ui_locales=ja" in page.text
    assert f"/login?authorization={authorization}&amp;ui_locales=ja" in page.text
    assert by_mail.status_code == 200


@pytest.mark.parametrize(
    ("headers", "query", "language"),
    [
        ({}, "", "en"),
        ({"Accept-Language": "ja"}, "", "ja"),
        ({"Accept-Language": "fr, ja-JP;q=0.4, en;q=0.3"}, "", "ja"),
        ({"Accept-Language": "fr;q=0.9"}, "", "en"),
        ({"Accept-Language": "ja;q=0, en"}, "", "en"),
        ({"Accept-Language": "ja;q=much, *;;"}, "", "en"),
        ({"Accept-Language": "en"}, "?ui_locales=ko%20ja", "ja"),
        ({"Accept-Language": "ja"}, "?ui_locales=en", "en"),
        ({"Accept-Language": "ja"}, "?ui_locales=" + "x" * 9_00, "ja"),
    ],
    ids=str,
)
async def test_the_language_is_what_was_asked_for_or_what_the_browser_likes(
    seoul: Seoul, headers: dict[str, str], query: str, language: str
) -> None:
    async with browser(seoul.network.app, **headers) as client:
        page = await client.get(f"/login{query}")

    assert page.headers["content-language"] == language
    assert f'<html lang="{language}">' in page.text
    assert ("都市を選ぶ" in page.text) is (language == "ja")


async def test_a_page_runs_nothing_and_is_kept_nowhere(seoul: Seoul) -> None:
    async with browser(seoul.network.app) as client:
        page = await client.get("/login")

    structure = Structure(page.text)
    assert "script" not in structure.tags
    assert not [name for name, _ in structure.attributes if name.startswith("on")]
    assert ("style" in structure.tags, "style" in dict(structure.attributes)) == (True, False)
    policy = page.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "form-action" not in policy
    assert "unsafe" not in policy
    assert page.headers["cache-control"] == "no-store"
    assert page.headers["x-frame-options"] == "DENY"
    assert page.headers["referrer-policy"] == "same-origin"


async def test_every_field_has_a_label_and_every_page_a_heading(seoul: Seoul) -> None:
    async with browser(seoul.network.app) as client:
        page = await client.get("/login")

    structure = Structure(page.text)
    assert structure.tags.count("h1") == 1
    assert ("for", "email") in structure.attributes
    assert ("id", "email") in structure.attributes
    assert structure.tags.count("main") == 1


async def test_a_mail_address_leads_to_the_city_whose_domain_it_is(seoul: Seoul) -> None:
    await seoul.prove()
    async with browser(seoul.network.app) as client:
        found = await client.post("/login", data={"email": "nobody-at-all@SEOUL.example"})

    assert (found.status_code, found.headers["location"]) == (303, "/login/seoul")


@pytest.mark.parametrize(
    "email",
    ["min@busan.example", "min@xseoul.example", "seoul.example.evil", "", "@", "a" * 5_000, "<b>"],
)
async def test_any_other_address_leads_to_the_list(seoul: Seoul, email: str) -> None:
    await seoul.prove()
    async with browser(seoul.network.app) as client:
        page = await client.post("/login", data={"email": email})

    assert page.status_code == 200
    assert "Choose it from the list" in page.text
    assert "<b>" not in page.text


async def test_a_domain_that_is_only_claimed_leads_nowhere(seoul: Seoul) -> None:
    await seoul.network.send(
        "POST", "/seoul/email-domains", {"domain": "seoul.example"}, by="seoul"
    )
    async with browser(seoul.network.app) as client:
        page = await client.post("/login", data={"email": "min@seoul.example"})

    assert "Choose it from the list" in page.text


async def test_the_city_of_last_time_stands_first(seoul: Seoul) -> None:
    await seoul.invite()
    await seoul.prove()
    async with browser(seoul.network.app) as client:
        before = await client.get("/login")
        await seoul.log_in(client)
        after = await client.get("/login?another=1")

    assert "Continue with" not in before.text
    assert "Continue with Seoul" in after.text


async def test_several_providers_of_a_city_are_offered_by_name(seoul: Seoul) -> None:
    first = seoul.row
    await activate_another(seoul)
    async with browser(seoul.network.app) as client:
        page = await client.get("/login/seoul")
        chosen = await client.get(f"/login/seoul?provider={first['id']}")

    assert "City login" in page.text
    assert "Water &lt;works&gt;" in page.text
    assert chosen.status_code == 302


async def activate_another(seoul: Seoul) -> None:
    now = utc_now()
    async with seoul.network.database.sessions.begin() as session:
        session.add(
            IdentityProvider(
                member="seoul",
                name="Water <works>",
                issuer="https://water.seoul.example",
                client_id="renkei",
                sealed_secret=None,
                authentication="client_secret_basic",
                scopes=("openid",),
                algorithms=("RS256",),
                subject_claim="sub",
                roles_claim=None,
                role_of_group={},
                unknown_people="refuse",
                unknown_role=None,
                strong_acr=(),
                status="active",
                created_at=now,
                updated_at=now,
            )
        )


@pytest.mark.parametrize(
    "path",
    [
        "/login/busan",
        "/login/nowhere",
        "/login/%00",
        "/login/%ff",
        "/login/SEOUL",
        "/login/seoul%0a",
        "/login/" + "a" * 500,
        "/login/busan?authorization=x&authorization=y&provider=%00",
    ],
)
async def test_a_city_without_a_login_is_no_fault(seoul: Seoul, path: str) -> None:
    async with browser(seoul.network.app) as client:
        page = await client.get(path)

    assert page.status_code == 404
    assert "Nobody can log in for this city" in page.text


@pytest.mark.parametrize(
    ("method", "path", "given"),
    [
        ("POST", "/login", {"content": b"\xff\xfe"}),
        ("POST", "/login", {"content": b"email=%ff", "headers": {"content-type": FORM}}),
        ("POST", "/login", {"content": b"email=a&email=b", "headers": {"content-type": FORM}}),
        ("POST", "/login", {"content": b"x" * 100_000, "headers": {"content-type": FORM}}),
        ("POST", "/login", {"json": {"email": "a@b.example"}}),
        ("POST", "/logout", {"content": b"\0"}),
        ("GET", "/login?authorization=%00&ui_locales=%00", {}),
        ("GET", "/login", {"headers": {"cookie": '__Host-sign-in=%00; __Host-city="; x'}}),
        ("GET", "/login/seoul", {"headers": {"cookie": f"__Host-login={'x' * 5_000}"}}),
        ("GET", "/login/%2e%2e/logged-out", {}),
    ],
    ids=str,
)
async def test_nothing_that_is_sent_is_a_fault_of_ours(
    seoul: Seoul, method: str, path: str, given: dict[str, Any]
) -> None:
    async with browser(seoul.network.app) as client:
        response = await client.request(method, path, **given)

    assert response.status_code < 500
    kind = response.headers.get("content-type", "")
    assert response.is_redirect or kind.startswith(("text/html", "application/problem+json"))
