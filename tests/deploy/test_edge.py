"""What clients see of the edge, with stand-ins behind it."""

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import httpx2
import psutil
import pytest

from deploy.embedded.child import Child
from deploy.embedded.edge import BODY_LIMIT_BYTES, OPENAPI, ROUTES, Edge
from deploy.embedded.layout import HOST, reserved_base_port
from tests.deploy.standin_platform import program, running
from tests.shared.waiting import becomes

PROBLEM = "application/problem+json"


@dataclass
class Front:
    """An edge before two replicas of projects, one of members and portal, none of notifications."""

    client: httpx2.AsyncClient
    projects: list[Child]
    members: Child


@pytest.fixture
async def front(tmp_path: Path) -> AsyncIterator[Front]:
    with reserved_base_port() as base:
        upstreams = {
            "projects": [f"{HOST}:{base + 10}", f"{HOST}:{base + 11}"],
            "members": [f"{HOST}:{base + 12}"],
            "notifications": [f"{HOST}:{base + 13}"],
            "portal": [f"{HOST}:{base + 14}"],
        }
        mark = str(tmp_path / "died")
        edge = Edge(directory=tmp_path / "edge", port=base, upstreams=upstreams)
        programs = (
            program("projects", base + 10, mark),
            program("projects", base + 11, mark),
            program("members", base + 12, mark),
            program("portal", base + 14, mark),
        )
        async with (
            running(edge.program(), *programs, log=tmp_path / "log") as children,
            httpx2.AsyncClient(base_url=edge.url, timeout=20) as client,
        ):
            yield Front(client, children[1:3], children[3])


@pytest.mark.parametrize(
    ("path", "service"),
    [
        ("/api/v1/members", "members"),
        ("/api/v1/members/seoul?expand=officials", "members"),
        ("/login", "members"),
        ("/login/seoul/callback?code=c", "members"),
        ("/logout", "members"),
        ("/oauth/token", "members"),
        ("/.well-known/openid-configuration", "members"),
        ("/api/v1/me/sessions", "members"),
        ("/scim/v2/Users?count=1", "members"),
        ("/api/v1/projects/1/milestones", "projects"),
        ("/api/v1/milestones/1", "projects"),
        ("/api/v1/participations", "projects"),
        ("/api/v1/calendar/open-days?members=tokyo", "projects"),
        ("/api/v1/calendar-feeds", "projects"),
        ("/calendar-feeds/rkc_x.ics", "projects"),
        ("/api/v1/comments/1/versions", "projects"),
        ("/api/v1/obligations", "projects"),
        ("/", "portal"),
        ("/session/callback?code=c", "portal"),
        ("/sessions", "portal"),
        ("/loginx", "portal"),
    ],
)
async def test_a_collection_reaches_its_service_under_its_own_path(
    front: Front, path: str, service: str
) -> None:
    answer = (await front.client.get(path)).json()

    assert (answer["service"], answer["path"]) == (service, path)


def test_no_path_belongs_to_two_services() -> None:
    prefixes = [prefix for owned in ROUTES.values() for prefix in owned]

    assert len(prefixes) == len(set(prefixes))


@pytest.mark.parametrize("path", ["/api/", "/api/v1/membersx", "/api/v1", "/metrics"])
async def test_a_path_of_nobody_is_a_problem(front: Front, path: str) -> None:
    answer = await front.client.get(path, headers={"X-Request-Id": "mine"})

    assert (answer.status_code, answer.headers["content-type"]) == (404, PROBLEM)
    assert answer.headers["x-request-id"] == "mine"
    assert "server" not in answer.headers
    assert answer.json() == {
        "type": "/problems/not-found",
        "title": "There is nothing at this address",
        "status": 404,
        "detail": "There is nothing at this address.",
        "instance": path,
    }


async def test_an_odd_path_cannot_break_the_problem(front: Front) -> None:
    answer = await front.client.get("/api/%22,%22status%22:200,%22x%22:%22")

    assert answer.json()["status"] == 404
    assert answer.json()["instance"] == "/"


async def test_a_request_id_passes_and_is_made_if_there_is_none(front: Front) -> None:
    given = await front.client.get("/api/v1/members", headers={"X-Request-Id": "mine"})
    made = await front.client.get("/api/v1/members")

    assert given.json()["request_id"] == "mine"
    assert len(made.json()["request_id"]) == 36


async def test_what_made_a_system_ask_passes(front: Front) -> None:
    cause = "0196f000-0000-7000-8000-000000000009;hops=2"

    answer = await front.client.get("/api/v1/members", headers={"webhook-cause": cause})

    assert answer.json()["cause"] == cause


async def test_a_service_without_a_process_is_an_outage_that_says_when_to_come_back(
    front: Front,
) -> None:
    answer = await front.client.get("/api/v1/inbox")

    assert answer.status_code in (502, 503)
    assert answer.headers["content-type"] == PROBLEM
    assert answer.headers["retry-after"] == "2"
    assert answer.json()["type"] == "/problems/unavailable"
    assert answer.elapsed.total_seconds() < 5


async def test_a_body_over_the_limit_is_refused(front: Front) -> None:
    allowed = await front.client.post("/api/v1/projects", content=b"x" * BODY_LIMIT_BYTES)
    refused = await front.client.post("/api/v1/projects", content=b"x" * (BODY_LIMIT_BYTES + 1))

    assert allowed.json()["body_bytes"] == BODY_LIMIT_BYTES
    assert (refused.status_code, refused.headers["content-type"]) == (413, PROBLEM)


async def test_requests_are_spread_over_replicas(front: Front) -> None:
    pids = {(await front.client.get("/api/v1/projects")).json()["pid"] for _ in range(20)}

    assert pids == {child.pid for child in front.projects}


async def test_a_killed_replica_costs_no_request_that_may_be_repeated(front: Front) -> None:
    async def ask(number: int) -> int:
        if number == 20:
            assert front.projects[0].pid is not None
            os.kill(front.projects[0].pid, signal.SIGKILL)
        return (await front.client.get("/api/v1/projects")).status_code

    statuses = [await ask(number) for number in range(200)]

    assert set(statuses) == {200}


async def test_the_restart_of_the_only_process_costs_time_but_no_request(front: Front) -> None:
    assert front.members.pid is not None

    os.kill(front.members.pid, signal.SIGKILL)
    answers = await asyncio.gather(*(front.client.post("/api/v1/members") for _ in range(10)))

    assert {answer.status_code for answer in answers} == {200}


@pytest.mark.parametrize(
    ("method", "headers"), [("PUT", {}), ("DELETE", {}), ("POST", {"Idempotency-Key": "k"})]
)
async def test_a_repeatable_request_is_sent_again_when_its_process_dies_over_it(
    front: Front, method: str, headers: dict[str, str]
) -> None:
    answer = await front.client.request(
        method, "/api/v1/projects/dies", headers=headers, content=b"the body"
    )

    assert answer.status_code == 200
    assert (answer.json()["method"], answer.json()["body_bytes"]) == (method, 8)


async def test_any_other_request_is_never_sent_twice(front: Front) -> None:
    answer = await front.client.post("/api/v1/projects/dies", content=b"the body")

    assert (answer.status_code, answer.headers["content-type"]) == (502, PROBLEM)
    assert answer.headers["retry-after"] == "2"


@pytest.mark.parametrize(
    "path",
    [
        "/login/seoul/callback?state=s&code=/dies",
        "/oauth/authorize?continue=/dies",
        "/session/callback?state=s&code=/dies",
    ],
)
async def test_what_uses_something_up_is_never_sent_twice(front: Front, path: str) -> None:
    answer = await front.client.get(path)

    assert (answer.status_code, answer.headers["content-type"]) == (502, PROBLEM)


async def test_what_is_good_for_once_waits_for_its_process_to_come_back(front: Front) -> None:
    killed = front.members.pid
    assert killed is not None

    async def is_there() -> bool:
        return psutil.pid_exists(killed)

    os.kill(killed, signal.SIGKILL)
    # What has reached a process that dies over it is not sent again.
    await becomes(is_there, False)
    answer = await front.client.get("/login/seoul/callback?code=c")

    assert answer.status_code == 200


async def test_nobody_can_choose_the_address_that_services_see(front: Front) -> None:
    answer = await front.client.get("/login", headers={"X-Forwarded-For": "203.0.113.7"})

    assert answer.json()["forwarded_for"] == HOST


async def test_the_page_and_all_it_needs_come_from_the_edge_itself(front: Front) -> None:
    page = await front.client.get("/api")
    parts = ["/assets/swagger-ui-bundle.js", "/assets/swagger-ui.css"]
    parts += ["/assets/api-page.js", "/assets/api-page.css"]

    assert page.status_code == 200
    assert "script-src 'self'" in page.headers["content-security-policy"]
    for part in parts:
        assert f'"{part}"' in page.text
        assert (await front.client.get(part)).status_code == 200


def test_every_described_path_has_a_service() -> None:
    described = json.loads(OPENAPI.read_text())["paths"]
    prefixes = [prefix for owned in ROUTES.values() for prefix in owned]

    lost = [
        path
        for path in described
        if not any(path == prefix or path.startswith(f"{prefix}/") for prefix in prefixes)
    ]

    assert lost == []


async def test_the_api_description_is_served(front: Front) -> None:
    answer = await front.client.get("/openapi.json")

    assert answer.json() == json.loads(OPENAPI.read_text())
