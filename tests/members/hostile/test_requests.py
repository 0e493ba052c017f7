"""Whatever stands in an address, a query or a header, it is a refusal and no fault."""

import random
from typing import Final
from urllib.parse import quote

import pytest
from fastapi.routing import APIRoute
from httpx2 import AsyncClient

from tests.members.hostile.routes import NAMES, ROUTES
from tests.members.hostile.world import ODD, ODD_TEXT, Watch, World

EVERY_ROUTE: Final = [
    pytest.param(method, route, id=name)
    for name, (method, route) in zip(NAMES, ROUTES, strict=True)
    if route.path not in {"/livez", "/readyz", "/metrics"}
]
QUERIES: Final = [
    *("limit", "cursor", "sort", "updated_since", "status", "on", "country", "kind", "from", "to"),
    *("action", "subject", "actor", "format", "since", "until", "filter", "startIndex", "count"),
    *("sortBy", "attributes", "excludedAttributes", "authorization", "ui_locales", "provider"),
    *("state", "code", "iss", "error", "continue", "client_id", "redirect_uri", "id_token_hint"),
    *("post_logout_redirect_uri", "another", "outcome", "after", "before", "at", "x\0", "limit"),
]
HEADERS: Final = [
    *("Authorization", "If-Match", "If-None-Match", "Idempotency-Key", "Accept", "Accept-Language"),
    *(
        "Cookie",
        "DPoP",
        "X-Request-Id",
        "traceparent",
        "Range",
        "Host",
        "X-Forwarded-For",
        "Origin",
    ),
    *("Sec-Fetch-Site", "Content-Type", "Content-Length", "Transfer-Encoding", "X-Forwarded-Host"),
]
VALUES: Final = [
    "", " ", "x", "Bearer", "Bearer ", "Bearer x", "bearer a.b.c", "Basic", "Basic !", "Basic Og==",
    "DPoP x", "Bearer eyJhbGciOiJub25lIn0.e30.", '"', '"1', 'W/"1"',
    '"1", "2"', "*", '"' + "9" * 30 + '"',
    '"-1"', "a" * 6_000, "\xff\xfe", "en;q=x, ja;q=9e999", "ja;q=-1" * 200, "a=b; a=c; =; ;;",
    "__Host-sign-in=\xff", "__Host-sign-in=" + "x" * 150, "__Host-login=x; __Host-authorization=x",
    "00-0-0-0", "bytes=0-0,-1", "evil.example", "[::1", "1.2.3.4, x, [::1]:9", "null", "-1",
    "cross-site",
]  # fmt: skip


@pytest.mark.parametrize(("method", "route"), EVERY_ROUTE)
async def test_an_odd_request_is_no_fault(
    world: World, http: AsyncClient, method: str, route: APIRoute
) -> None:
    chance, watch = random.Random(f"request {method} {route.path}"), Watch()
    odd_query = [*ODD_TEXT, *(quote(odd) for odd in ODD if isinstance(odd, str) and odd.isascii())]

    for _ in range(20):
        path = world.path(route.path, chance)
        if route.path.startswith("/scim/"):
            path = "/scim/v2" + chance.choice(
                [
                    "",
                    "/",
                    "/Users",
                    "/Groups",
                    "/Me",
                    "/Bulk",
                    "/Schemas",
                    "/ResourceTypes",
                    "/.search",
                ]
            )
            path += chance.choice(["", f"/{chance.choice(ODD_TEXT)}"])
        asked = "&".join(
            f"{quote(chance.choice(QUERIES))}={chance.choice(odd_query)[:2_000]}"
            for _ in range(chance.randrange(3))
        )
        headers = [(b"authorization", f"Bearer {chance.choice(world.tokens())}".encode())]
        if route.path.startswith("/scim/"):
            headers = [(b"authorization", f"Bearer {world.directory.token}".encode())]
        for _ in range(chance.randrange(3)):
            name = chance.choice(HEADERS).encode()
            headers = [one for one in headers if one[0] != name.lower() or chance.random() < 0.2]
            headers.append((name, chance.choice(VALUES).encode("latin-1")))
        answer = await http.request(method, f"{path}?{asked}" if asked else path, headers=headers)
        watch.see(answer, (method, path, asked, headers))

    watch.close()
