"""Nothing is changed for what a page of somebody else makes a browser send."""

import pytest
from fastapi import FastAPI

from tests.portal.browsing import Browser, text_of
from tests.portal.platform import Platform
from tests.web import ISSUER

FORMS = ("/session/logout", "/session/switch", "/sessions/end", f"/sessions/{'0' * 32}/end")


@pytest.mark.parametrize("path", FORMS)
@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
        {"Sec-Fetch-Site": "cross-site", "Origin": ISSUER},
        {"Sec-Fetch-Site": "", "Origin": ISSUER},
    ],
)
async def test_a_form_of_another_site_changes_nothing(
    browser: Browser, platform: Platform, path: str, headers: dict[str, str]
) -> None:
    await browser.log_in()
    platform.asked.clear()

    response = await browser.post(path, data=browser.ticket(), headers=headers)

    assert response.status_code == 403
    assert "sent from another site" in text_of(response)
    assert platform.asked == []
    assert (await browser.get("/")).status_code == 200
    assert not platform.families[0].is_over


@pytest.mark.parametrize("origin", [None, "null", "https://evil.example", f"{ISSUER}.evil.example"])
async def test_where_a_browser_says_nothing_of_the_site_the_origin_decides(
    browser: Browser, origin: str | None
) -> None:
    await browser.log_in()
    headers = {} if origin is None else {"Origin": origin}

    refused = await browser.plain_post("/session/logout", headers)
    taken = await browser.plain_post("/session/logout", {"Origin": ISSUER})

    assert refused.status_code == 403
    assert taken.status_code == 303
    assert taken.headers["location"].startswith(f"{ISSUER}/oauth/end_session?")


@pytest.mark.parametrize("path", FORMS)
@pytest.mark.parametrize("ticket", [{}, {"ticket": ""}, {"ticket": "0" * 64}, {"ticket": "%C3"}])
async def test_a_form_without_the_ticket_of_the_session_changes_nothing(
    browser: Browser, platform: Platform, path: str, ticket: dict[str, str]
) -> None:
    await browser.log_in()
    platform.asked.clear()

    response = await browser.post(path, data=ticket)

    assert response.status_code == 403
    assert platform.asked == []
    assert not platform.families[0].is_over


async def test_the_ticket_of_another_session_is_none(
    app: FastAPI, browser: Browser, platform: Platform
) -> None:
    await browser.log_in()
    async with Browser.of(app, platform) as attacker:
        await attacker.log_in()
        ticket = attacker.ticket()

    response = await browser.post("/session/logout", data=ticket)

    assert response.status_code == 403
    assert not platform.families[0].is_over


async def test_every_page_with_a_form_shows_the_ticket(browser: Browser) -> None:
    await browser.log_in()

    for path in ("/", "/sessions"):
        page = await browser.get(path)

        assert page.text.count("<form") == page.text.count(browser.ticket()["ticket"]) > 0


@pytest.mark.parametrize("path", ["/session/logout", "/session/switch", "/sessions/end"])
async def test_reading_changes_nothing(browser: Browser, platform: Platform, path: str) -> None:
    await browser.log_in()

    response = await browser.get(path)

    assert response.status_code in (404, 405)
    assert not platform.families[0].is_over
