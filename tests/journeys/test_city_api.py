"""How the demo speaks to the public API."""

import asyncio
from collections.abc import Callable

import pytest
from httpx2 import AsyncClient, MockTransport, Request, Response

from deploy.demo.api import CityApi, Refused


class Platform:
    """Answers as told, and notes what it was asked."""

    def __init__(self, *answers: Response) -> None:
        self.answers = list(answers)
        self.tokens = 0
        self.asked: list[Request] = []

    def __call__(self, request: Request) -> Response:
        if request.url.path == "/oauth/token":
            self.tokens += 1
            return Response(200, json={"access_token": "token", "expires_in": 300})
        self.asked.append(request)
        return self.answers.pop(0)

    def headers(self, name: str) -> list[str | None]:
        return [request.headers.get(name) for request in self.asked]


def refusal(status: int, code: str) -> Response:
    return Response(status, json={"type": f"/problems/{code}"})


def seoul(platform: Callable[[Request], Response]) -> CityApi:
    http = AsyncClient(base_url="http://renkei.example", transport=MockTransport(platform))
    return CityApi(http, member="seoul", client_id="seoul-1", client_secret="secret")


async def test_requests_at_the_same_time_share_one_token() -> None:
    platform = Platform(*(Response(200, json={}) for _ in range(3)))
    city = seoul(platform)

    await asyncio.gather(*(city.get("/api/v1/members/seoul") for _ in range(3)))

    assert platform.tokens == 1
    assert platform.headers("Authorization") == ["Bearer token"] * 3


async def test_a_part_that_is_away_is_asked_again_with_the_same_key() -> None:
    platform = Platform(
        Response(503, headers={"Retry-After": "0"}), Response(201, json={"id": "1"})
    )

    made = await seoul(platform).post("/api/v1/projects", {}, key="demo:x")

    assert made == {"id": "1"}
    assert platform.headers("Idempotency-Key") == ["demo:x", "demo:x"]


async def test_a_refusal_that_ends_by_itself_is_met_with_a_new_key() -> None:
    """The platform gives the same answer to the same key for good."""
    platform = Platform(refusal(403, "member-not-active"), Response(201, json={"id": "1"}))

    made = await seoul(platform).post(
        "/api/v1/projects", {}, key="demo:x", not_yet=["member-not-active"]
    )

    assert made == {"id": "1"}
    assert platform.headers("Idempotency-Key") == ["demo:x", "demo:x.2"]


async def test_any_other_refusal_is_final() -> None:
    platform = Platform(refusal(409, "project-ended"))

    with pytest.raises(Refused) as refused:
        await seoul(platform).post("/api/v1/x", key="demo:x", version=3, not_yet=["other"])

    assert (refused.value.status, refused.value.code) == (409, "project-ended")
    assert platform.headers("If-Match") == ['"3"']


async def test_a_list_is_read_to_its_last_page() -> None:
    following = "/api/v1/members?limit=200&cursor=abc"
    platform = Platform(
        Response(200, json={"items": [1, 2], "next": following}),
        Response(200, json={"items": [3], "next": None}),
    )

    found = await seoul(platform).all_of("/api/v1/members")

    assert found == [1, 2, 3]
    assert str(platform.asked[1].url) == f"http://renkei.example{following}"
