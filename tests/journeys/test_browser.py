"""The browser without a screen behaves as those with one, as far as logins need it."""

from collections.abc import Iterator

import pytest
from pytest_httpserver import HTTPServer
from werkzeug.wrappers import Request, Response

from deploy.demo.browser import Browser, Stuck


@pytest.fixture
def site() -> Iterator[HTTPServer]:
    with HTTPServer(host="127.0.0.1") as server:
        server.expect_request("/cookies").respond_with_handler(
            lambda request: Response(" ".join(sorted(request.cookies)))
        )
        yield server


async def test_a_secure_cookie_comes_back_to_its_host_alone(site: HTTPServer) -> None:
    site.expect_request("/in").respond_with_data(
        headers={"Set-Cookie": "__Host-session=s; Secure; HttpOnly; Path=/; SameSite=Lax"}
    )

    async with Browser() as browser:
        await browser.open(site.url_for("/in"))
        here = await browser.open(site.url_for("/cookies"))
        there = await browser.open(f"http://localhost:{site.port}/cookies")

    assert (here.text, there.text) == ("__Host-session", "")


async def test_a_cookie_goes_where_its_path_says_until_it_is_taken_back(site: HTTPServer) -> None:
    site.expect_request("/in").respond_with_data(headers={"Set-Cookie": "a=1; Path=/cookies"})
    site.expect_request("/out").respond_with_data(
        headers={"Set-Cookie": "a=; Path=/cookies; Max-Age=0"}
    )

    async with Browser() as browser:
        await browser.open(site.url_for("/in"))
        first = await browser.open(site.url_for("/cookies"))
        elsewhere = dict(browser._cookies.header_for(site.url_for("/cookiesx")))
        await browser.open(site.url_for("/out"))
        last = await browser.open(site.url_for("/cookies"))

    assert (first.text, elsewhere, last.text) == ("a", {}, "")


async def test_a_form_is_sent_with_what_was_filled_in_and_says_where_it_comes_from(
    site: HTTPServer,
) -> None:
    page = '<form method="post" action="/done"><input name="login"><input name="csrf" value="c">'
    site.expect_request("/form").respond_with_data(page, content_type="text/html")
    site.expect_request("/done").respond_with_handler(shown)

    async with Browser() as browser:
        arrived = await browser.log_in(site.url_for("/form"), person="seoul-observer")

    origin = f"http://127.0.0.1:{site.port}"
    assert arrived.text == f"login=seoul-observer&csrf=c {origin} same-origin"


async def test_a_browser_stops_before_the_address_it_must_not_enter(site: HTTPServer) -> None:
    site.expect_request("/away").respond_with_data(
        status=302, headers={"Location": "https://away.example/callback?code=c"}
    )

    async with Browser() as browser:
        page = await browser.open(site.url_for("/away"), until="https://away.example/callback")

    assert (page.url, page.status) == ("https://away.example/callback?code=c", 0)


async def test_a_way_that_leads_round_and_round_is_given_up(site: HTTPServer) -> None:
    site.expect_request("/round").respond_with_data(status=302, headers={"Location": "/round"})

    async with Browser() as browser:
        with pytest.raises(Stuck, match="/round"):
            await browser.open(site.url_for("/round"))


def shown(request: Request) -> Response:
    sent = "&".join(f"{name}={value}" for name, value in request.form.items())
    return Response(f"{sent} {request.headers['Origin']} {request.headers['Sec-Fetch-Site']}")
