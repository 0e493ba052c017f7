"""Who acts for several cities acts for one at a time."""

from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

from tests.portal.browsing import Browser, text_of
from tests.portal.platform import Platform


async def test_the_first_page_offers_the_other_cities(browser: Browser, platform: Platform) -> None:
    platform.places = [{"official_id": str(uuid4()), "member": "tokyo"}]
    await browser.log_in()

    page = await browser.get("/", headers={"Accept-Language": "ja"})

    assert "東京都に切り替える" in text_of(page)
    assert '<input type="hidden" name="member" value="tokyo">' in page.text


async def test_a_switch_is_a_new_login_and_a_new_session(
    browser: Browser, platform: Platform
) -> None:
    await browser.log_in()
    before = browser.session

    asked = await browser.submit("/session/switch", member="tokyo")
    still = await browser.get("/")
    platform.official_id, platform.member = uuid4(), "tokyo"
    came = await browser.get(platform.authorize(asked.headers["location"]))

    assert parse_qs(urlsplit(asked.headers["location"]).query)["login_hint"] == ["tokyo"]
    assert "For Seoul" in text_of(still)
    assert came.headers["location"] == "/"
    assert "For Tokyo" in text_of(await browser.get("/"))
    assert browser.session != before
    assert [family.is_over for family in platform.families] == [True, False]


async def test_a_switch_that_is_refused_leaves_the_session_as_it_was(
    browser: Browser, platform: Platform
) -> None:
    await browser.log_in()
    asked = await browser.submit("/session/switch", member="tokyo")
    platform.claims = lambda claims: claims | {"nonce": "another"}

    refused = await browser.get(platform.authorize(asked.headers["location"]))

    assert refused.status_code == 403
    assert "For Seoul" in text_of(await browser.get("/"))


async def test_another_city_can_be_chosen_at_the_login(browser: Browser) -> None:
    await browser.log_in()

    asked = await browser.submit("/session/switch")

    assert parse_qs(urlsplit(asked.headers["location"]).query)["prompt"] == ["select_account"]


async def test_what_names_no_member_is_refused(browser: Browser) -> None:
    await browser.log_in()

    response = await browser.submit("/session/switch", member="../tokyo")

    assert response.status_code == 400
