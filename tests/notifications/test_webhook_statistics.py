"""How an endpoint does, in numbers that can be recounted by hand."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from fastapi import FastAPI
from httpx2 import AsyncClient
from sqlalchemy import update

from services.notifications.model.retrying import Answer
from services.notifications.model.webhook_delivery import WebhookAttempt, WebhookDelivery
from services.notifications.model.webhook_lane import Bounds, Lane, WebhookLane
from services.notifications.settings import NotificationsSettings
from shared.clock import utc_now
from shared.database import Sessions
from shared.identifiers import new_id
from tests.notifications.endpoints import (
    Made,
    deliveries,
    make_endpoint,
    sending,
    until_settled,
)
from tests.notifications.hearing import Ears, member, project
from tests.notifications.receiver import answering, receiving
from tests.web import api

HARBOUR = new_id()
NOON = datetime(2026, 4, 1, 12, tzinfo=UTC)
DAY = {"since": "2026-04-01T00:00:00Z", "until": "2026-04-02T00:00:00Z"}


@pytest.fixture(autouse=True)
async def known(ears: Ears) -> None:
    await ears.hear(member("seoul"), member("tokyo"), only="members")


@pytest.fixture
def seoul(app: FastAPI) -> AsyncClient:
    return api(app, "seoul")


def path_of(endpoint: Made) -> str:
    return f"/api/v1/webhook-endpoints/{endpoint.id}/statistics"


async def note(
    sessions: Sessions,
    delivery: WebhookDelivery,
    *,
    minute: float,
    duration_ms: int,
    status: int | None = None,
    error: str | None = None,
    endpoint: Made | None = None,
) -> None:
    """Note an attempt, so many minutes after noon."""
    async with sessions.begin() as session:
        session.add(
            WebhookAttempt(
                delivery_id=delivery.id,
                endpoint_id=delivery.endpoint_id if endpoint is None else endpoint.id,
                started_at=NOON + timedelta(minutes=minute),
                duration_ms=duration_ms,
                status=status,
                error=error,
                excerpt=None,
            )
        )


async def test_attempts_are_counted_by_outcome_and_hour(
    seoul: AsyncClient, ears: Ears, sessions: Sessions
) -> None:
    endpoint, other = await make_endpoint(sessions), await make_endpoint(sessions)
    await ears.hear(project(HARBOUR), only="webhooks")
    delivery, _ = await deliveries(sessions)
    for number in range(1, 101):
        await note(sessions, delivery, minute=1, duration_ms=number, status=200)
    await note(sessions, delivery, minute=59.9, duration_ms=5, status=299)
    await note(sessions, delivery, minute=60, duration_ms=7, status=301)
    await note(sessions, delivery, minute=61, duration_ms=7, status=404)
    await note(sessions, delivery, minute=62, duration_ms=7, status=503)
    await note(sessions, delivery, minute=63, duration_ms=9_000, error="timeout")
    await note(sessions, delivery, minute=-12 * 60, duration_ms=1, error="dns")
    for outside in (-12 * 60 - 1, 12 * 60):
        await note(sessions, delivery, minute=outside, duration_ms=77_777, status=200)
    await note(sessions, delivery, minute=1, duration_ms=77_777, status=200, endpoint=other)

    answer = await seoul.get(path_of(endpoint), params=DAY)

    assert answer.status_code == 200
    found = answer.json()["attempts"]
    assert (found["count"], found["succeeded"]) == (106, 101)
    assert found["durations"] == {"p50_ms": 48, "p95_ms": 96, "p99_ms": 100}
    assert {one["outcome"]: one["count"] for one in found["by_outcome"]} == {
        "2xx": 101,
        "3xx": 1,
        "4xx": 1,
        "5xx": 1,
        "dns": 1,
        "timeout": 1,
    }
    assert [(one["hour"], one["count"], one["succeeded"]) for one in found["by_hour"]] == [
        ("2026-04-01T00:00:00Z", 1, 0),
        ("2026-04-01T12:00:00Z", 101, 101),
        ("2026-04-01T13:00:00Z", 4, 0),
    ]
    assert found["by_hour"][2]["durations"] == {"p50_ms": 7, "p95_ms": 9_000, "p99_ms": 9_000}


async def test_deliveries_are_counted_by_state_and_what_waits_whenever_it_was_made(
    seoul: AsyncClient, ears: Ears, sessions: Sessions
) -> None:
    endpoint = await make_endpoint(sessions)
    await ears.hear(*(project(HARBOUR, version=v) for v in range(1, 7)), only="webhooks")
    made = await deliveries(sessions)
    for delivery, fields in zip(
        made,
        [
            {"state": "delivered", "created_at": NOON},
            {"state": "delivered", "created_at": NOON},
            {"state": "failed", "created_at": NOON},
            {"state": "pending", "created_at": NOON, "due_at": NOON + timedelta(hours=5)},
            {"state": "pending", "created_at": NOON - timedelta(days=9), "due_at": NOON},
            {"state": "cancelled", "created_at": NOON + timedelta(days=1)},
        ],
        strict=True,
    ):
        async with sessions.begin() as session:
            await session.execute(
                update(WebhookDelivery).where(WebhookDelivery.id == delivery.id).values(**fields)
            )

    answer = (await seoul.get(path_of(endpoint), params=DAY)).json()

    assert answer["deliveries"] == {"pending": 1, "delivered": 2, "failed": 1, "cancelled": 0}
    assert answer["waiting"] == {"count": 2, "oldest_due_at": "2026-04-01T12:00:00Z"}


async def test_the_last_day_is_shown_if_nothing_else_is_asked_for(
    seoul: AsyncClient, ears: Ears, sessions: Sessions, settings: NotificationsSettings
) -> None:
    async with receiving(answering(500), answering(204)) as receiver:
        endpoint = await make_endpoint(sessions, receiver.url)
        await ears.hear(project(HARBOUR), only="webhooks")
        async with sending(sessions, settings):
            await until_settled(sessions, attempts_made=2)

    answer = (await seoul.get(path_of(endpoint))).json()

    assert (answer["attempts"]["count"], answer["attempts"]["succeeded"]) == (2, 1)
    assert answer["deliveries"]["delivered"] == 1
    assert answer["waiting"] == {"count": 0, "oldest_due_at": None}
    lane = answer["lane"]
    assert (lane["pace"], lane["held_until"], lane["failing_since"]) == ("fast", None, None)
    assert lane["last_success_at"] is not None
    since, until = (datetime.fromisoformat(answer[name]) for name in ("since", "until"))
    assert until - since == timedelta(days=1)


async def test_an_endpoint_that_was_never_used_has_statistics(
    seoul: AsyncClient, sessions: Sessions
) -> None:
    endpoint = await make_endpoint(sessions, rate_per_minute=90)
    none = {"p50_ms": None, "p95_ms": None, "p99_ms": None}

    answer = (await seoul.get(path_of(endpoint))).json()

    assert answer["attempts"] == {
        "count": 0,
        "succeeded": 0,
        "durations": none,
        "by_outcome": [],
        "by_hour": [],
    }
    assert answer["lane"] == {
        "pace": "fast",
        "requests_at_once": 1,
        "rate_per_minute": 90,
        "mean_duration_ms": 0,
        "held_until": None,
        "held_because": None,
        "failing_since": None,
        "failures_in_a_row": 0,
        "last_success_at": None,
    }


@pytest.mark.parametrize(
    ("fields", "made", "because", "is_until"),
    [
        ({"held_until": timedelta(minutes=5), "tries": 2}, {}, "failing", True),
        ({"held_until": timedelta(minutes=5)}, {}, "retry_after", True),
        (
            {"held_until": timedelta(minutes=1), "free_at": timedelta(minutes=2)},
            {},
            "rate",
            True,
        ),
        ({"held_until": -timedelta(minutes=5), "tries": 2}, {}, None, False),
        ({}, {"status": "paused"}, "paused", False),
        ({}, {"status": "disabled"}, "disabled", False),
        ({}, {"is_verified": False}, "not_verified", False),
    ],
)
async def test_the_owner_sees_why_nothing_is_sent(
    seoul: AsyncClient,
    sessions: Sessions,
    fields: dict[str, Any],
    made: dict[str, Any],
    because: str | None,
    is_until: bool,
) -> None:
    endpoint = await make_endpoint(sessions, **made)
    now = utc_now()
    moments: dict[str, Any] = {
        name: now + value if isinstance(value, timedelta) else value
        for name, value in fields.items()
    }
    async with sessions.begin() as session:
        session.add(
            WebhookLane(endpoint_id=endpoint.id, member="seoul", next_due_at=None, **moments)
        )

    lane = (await seoul.get(path_of(endpoint))).json()["lane"]

    assert (lane["held_because"], lane["held_until"] is not None) == (because, is_until)


async def test_a_lane_knows_why_it_is_held() -> None:
    bounds, now = Bounds(4, 60), utc_now()
    asked = Answer(now, 5, status=429, retry_after="60")
    failing = Answer(now, 5, status=500)

    fast = Lane()
    for _ in range(3):
        fast = fast.sending(bounds, now=now)
    patient = Lane().after(asked, bounds, now=now, chance=0)
    hopeless = Lane()
    for _ in range(5):
        hopeless = hopeless.after(failing, bounds, now=now, chance=0)

    assert Lane().held_because(now) is None
    assert fast.held_because(now) == "rate"
    assert patient.held_because(now) == "retry_after"
    assert hopeless.held_because(now) == "failing"


@pytest.mark.parametrize(
    "period",
    [
        {"since": "2026-04-01T00:00:00Z", "until": "2026-05-02T00:00:01Z"},
        {"since": "2026-04-01T00:00:00Z", "until": "2026-04-01T00:00:00Z"},
        {"since": "2026-04-02T00:00:00Z", "until": "2026-04-01T00:00:00Z"},
        {"since": "2199-04-02T00:00:00Z"},
        {"since": "1901-01-01T00:00:00Z"},
        {"since": "today"},
        {"until": "2026-04-01"},
        {"hours": "5"},
    ],
)
async def test_a_period_that_makes_no_sense_is_refused(
    seoul: AsyncClient, sessions: Sessions, period: dict[str, str]
) -> None:
    endpoint = await make_endpoint(sessions)

    answer = await seoul.get(path_of(endpoint), params=period)

    assert answer.status_code == 422
    assert answer.json()["type"] in {
        "/problems/statistics-period-invalid",
        "/problems/invalid-request",
    }


async def test_31_days_are_the_longest_period(seoul: AsyncClient, sessions: Sessions) -> None:
    endpoint = await make_endpoint(sessions)

    answer = await seoul.get(
        path_of(endpoint),
        params={"since": "2026-04-01T00:00:00Z", "until": "2026-05-02T00:00:00Z"},
    )

    assert answer.status_code == 200


async def test_only_the_owner_sees_statistics_and_only_with_rights(
    app: FastAPI, sessions: Sessions
) -> None:
    endpoint = await make_endpoint(sessions)

    answers = [
        await api(app, "tokyo").get(path_of(endpoint)),
        await api(app, "seoul", "projects:read").get(path_of(endpoint)),
        await api(app).get(path_of(endpoint)),
        await api(app, "seoul", "notifications:read").get(path_of(endpoint)),
    ]

    assert [answer.status_code for answer in answers] == [404, 403, 401, 200]
