"""Every page is safe to show, and can be read in two languages."""

import re

import pytest
from fastapi import FastAPI

from services.portal.http.texts import ROLE_NAMES, TEXTS
from services.portal.model.return_path import local_path
from tests.portal.browsing import Browser, text_of
from tests.portal.platform import Platform

PATHS = ("/", "/sessions", "/session/logged-out", "/nowhere", "/session/callback")


@pytest.mark.parametrize("path", PATHS)
async def test_a_page_runs_no_script_and_is_kept_nowhere(browser: Browser, path: str) -> None:
    await browser.log_in()

    response = await browser.get(path)

    policy = response.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert policy.endswith("base-uri 'none'; frame-ancestors 'none'")
    assert "script" not in policy + response.text
    assert "unsafe" not in policy
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["x-frame-options"] == "DENY"
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["referrer-policy"] == "same-origin"
    assert response.headers["vary"] == "Accept-Language, Cookie"


@pytest.mark.parametrize("path", PATHS)
async def test_a_page_says_its_language_and_offers_the_other(browser: Browser, path: str) -> None:
    await browser.log_in()

    response = await browser.get(path, headers={"Accept-Language": "ja"})

    assert '<html lang="ja">' in response.text
    assert re.search(r'<a lang="en" hreflang="en" href="/[a-z/-]*\?ui_locales=en">', response.text)


async def test_a_chosen_language_is_remembered(browser: Browser) -> None:
    chosen = await browser.get("/?ui_locales=ja")
    later = await browser.get("/")
    again = await browser.get("/?ui_locales=en")

    assert [page.headers["content-language"] for page in (chosen, later, again)] == [
        "ja",
        "ja",
        "en",
    ]
    assert (
        "__Host-language=ja; HttpOnly; Max-Age=31536000; Path=/; SameSite=lax; Secure"
        in (chosen.headers["set-cookie"])
    )


async def test_the_login_speaks_the_language_that_was_chosen(browser: Browser) -> None:
    silent = await browser.begin()
    await browser.get("/?ui_locales=ja")

    asked = await browser.begin()

    assert "ui_locales" not in silent
    assert "ui_locales=ja" in asked


async def test_what_people_are_called_is_text(browser: Browser, platform: Platform) -> None:
    platform.name = "<img src=x onerror=alert(1)>"
    await browser.log_in()

    response = await browser.get("/")

    assert "<img" not in response.text
    assert "&lt;img" in response.text


async def test_a_role_that_is_new_is_shown_by_its_name(
    browser: Browser, platform: Platform
) -> None:
    platform.roles = ["observer", "archivist"]
    await browser.log_in()

    assert "Roles Observer, archivist" in text_of(await browser.get("/"))


async def test_who_has_no_role_is_told_so(browser: Browser, platform: Platform) -> None:
    platform.roles = []
    await browser.log_in()

    assert "Roles none yet" in text_of(await browser.get("/"))


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
async def test_where_no_page_is_a_page_says_so(browser: Browser, method: str) -> None:
    response = await browser.request(method, "/nowhere", headers={"Sec-Fetch-Site": "same-origin"})

    assert response.status_code == 404
    assert "There is no such page" in text_of(response)


async def test_a_fault_of_ours_is_answered_with_a_page(app: FastAPI, browser: Browser) -> None:
    await browser.log_in()
    app.state.api = None

    response = await browser.get("/")

    assert response.status_code == 500
    assert "The fault is ours" in text_of(response)


def test_both_languages_say_the_same_things() -> None:
    assert TEXTS["en"].keys() == TEXTS["ja"].keys()
    assert ROLE_NAMES["en"].keys() == ROLE_NAMES["ja"].keys()


@pytest.mark.parametrize("path", ["//a", "/\\a", "a", "", None, "/a//b", "/\x00", "/é", "/a#b"])
def test_only_a_path_of_this_host_is_local(path: str | None) -> None:
    assert local_path(path) == "/"
