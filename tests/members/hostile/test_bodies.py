"""Whatever stands in a body, it is a refusal and no fault."""

import json
import random
from typing import Any, Final

import pytest
from fastapi.routing import APIRoute
from httpx2 import AsyncClient

from tests.members.hostile.routes import NAMES, ROUTES, body_of
from tests.members.hostile.world import GOOD, ODD, Watch, World

READING_JSON: Final = [
    pytest.param(method, route, id=name)
    for name, (method, route) in zip(NAMES, ROUTES, strict=True)
    if body_of(route) is not None
]
WITH_A_BODY: Final = [
    pytest.param(method, route, id=name)
    for name, (method, route) in zip(NAMES, ROUTES, strict=True)
    if method in {"POST", "PUT", "PATCH", "DELETE"}
]
RAW: Final = [
    b"", b"\0", b"\xff\xfe", b"\xef\xbb\xbf{}", b"{", b"[]", b"null", b"NaN", b'{"a":NaN}', b'"x"',
    b'{"a":1,"a":2}', b"[" * 5_000, b'{"a":' * 5_000, b'{"name":"\\ud800"}', b"1" * 5_000, b"1e999",
    b'{"name":' + b"9" * 5_000 + b"}", b"a=1&b=2", b"--x\r\n\r\n--x--", b"<x/>", b"{}" * 2,
    b"\x1f\x8b\x08\x00", b'{"__proto__":{}}', b" " * 1_100_000,
]  # fmt: skip
KINDS: Final = [
    "application/json", "application/merge-patch+json", "text/plain", "multipart/form-data",
    "multipart/form-data; boundary=x", "application/x-www-form-urlencoded", "application/xml", "",
    "application/scim+json", "application/json; charset=utf-16", "*/*", "\xff",
]  # fmt: skip


def odd_bodies(good: dict[str, Any], fields: list[str]) -> list[dict[str, Any]]:
    """Bodies that are wrong in one place."""
    bodies = [good | {field: odd} for field in fields for odd in ODD]
    bodies += [{name: good[name] for name in good if name != left} for left in good]
    return [*bodies, {}, good | {"unknown": 1}]


@pytest.mark.parametrize(("method", "route"), READING_JSON)
async def test_one_odd_value_in_a_body_is_no_fault(
    world: World, http: AsyncClient, method: str, route: APIRoute
) -> None:
    chance, watch = random.Random(f"{method} {route.path}"), Watch()
    kind = body_of(route)
    assert kind is not None
    bodies = odd_bodies(GOOD.get(kind.__name__, {}), list(kind.model_fields))

    for body in chance.sample(bodies, min(len(bodies), 40)):
        text = json.dumps(body)
        headers = {
            "Authorization": f"Bearer {chance.choice(world.tokens()[:2])}",
            "Content-Type": "application/json",
            "If-Match": f'"{chance.randrange(1, 4)}"',
        }
        path = world.path(route.path, chance, odd=0.02)
        answer = await http.request(method, path, content=text, headers=headers)
        watch.see(answer, (method, path, text[:300]))

    watch.close()
    assert set(watch.statuses) & {400, 422}


@pytest.mark.parametrize(("method", "route"), WITH_A_BODY)
async def test_bytes_that_are_no_body_are_no_fault(
    world: World, http: AsyncClient, method: str, route: APIRoute
) -> None:
    chance, watch = random.Random(f"raw {method} {route.path}"), Watch()

    for raw in chance.sample(RAW, 10):
        headers = {
            "Authorization": f"Bearer {world.tokens()[0]}",
            "Content-Type": chance.choice(KINDS),
            "If-Match": '"1"',
        }
        if route.path.startswith("/scim/"):
            headers["Authorization"] = f"Bearer {world.directory.token}"
        path = world.path(route.path, chance, odd=0)
        encoded = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
        answer = await http.request(method, path, content=raw, headers=encoded)
        watch.see(answer, (method, path, raw[:80], headers["Content-Type"]))

    watch.close()
