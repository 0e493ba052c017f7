"""Nothing that can be sent to the portal makes it fail."""

import re
from typing import Any, Final

import pytest
from fastapi import FastAPI
from httpx2 import ASGITransport, AsyncClient

from services.portal.http.cookies import SESSION
from tests.portal.browsing import Browser
from tests.web import ISSUER

PATHS: Final = (
    "/",
    "/sessions",
    "/sessions/end",
    "/sessions/%00/end",
    "/sessions/%ff/end",
    "/session/login",
    "/session/callback",
    "/session/switch",
    "/session/logout",
    "/session/logged-out",
    "/session/backchannel-logout",
    "/nowhere/%2e%2e/%00",
)
QUERIES: Final = (
    "?ui_locales=%00",
    "?ui_locales=" + "ja-" * 3000,
    "?return_to=%ff%fe&member=%00",
    "?member=" + "a" * 5000,
    "?state=%F0%9F%92%A5&code=x&iss=y",
    "?state=x&code=" + "y" * 7000,
    "?" + "a=1&" * 40,
    "?=&&=;%",
    "?ended=1&ended=1",
)
BODIES: Final[tuple[tuple[str, bytes], ...]] = (
    ("application/x-www-form-urlencoded", b"ticket=%00&member=%ff"),
    ("application/x-www-form-urlencoded", b"ticket=" + b"a" * 70_000),
    ("application/x-www-form-urlencoded", b"\xff\xfe\x00"),
    ("application/x-www-form-urlencoded", b"logout_token=" + b"e30." * 5000),
    ("application/x-www-form-urlencoded", b"logout_token=e30.e30.e30"),
    ("application/x-www-form-urlencoded", b"logout_token=eyJhbGciOjF9.e30."),
    ("application/x-www-form-urlencoded", b"logout_token=W10.W10.W10"),
    ("multipart/form-data; boundary=x", b"--x\r\n\r\n"),
    ("application/json", b'{"ticket": null}'),
    ("", b"ticket"),
)
COOKIES: Final = (
    f"{SESSION}=",
    f"{SESSION}=a; {SESSION}=b",
    f"{SESSION}=" + "a" * 300,
    f"{SESSION}=\xe9\xff",
    f'{SESSION}="\\000"; =; ;;',
    "__Host-language=xx; __Host-portal-login-=v1.k1.AAAA",
    "; ".join(f"__Host-portal-login-{number}=v1" for number in range(50)),
    "; ".join(f"__Host-portal-login-({number})=v1" for number in range(6)),
    "; ".join(f"__Host-portal-login-{number}\xe9=v1" for number in range(6)),
    "; ".join(f"__Host-portal-login-{number:016x}=v1" for number in range(6)),
)


async def statuses(app: FastAPI, requests: list[dict[str, Any]]) -> dict[str, int]:
    transport = ASGITransport(app, raise_app_exceptions=False)
    failed = {}
    async with AsyncClient(transport=transport, base_url=ISSUER) as client:
        for request in requests:
            headers = {"Sec-Fetch-Site": "same-origin"} | request.pop("headers", {})
            response = await client.request(headers=headers, **request)
            if response.status_code >= 500:
                failed[repr(request)[:200]] = response.status_code
    return failed


@pytest.mark.parametrize("path", PATHS)
async def test_odd_requests_of_strangers_are_answered(app: FastAPI, path: str) -> None:
    requests: list[dict[str, Any]] = [
        *({"method": "GET", "url": path + query} for query in QUERIES),
        *({"method": method, "url": path} for method in ("HEAD", "PUT", "PATCH", "OPTIONS", "ODD")),
        *(
            {"method": "POST", "url": path, "content": body, "headers": {"Content-Type": kind}}
            for kind, body in BODIES
        ),
        *(
            {"method": method, "url": path, "headers": {"Cookie": cookie.encode("latin-1")}}
            for method in ("GET", "POST")
            for cookie in COOKIES
        ),
        {"method": "GET", "url": path, "headers": {"Accept-Language": "ja;q=nan, en;q=1e999, *"}},
        {"method": "GET", "url": path, "headers": {"Accept-Language": b"\xff" * 900}},
        *(
            {"method": "GET", "url": path, "headers": {"Host": host}}
            for host in ("[", "a b", "evil.example", "x/../y?z")
        ),
    ]

    assert await statuses(app, requests) == {}


@pytest.mark.parametrize("path", ["/session/switch", "/session/logout", "/sessions/%00/end"])
async def test_odd_forms_of_people_are_answered(browser: Browser, path: str) -> None:
    await browser.log_in()

    for kind, body in BODIES:
        headers = {"Content-Type": kind}
        assert (await browser.post(path, content=body, headers=headers)).status_code < 500
    for member in ("\x00", "é", "a" * 10_000, "-", "../..", "tokyo\n", "https://evil.example"):
        if path == "/session/switch":
            response = await browser.submit(path, member=member)
            assert response.status_code in (400, 403), member
    assert (await browser.get("/")).status_code == 200


@pytest.mark.parametrize(
    "path", ["//evil.example/x", "///evil.example", "/%5Cevil.example", "/%2F%2Fevil.example"]
)
@pytest.mark.parametrize("host", ["renkei.example", "evil.example", "["])
async def test_no_page_leads_to_another_host(app: FastAPI, path: str, host: str) -> None:
    transport = ASGITransport(app, raise_app_exceptions=False)
    async with AsyncClient(transport=transport) as client:
        response = await client.get(f"{ISSUER}{path}", headers={"Host": host})

    links = re.findall(r'(?:href|action)="([^"]*)"', response.text)
    assert response.status_code == 404
    assert len(links) >= 2
    assert all(re.fullmatch(r"/[a-z]*(\?ui_locales=[a-z]+)?", link) for link in links), links
