"""What an owner sees of what was sent, and can have sent again or try, over HTTP."""

import json
from datetime import timedelta
from typing import Any

import pytest
from fastapi import FastAPI
from httpx2 import AsyncClient
from sqlalchemy import func, select, update

from services.notifications.model.event_feed import FeedEntry
from services.notifications.model.webhook_delivery import WebhookDelivery
from services.notifications.model.webhook_endpoint import WebhookEndpoint
from services.notifications.model.webhook_lane import WebhookLane
from services.notifications.settings import NotificationsSettings
from services.notifications.use_cases.send_test_event import TESTS_MAX
from shared.actor import Actor
from shared.clock import utc_now
from shared.contracts.members import MemberSuspended
from shared.contracts.projects import ParticipationWithdrawn
from shared.database import Sessions
from shared.identifiers import new_id
from tests.notifications.endpoints import (
    Made,
    attempts,
    claim,
    deliveries,
    led_to,
    make_endpoint,
    sending,
    until_settled,
)
from tests.notifications.hearing import Ears, at, member, milestone, participation, project
from tests.notifications.receiver import answering, receiving
from tests.web import ISSUER, api

HARBOUR, BRIDGE, READINGS = new_id(), new_id(), new_id()
COMPLETED = "renkei.milestone.completed.v1"


@pytest.fixture(autouse=True)
async def known(ears: Ears) -> None:
    await ears.hear(member("seoul"), member("tokyo"), only="members")


@pytest.fixture
def seoul(app: FastAPI) -> AsyncClient:
    return api(app, "seoul")


def path_of(endpoint: Made, *parts: object) -> str:
    return "/".join(["/api/v1/webhook-endpoints", str(endpoint.id), *map(str, parts)])


async def set_fields(sessions: Sessions, delivery: WebhookDelivery, **fields: Any) -> None:
    async with sessions.begin() as session:
        await session.execute(
            update(WebhookDelivery).where(WebhookDelivery.id == delivery.id).values(**fields)
        )


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({}, [0, 1, 2]),
        ({"state": "failed"}, [1]),
        ({"state": "cancelled"}, []),
        ({"event_type": "renkei.project.*"}, [0, 1]),
        ({"event_type": "renkei.milestone.planned.v1"}, [2]),
        ({"event_type": "*"}, [0, 1, 2]),
        ({"event_type": "renkei.official.*"}, []),
        ({"project_id": str(BRIDGE)}, [1]),
        ({"project_id": str(HARBOUR), "event_type": "renkei.project.*"}, [0]),
        ({"occurred_since": at(2).isoformat()}, [1, 2]),
        ({"occurred_until": at(2).isoformat()}, [0]),
        ({"occurred_since": at(2).isoformat(), "occurred_until": at(3).isoformat()}, [1]),
        ({"created_until": at(0).isoformat()}, []),
        ({"created_since": at(0).isoformat(), "sort": "-created"}, [2, 1, 0]),
        ({"is_test": "true"}, []),
        ({"recovery_id": str(new_id())}, []),
    ],
)
async def test_deliveries_are_found_by_what_they_are(
    seoul: AsyncClient, ears: Ears, sessions: Sessions, wanted: dict[str, str], found: list[int]
) -> None:
    endpoint = await make_endpoint(sessions)
    await ears.hear(
        project(HARBOUR, version=1),
        project(BRIDGE, version=2),
        milestone(HARBOUR, READINGS, version=3),
        only="webhooks",
    )
    queued = await deliveries(sessions)
    await set_fields(sessions, queued[1], state="failed")

    answer = await seoul.get(path_of(endpoint, "deliveries"), params=wanted)

    assert answer.status_code == 200
    assert [one["id"] for one in answer.json()["items"]] == [str(queued[n].id) for n in found]


async def test_a_filtered_list_is_read_page_by_page(
    seoul: AsyncClient, ears: Ears, sessions: Sessions
) -> None:
    endpoint = await make_endpoint(sessions)
    await ears.hear(
        *(project(HARBOUR, version=version) for version in range(1, 6)),
        milestone(HARBOUR, READINGS),
        only="webhooks",
    )
    wanted = {"event_type": "renkei.project.*", "limit": "2"}
    following: str | None = path_of(endpoint, "deliveries")

    pages: list[list[str]] = []
    while following is not None:
        answer = (await seoul.get(following, params=wanted if not pages else None)).json()
        pages.append([one["occurred_at"] for one in answer["items"]])
        following = answer["next"]

    assert [len(page) for page in pages] == [2, 2, 1]
    assert [one for page in pages for one in page] == [
        at(n).isoformat().replace("+00:00", "Z") for n in range(1, 6)
    ]


@pytest.mark.parametrize(
    "wanted",
    [
        {"state": "lost"},
        {"event_type": "renkei.*"},
        {"event_type": "milestone"},
        {"project_id": "harbour"},
        {"occurred_since": "yesterday"},
        {"occurred_since": "2026-04-01T00:00:00"},
        {"created_until": "5"},
        {"is_test": "perhaps"},
        {"colour": "red"},
        {"cursor": "nonsense"},
    ],
)
async def test_a_filter_that_makes_no_sense_is_refused(
    seoul: AsyncClient, sessions: Sessions, wanted: dict[str, str]
) -> None:
    endpoint = await make_endpoint(sessions)

    answer = await seoul.get(path_of(endpoint, "deliveries"), params=wanted)

    assert answer.status_code == 422


async def test_a_delivery_shows_what_is_said_byte_for_byte(
    seoul: AsyncClient, ears: Ears, sessions: Sessions
) -> None:
    endpoint = await make_endpoint(sessions)
    fact = project(HARBOUR)
    await ears.hear(fact, only="webhooks")
    [delivery] = await deliveries(sessions)

    answer = (await seoul.get(path_of(endpoint, "deliveries", delivery.id))).json()

    assert answer["body"] == fact.wire_form().decode()
    assert answer["body_withheld"] is None
    assert (answer["trigger"], answer["is_test"], answer["recovery_id"]) == (
        "schedule",
        False,
        None,
    )


async def test_a_thin_delivery_shows_the_little_that_is_said(
    seoul: AsyncClient, ears: Ears, sessions: Sessions, settings: NotificationsSettings
) -> None:
    fact = project(HARBOUR)
    async with receiving() as receiver:
        endpoint = await make_endpoint(sessions, receiver.url, payload="thin")
        await ears.hear(fact, only="webhooks")
        async with sending(sessions, settings):
            [delivery] = await until_settled(sessions)

    answer = (await seoul.get(path_of(endpoint, "deliveries", delivery.id))).json()

    assert answer["body"] == receiver.received[0].body.decode()
    said = json.loads(answer["body"])
    assert said["data"] == {"id": str(HARBOUR), "version": 1}
    assert said["dataref"] == f"{ISSUER}/api/v1/events/{fact.id}"


async def left_by_seoul(ears: Ears, sessions: Sessions) -> tuple[Made, WebhookDelivery]:
    """Queue a fact about a project among its participants for Seoul, which then leaves it."""
    endpoint = await make_endpoint(sessions, event_types=("renkei.project.*",))
    inside = project(HARBOUR, audience=["seoul", "tokyo"])
    state = inside.data.state.model_copy(update={"visibility": "participants"})
    inside = inside.model_copy(update={"data": inside.data.model_copy(update={"state": state})})
    place = new_id()
    joined = participation(HARBOUR, "seoul", participation_id=place)
    left = participation(
        HARBOUR,
        "seoul",
        participation_id=place,
        status="withdrawn",
        version=2,
        kind=ParticipationWithdrawn,
    )
    await ears.hear(inside, joined, left)
    [delivery] = await deliveries(sessions)
    return endpoint, delivery


async def test_what_a_member_may_not_be_told_any_more_is_neither_shown_nor_sent_again(
    seoul: AsyncClient, ears: Ears, sessions: Sessions
) -> None:
    endpoint, delivery = await left_by_seoul(ears, sessions)
    await set_fields(sessions, delivery, state="failed")

    shown = (await seoul.get(path_of(endpoint, "deliveries", delivery.id))).json()
    resent = await seoul.post(path_of(endpoint, "deliveries", delivery.id, "resend"))

    assert (shown["body"], shown["body_withheld"]) == (None, "left_project")
    assert resent.status_code == 403
    assert resent.json()["type"] == "/problems/fact-withheld"
    assert resent.json()["reason"] == "left_project"
    assert [one.state for one in await deliveries(sessions)] == ["failed"]


async def test_a_fact_of_a_loop_is_not_sent_again(
    seoul: AsyncClient, ears: Ears, sessions: Sessions
) -> None:
    endpoint = await make_endpoint(sessions)
    looped = project(HARBOUR, by=Actor(member="seoul", client_id="seoul-main"))
    await ears.hear(looped, only="webhooks")
    await led_to(sessions, looped.id, *["seoul"] * 4)
    [delivery] = await deliveries(sessions)
    await set_fields(sessions, delivery, state="cancelled", state_reason="loop")

    resent = await seoul.post(path_of(endpoint, "deliveries", delivery.id, "resend"))

    assert (resent.status_code, resent.json()["reason"]) == (403, "loop")
    assert [one.state for one in await deliveries(sessions)] == ["cancelled"]


async def test_what_a_token_does_not_cover_is_not_shown(
    app: FastAPI, ears: Ears, sessions: Sessions, settings: NotificationsSettings
) -> None:
    async with receiving(answering(200, body=b"Cleaner harbours: thanks")) as receiver:
        endpoint = await make_endpoint(sessions, receiver.url)
        await ears.hear(project(HARBOUR), only="webhooks")
        async with sending(sessions, settings):
            [delivery] = await until_settled(sessions)
    contractor = api(app, "seoul", "notifications:read")

    answer = await contractor.get(path_of(endpoint, "deliveries", delivery.id))

    assert answer.status_code == 200
    assert (answer.json()["body"], answer.json()["body_withheld"]) == (None, "missing_scope")
    # What the receiver answered may repeat it.
    for client, excerpt in ((contractor, None), (api(app, "seoul"), "Cleaner harbours: thanks")):
        made = await client.get(path_of(endpoint, "deliveries", delivery.id, "attempts"))
        assert [one["excerpt"] for one in made.json()["items"]] == [excerpt]
    assert answer.json()["allowed_actions"] == []


async def test_what_a_token_does_not_cover_it_lets_nobody_be_sent(
    app: FastAPI, ears: Ears, sessions: Sessions
) -> None:
    """Not by leading an endpoint elsewhere that then wants little, where much still waits."""
    endpoint = await make_endpoint(sessions, event_types=("renkei.project.*",))
    await ears.hear(project(HARBOUR), only="webhooks")
    [delivery] = await deliveries(sessions)
    await set_fields(sessions, delivery, state="failed")
    contractor = api(app, "seoul", "notifications:read notifications:write")
    moved = {"url": "https://hooks.elsewhere.example/", "event_types": ["renkei.inbox_item.*"]}

    answers = [
        await contractor.patch(path_of(endpoint), json=moved, headers={"If-Match": "*"}),
        await contractor.post(path_of(endpoint, "deliveries", delivery.id, "resend")),
        await contractor.post(
            path_of(endpoint, "recoveries"), json={"kind": "all", "since": at(0).isoformat()}
        ),
    ]

    assert [(answer.status_code, answer.json().get("scope")) for answer in answers] == [
        (403, "projects:read")
    ] * 3
    assert [one.state for one in await deliveries(sessions)] == ["failed"]


async def test_a_suspended_member_is_shown_no_facts(
    seoul: AsyncClient, ears: Ears, sessions: Sessions
) -> None:
    endpoint = await make_endpoint(sessions)
    await ears.hear(project(HARBOUR), only="webhooks")
    [delivery] = await deliveries(sessions)
    await ears.hear(
        member("seoul", status="suspended", version=2, kind=MemberSuspended), only="members"
    )

    answer = (await seoul.get(path_of(endpoint, "deliveries", delivery.id))).json()

    assert (answer["body"], answer["body_withheld"]) == (None, "member_suspended")


async def test_an_attempt_says_what_began_it(
    seoul: AsyncClient, ears: Ears, sessions: Sessions, settings: NotificationsSettings
) -> None:
    async with receiving(answering(204)) as receiver:
        endpoint = await make_endpoint(sessions, receiver.url)
        await ears.hear(project(HARBOUR), only="webhooks")
        async with sending(sessions, settings):
            [delivery] = await until_settled(sessions)
            await seoul.post(path_of(endpoint, "deliveries", delivery.id, "resend"))
            await until_settled(sessions, attempts_made=2)

    listed = (await seoul.get(path_of(endpoint, "deliveries", delivery.id, "attempts"))).json()
    assert [(one["trigger"], one["status"]) for one in listed["items"]] == [
        ("schedule", 204),
        ("resend", 204),
    ]
    assert all(one["duration_ms"] >= 0 for one in listed["items"])


async def test_sending_again_keeps_the_order_of_an_entity(
    seoul: AsyncClient, ears: Ears, sessions: Sessions
) -> None:
    endpoint = await make_endpoint(sessions, ordering="entity")
    await ears.hear(
        *(project(HARBOUR, version=version) for version in (1, 2, 3)),
        project(BRIDGE),
        only="webhooks",
    )
    first, second, third, other = await deliveries(sessions)
    later = utc_now() + timedelta(hours=1)
    for one in (first, second, third, other):
        await set_fields(sessions, one, due_at=later)

    answer = await seoul.post(path_of(endpoint, "deliveries", second.id, "resend"))

    assert answer.status_code == 200
    due = {one.id: one.due_at for one in await deliveries(sessions)}
    assert due[first.id] < due[second.id] < utc_now()
    assert due[third.id] == due[other.id] == later


async def test_a_test_event_arrives_signed_and_marked(
    seoul: AsyncClient, sessions: Sessions, settings: NotificationsSettings
) -> None:
    async with receiving() as receiver:
        endpoint = await make_endpoint(sessions, receiver.url, event_types=("renkei.official.*",))

        answer = await seoul.post(path_of(endpoint, "test-events"), json={"event_type": COMPLETED})

        async with sending(sessions, settings):
            [delivery] = await until_settled(sessions)

    assert answer.status_code == 201
    assert answer.headers["Location"] == path_of(endpoint, "deliveries", delivery.id)
    [request] = receiver.received
    said = request.verify(endpoint.secret)
    assert (said["type"], said["test"], said["audience"]) == (COMPLETED, True, "seoul")
    assert said["id"] == str(delivery.event_id)
    assert said["data"]["state"]["title"]["ja"] == "合同訓練の実施"
    assert (delivery.state, delivery.is_test) == ("delivered", True)
    listed = await seoul.get(path_of(endpoint, "deliveries"), params={"is_test": "true"})
    [shown] = listed.json()["items"]
    assert (shown["event_type"], shown["trigger"], shown["is_test"]) == (COMPLETED, "test", True)
    assert [one.trigger for one in await attempts(sessions)] == ["test"]
    async with sessions() as session:
        assert await session.scalar(select(func.count()).select_from(FeedEntry)) == 0


async def test_a_test_event_is_made_once_for_a_key(seoul: AsyncClient, sessions: Sessions) -> None:
    endpoint = await make_endpoint(sessions)
    path, key = path_of(endpoint, "test-events"), {"Idempotency-Key": "k"}

    answers = [
        await seoul.post(path, json={"event_type": COMPLETED}, headers=key) for _ in range(2)
    ]

    assert answers[0].json() == answers[1].json()
    assert len(await deliveries(sessions)) == 1


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "invalid-request"),
        ({"event_type": "*"}, "invalid-request"),
        ({"event_type": "renkei.milestone.*"}, "invalid-request"),
        ({"event_type": None}, "invalid-request"),
        ({"event_type": "renkei.sandwich.eaten.v1"}, "event-type-unknown"),
        ({"event_type": "renkei.milestone.completed.v9"}, "event-type-unknown"),
        ({"event_type": COMPLETED, "url": "https://elsewhere.example"}, "invalid-request"),
    ],
)
async def test_a_test_event_that_makes_no_sense_is_refused(
    seoul: AsyncClient, sessions: Sessions, body: dict[str, Any], code: str
) -> None:
    endpoint = await make_endpoint(sessions)

    answer = await seoul.post(path_of(endpoint, "test-events"), json=body)

    assert (answer.status_code, answer.json()["type"]) == (422, f"/problems/{code}")
    assert await deliveries(sessions) == []


@pytest.mark.parametrize(
    "made", [{"status": "paused"}, {"status": "disabled"}, {"is_verified": False}]
)
async def test_nothing_is_tried_where_nothing_is_sent(
    seoul: AsyncClient, sessions: Sessions, made: dict[str, Any]
) -> None:
    endpoint = await make_endpoint(sessions, **made)

    answer = await seoul.post(path_of(endpoint, "test-events"), json={"event_type": COMPLETED})

    assert answer.status_code == 409
    assert answer.json()["type"] == "/problems/webhook-endpoint-not-active"
    assert await deliveries(sessions) == []


async def test_an_endpoint_is_tried_only_so_often(seoul: AsyncClient, sessions: Sessions) -> None:
    endpoint = await make_endpoint(sessions)
    path, body = path_of(endpoint, "test-events"), {"event_type": COMPLETED}
    for _ in range(TESTS_MAX):
        assert (await seoul.post(path, json=body)).status_code == 201

    refused = await seoul.post(path, json=body)

    assert refused.status_code == 429
    assert refused.json()["type"] == "/problems/too-many-test-events"
    assert 3_500 < int(refused.headers["Retry-After"]) <= 3_601
    made = await deliveries(sessions)
    assert len(made) == TESTS_MAX
    await set_fields(sessions, made[0], created_at=utc_now() - timedelta(hours=2))
    assert (await seoul.post(path, json=body)).status_code == 201


async def test_only_the_owner_tries_an_endpoint_and_only_with_rights(
    app: FastAPI, ears: Ears, sessions: Sessions
) -> None:
    endpoint = await make_endpoint(sessions)
    path, body = path_of(endpoint, "test-events"), {"event_type": COMPLETED}

    other = await api(app, "tokyo").post(path, json=body)
    reader = await api(app, "seoul", "notifications:read").post(path, json=body)
    stranger = await api(app).post(path, json=body)
    await ears.hear(
        member("seoul", status="suspended", version=2, kind=MemberSuspended), only="members"
    )
    suspended = await api(app, "seoul").post(path, json=body)

    assert [one.status_code for one in (other, reader, stranger, suspended)] == [404, 403, 401, 403]
    assert await deliveries(sessions) == []


async def test_what_is_tried_wakes_a_lane_that_was_never_used(
    seoul: AsyncClient, sessions: Sessions
) -> None:
    endpoint = await make_endpoint(sessions)

    await seoul.post(path_of(endpoint, "test-events"), json={"event_type": COMPLETED})

    async with sessions.begin() as session:
        assert await session.get(WebhookLane, endpoint.id) is not None
        [claimed] = await claim(session)
    assert len(claimed.deliveries) == 1
    async with sessions() as session:
        assert (await session.get_one(WebhookEndpoint, endpoint.id)).version == 1
