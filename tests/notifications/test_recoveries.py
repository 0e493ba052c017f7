"""What an endpoint did not get is made up for: all of it, once, in order, behind what is new."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from fastapi import FastAPI
from httpx2 import AsyncClient
from sqlalchemy import text, update

from services.notifications.model.webhook_delivery import WebhookDelivery
from services.notifications.model.webhook_endpoint import WebhookEndpoint
from services.notifications.settings import NotificationsSettings
from services.notifications.use_cases import work_off_recoveries as working_off
from services.notifications.worker import WORKER
from shared.actor import Actor
from shared.clock import utc_now
from shared.contracts.members import MemberSuspended
from shared.contracts.projects import ParticipationWithdrawn
from shared.database import Sessions
from shared.identifiers import new_id
from shared.timers import tick
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
from tests.web import api

HARBOUR, BRIDGE, READINGS = new_id(), new_id(), new_id()
SINCE = at(-120).isoformat()
ALL = {"kind": "all", "since": SINCE}
[TIMER] = [timer for timer in WORKER.timers if timer.name == "work-off-recoveries"]


@pytest.fixture(autouse=True)
async def known(ears: Ears) -> None:
    await ears.hear(member("seoul"), member("tokyo"), only="members")


@pytest.fixture
def seoul(app: FastAPI) -> AsyncClient:
    return api(app, "seoul")


def path_of(endpoint: Made, *parts: object) -> str:
    return "/".join(["/api/v1/webhook-endpoints", str(endpoint.id), "recoveries", *map(str, parts)])


async def begun(client: AsyncClient, endpoint: Made, **asked: Any) -> dict[str, Any]:
    answer = await client.post(path_of(endpoint), json=ALL | asked)
    assert answer.status_code == 201, answer.json()
    shown: dict[str, Any] = answer.json()
    assert answer.headers["Location"] == path_of(endpoint, shown["id"])
    return shown


async def work_off(sessions: Sessions) -> None:
    """Let the worker go on until it has no more to do."""
    async with asyncio.timeout(20):
        while await tick(TIMER, sessions):
            pass


async def change(sessions: Sessions, endpoint: Made, **fields: Any) -> None:
    async with sessions.begin() as session:
        await session.execute(
            update(WebhookEndpoint).where(WebhookEndpoint.id == endpoint.id).values(**fields)
        )


async def end_all(sessions: Sessions, state: str, reason: str | None = None) -> None:
    """Let every delivery have ended."""
    async with sessions.begin() as session:
        await session.execute(
            update(WebhookDelivery).values(
                state=state, state_reason=reason, finished_at=utc_now(), attempts=3, step=3
            )
        )


async def told(sessions: Sessions) -> list[tuple[str, str]]:
    return [(one.occurred_at.isoformat(), one.state) for one in await deliveries(sessions)]


async def test_what_failed_is_sent_again_with_the_same_message_ids(
    seoul: AsyncClient, ears: Ears, sessions: Sessions, settings: NotificationsSettings
) -> None:
    async with receiving(*[answering(500)] * 3, answering(204)) as receiver:
        endpoint = await make_endpoint(sessions, receiver.url)
        await ears.hear(project(HARBOUR), only="webhooks")
        async with sending(sessions, settings):
            await until_settled(sessions, attempts_made=3)

        recovery = await begun(seoul, endpoint, kind="failed")
        await work_off(sessions)

        async with sending(sessions, settings):
            found = await until_settled(sessions, attempts_made=4)
    shown = (await seoul.get(path_of(endpoint, recovery["id"]))).json()

    assert (recovery["state"], recovery["expected"], recovery["queued"]) == ("running", 1, 0)
    assert [(one.state, one.attempts) for one in found] == [("delivered", 4)]
    assert len({request.message_id for request in receiver.received}) == 1
    triggers = [one.trigger for one in await attempts(sessions)]
    assert triggers == ["schedule"] * 3 + ["recovery"]
    assert (shown["state"], shown["queued"], shown["delivered"]) == ("completed", 1, 1)
    assert shown["finished_at"] is not None
    assert shown["allowed_actions"] == []
    assert shown["requested_by"] == "client:seoul-main"


async def test_what_was_missed_while_paused_comes_in_order(
    seoul: AsyncClient, ears: Ears, sessions: Sessions, settings: NotificationsSettings
) -> None:
    async with receiving() as receiver:
        endpoint = await make_endpoint(sessions, receiver.url, parallel=1)
        await ears.hear(project(HARBOUR, version=1), only="webhooks")
        await change(sessions, endpoint, status="paused")
        missed = [project(HARBOUR, version=version) for version in range(2, 6)]
        await ears.hear(*missed, only="webhooks")
        await change(sessions, endpoint, status="active")
        await ears.hear(project(HARBOUR, version=6), only="webhooks")

        await begun(seoul, endpoint, kind="missed")
        await work_off(sessions)

        async with sending(sessions, settings):
            found = await until_settled(sessions)

    assert len(found) == 6
    assert [request.message_id for request in receiver.received][2:] == [
        f"msg_{fact.id}" for fact in missed
    ]
    assert [one.priority for one in found] == [0, 0, 1, 1, 1, 1]


async def test_an_endpoint_made_later_gets_what_its_member_was_told_before(
    seoul: AsyncClient, ears: Ears, sessions: Sessions
) -> None:
    told_then, not_told = project(HARBOUR, version=1), project(HARBOUR, version=2)
    await ears.hear(
        told_then, not_told.model_copy(update={"audience": ("tokyo",)}), only="webhooks"
    )
    endpoint = await make_endpoint(sessions, made_at_minute=60)

    await begun(seoul, endpoint, kind="missed")
    await work_off(sessions)

    assert [one.event_id for one in await deliveries(sessions)] == [told_then.id]


@pytest.mark.parametrize(
    ("kind", "found"),
    [
        ("failed", ["failed", "disabled", "rejoined", "suspended"]),
        ("missed", ["missed"]),
        ("all", None),
    ],
)
async def test_each_kind_brings_its_own(
    seoul: AsyncClient, ears: Ears, sessions: Sessions, kind: str, found: list[str] | None
) -> None:
    endpoint = await make_endpoint(sessions)
    ended = {
        "failed": ("failed", "attempts_exhausted"),
        "disabled": ("cancelled", "endpoint_disabled"),
        "delivered": ("delivered", None),
        # The member takes part again, and may be told.
        "rejoined": ("cancelled", "left_project"),
        "suspended": ("cancelled", "member_suspended"),
    }
    facts = {
        name: project(HARBOUR, version=number) for number, name in enumerate((*ended, "missed"), 1)
    }
    await ears.hear(*(facts[name] for name in ended), only="webhooks")
    for name, (state, reason) in ended.items():
        async with sessions.begin() as session:
            await session.execute(
                update(WebhookDelivery)
                .where(WebhookDelivery.event_id == facts[name].id)
                .values(state=state, state_reason=reason)
            )
    await change(sessions, endpoint, status="paused")
    await ears.hear(facts["missed"], only="webhooks")
    await change(sessions, endpoint, status="active")
    expected = [*(set(ended) - {"delivered"}), "missed"] if found is None else found

    preview = await seoul.post(
        path_of(endpoint), json=ALL | {"kind": kind}, params={"dry_run": "true"}
    )
    await begun(seoul, endpoint, kind=kind)
    await work_off(sessions)

    assert preview.json()["expected"] == len(expected)
    pending = {one.event_id for one in await deliveries(sessions) if one.state == "pending"}
    assert pending == {facts[name].id for name in expected}


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({}, [1, 2, 3]),
        ({"since": at(2).isoformat()}, [2, 3]),
        ({"until": at(2).isoformat()}, [1]),
        ({"since": at(2).isoformat(), "until": at(3).isoformat()}, [2]),
        ({"event_types": ["renkei.milestone.*"]}, [3]),
        ({"event_types": ["renkei.project.proposed.v1", "renkei.official.*"]}, [1, 2]),
        ({"event_types": ["*"]}, [1, 2, 3]),
    ],
)
@pytest.mark.parametrize("kind", ["failed", "missed"])
async def test_only_what_is_meant_is_brought(
    seoul: AsyncClient,
    ears: Ears,
    sessions: Sessions,
    kind: str,
    asked: dict[str, Any],
    found: list[int],
) -> None:
    endpoint = await make_endpoint(sessions, status="active" if kind == "failed" else "paused")
    await ears.hear(
        project(HARBOUR, version=1),
        project(BRIDGE, version=2),
        milestone(HARBOUR, READINGS, version=3),
        only="webhooks",
    )
    await end_all(sessions, "failed")
    await change(sessions, endpoint, status="active")

    recovery = await begun(seoul, endpoint, kind=kind, **asked)
    await work_off(sessions)

    pending = [one for one in await deliveries(sessions) if one.state == "pending"]
    assert sorted(one.occurred_at for one in pending) == [at(minute) for minute in found]
    assert {str(one.recovery_id) for one in pending} == {recovery["id"]}
    assert recovery["expected"] == len(found)


async def test_what_an_endpoint_does_not_want_is_not_brought(
    seoul: AsyncClient, ears: Ears, sessions: Sessions
) -> None:
    endpoint = await make_endpoint(
        sessions, status="paused", project_ids=(HARBOUR,), event_types=("renkei.project.*",)
    )
    wanted = project(HARBOUR)
    await ears.hear(wanted, project(BRIDGE), milestone(HARBOUR, READINGS), only="webhooks")
    await change(sessions, endpoint, status="active")

    await begun(seoul, endpoint)
    await work_off(sessions)

    assert [one.event_id for one in await deliveries(sessions)] == [wanted.id]


@pytest.mark.parametrize("kind", ["failed", "missed"])
async def test_what_a_member_may_not_be_told_any_more_is_not_brought(
    seoul: AsyncClient, ears: Ears, sessions: Sessions, kind: str
) -> None:
    endpoint = await make_endpoint(
        sessions,
        status="active" if kind == "failed" else "paused",
        event_types=("renkei.project.*",),
    )
    inside = project(HARBOUR, audience=["seoul", "tokyo"])
    state = inside.data.state.model_copy(update={"visibility": "participants"})
    inside = inside.model_copy(update={"data": inside.data.model_copy(update={"state": state})})
    looped = project(BRIDGE, by=Actor(member="seoul", client_id="seoul-main"))
    left = participation(HARBOUR, "seoul", status="withdrawn", kind=ParticipationWithdrawn)
    await ears.hear(inside, looped, left)
    await led_to(sessions, looped.id, *["seoul"] * 4)
    await end_all(sessions, "failed")
    before = await told(sessions)
    await change(sessions, endpoint, status="active")

    recovery = await begun(seoul, endpoint, kind=kind)
    await work_off(sessions)

    assert recovery["expected"] == 0
    assert await told(sessions) == before


async def test_a_preview_says_what_would_be_sent_and_begins_nothing(
    seoul: AsyncClient, ears: Ears, sessions: Sessions
) -> None:
    endpoint = await make_endpoint(sessions, status="paused")
    await ears.hear(
        project(HARBOUR, version=1),
        project(BRIDGE, version=4),
        milestone(HARBOUR, READINGS, version=2),
        only="webhooks",
    )
    await change(sessions, endpoint, status="active")

    answer = await seoul.post(path_of(endpoint), json=ALL, params={"dry_run": "true"})

    assert answer.status_code == 200
    moments = [at(minute).isoformat().replace("+00:00", "Z") for minute in range(5)]
    assert answer.json() == {
        "expected": 3,
        "first_at": moments[1],
        "last_at": moments[4],
        "by_type": [
            {
                "event_type": "renkei.milestone.planned.v1",
                "count": 1,
                "first_at": moments[2],
                "last_at": moments[2],
            },
            {
                "event_type": "renkei.project.proposed.v1",
                "count": 2,
                "first_at": moments[1],
                "last_at": moments[4],
            },
        ],
    }
    assert (await seoul.get(path_of(endpoint))).json()["items"] == []
    await work_off(sessions)
    assert await deliveries(sessions) == []


async def test_one_recovery_of_an_endpoint_is_at_work(
    seoul: AsyncClient, sessions: Sessions
) -> None:
    endpoint, other = await make_endpoint(sessions), await make_endpoint(sessions)

    answers = await asyncio.gather(*(seoul.post(path_of(endpoint), json=ALL) for _ in range(3)))
    preview = await seoul.post(path_of(endpoint), json=ALL, params={"dry_run": "true"})
    elsewhere = await seoul.post(path_of(other), json=ALL)

    assert sorted(answer.status_code for answer in answers) == [201, 409, 409]
    refused = next(answer.json() for answer in answers if answer.status_code == 409)
    listed = (await seoul.get(path_of(endpoint))).json()["items"]
    assert refused["type"] == "/problems/webhook-recovery-running"
    assert [refused["recovery_id"]] == [one["id"] for one in listed]
    assert (preview.status_code, elsewhere.status_code) == (200, 201)
    await work_off(sessions)
    assert (await seoul.post(path_of(endpoint), json=ALL)).status_code == 201


async def test_a_recovery_is_begun_once_for_a_key(seoul: AsyncClient, sessions: Sessions) -> None:
    endpoint = await make_endpoint(sessions)
    key = {"Idempotency-Key": "k"}

    first = await seoul.post(path_of(endpoint), json=ALL, headers=key)
    again = await seoul.post(path_of(endpoint), json=ALL, headers=key)
    preview = await seoul.post(path_of(endpoint), json=ALL, headers=key, params={"dry_run": "true"})

    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json() == first.json()
    assert preview.json()["type"] == "/problems/idempotency-key-reused"


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"kind": "lost"}, "invalid-request"),
        ({"kind": None}, "invalid-request"),
        ({"since": None}, "invalid-request"),
        ({"since": "yesterday"}, "invalid-request"),
        ({"since": 5}, "invalid-request"),
        ({"since": "2026-04-01T00:00:00"}, "invalid-request"),
        ({"since": "1850-04-01T00:00:00Z"}, "invalid-request"),
        ({"event_types": ["renkei.*"]}, "invalid-request"),
        ({"event_types": ["renkei.sandwich.*"]}, "event-type-unknown"),
        ({"event_types": "*"}, "invalid-request"),
        ({"priority": 0}, "invalid-request"),
        ({"since": at(0).isoformat(), "until": at(0).isoformat()}, "recovery-period-invalid"),
        ({"until": (utc_now() + timedelta(hours=1)).isoformat()}, "recovery-period-invalid"),
        ({"since": (utc_now() + timedelta(hours=1)).isoformat()}, "recovery-period-invalid"),
    ],
)
async def test_a_recovery_that_makes_no_sense_is_refused(
    seoul: AsyncClient, sessions: Sessions, asked: dict[str, Any], code: str
) -> None:
    endpoint = await make_endpoint(sessions)

    answer = await seoul.post(path_of(endpoint), json=ALL | asked)

    assert (answer.status_code, answer.json()["type"]) == (422, f"/problems/{code}")
    assert (await seoul.get(path_of(endpoint))).json()["items"] == []


@pytest.mark.parametrize(
    "made", [{"status": "paused"}, {"status": "disabled"}, {"is_verified": False}]
)
async def test_nothing_is_made_up_for_where_nothing_is_sent(
    seoul: AsyncClient, sessions: Sessions, made: dict[str, Any]
) -> None:
    endpoint = await make_endpoint(sessions, **made)

    answer = await seoul.post(path_of(endpoint), json=ALL)

    assert answer.status_code == 409
    assert answer.json()["type"] == "/problems/webhook-endpoint-not-active"


async def test_only_the_owner_has_recoveries_and_only_with_rights(
    app: FastAPI, seoul: AsyncClient, ears: Ears, sessions: Sessions
) -> None:
    endpoint, other = await make_endpoint(sessions), await make_endpoint(sessions)
    recovery = await begun(seoul, endpoint)
    paths = [path_of(endpoint), path_of(endpoint, recovery["id"])]
    cancellation = path_of(endpoint, recovery["id"], "cancellation")
    tokyo, stranger = api(app, "tokyo"), api(app)
    reader, nobody = api(app, "seoul", "notifications:read"), api(app, "seoul", "projects:read")

    answers = {
        404: [
            await tokyo.post(paths[0], json=ALL),
            await tokyo.get(paths[0]),
            await tokyo.get(paths[1]),
            await tokyo.post(cancellation),
            await seoul.get(path_of(other, recovery["id"])),
            await seoul.post(path_of(other, recovery["id"], "cancellation")),
            await seoul.get(path_of(endpoint, new_id())),
        ],
        403: [
            await reader.post(paths[0], json=ALL),
            await reader.post(cancellation),
            await nobody.get(paths[0]),
            await nobody.get(paths[1]),
        ],
        401: [await stranger.get(paths[0]), await stranger.post(cancellation)],
    }
    seen = (await reader.get(paths[1])).json()
    await ears.hear(
        member("seoul", status="suspended", version=2, kind=MemberSuspended), only="members"
    )
    suspended = [await seoul.post(paths[0], json=ALL), await seoul.post(cancellation)]

    for status, given in answers.items():
        assert [answer.status_code for answer in given] == [status] * len(given)
    assert (seen["state"], seen["allowed_actions"]) == ("running", [])
    assert [one.json()["type"] for one in suspended] == ["/problems/member-not-active"] * 2


async def test_recoveries_are_listed_page_by_page(seoul: AsyncClient, sessions: Sessions) -> None:
    endpoint = await make_endpoint(sessions)
    made = []
    for _ in range(3):
        made.append((await begun(seoul, endpoint))["id"])
        await work_off(sessions)

    first = (await seoul.get(path_of(endpoint), params={"limit": 2, "sort": "-created"})).json()
    second = (await seoul.get(first["next"])).json()

    assert [one["id"] for one in first["items"] + second["items"]] == made[::-1]
    assert second["next"] is None


async def test_a_cancelled_recovery_sends_nothing_more_and_can_be_made_up_for(
    seoul: AsyncClient, ears: Ears, sessions: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(working_off, "CHUNK", 2)
    endpoint = await make_endpoint(sessions, status="paused")
    await ears.hear(*(project(HARBOUR, version=v) for v in range(1, 6)), only="webhooks")
    await change(sessions, endpoint, status="active")
    recovery = await begun(seoul, endpoint)
    await tick(TIMER, sessions)
    await tick(TIMER, sessions)

    answer = await seoul.post(path_of(endpoint, recovery["id"], "cancellation"))
    await work_off(sessions)

    assert answer.status_code == 200
    shown = answer.json()
    assert (shown["state"], shown["state_reason"]) == ("cancelled", "owner")
    assert (shown["queued"], shown["cancelled"], shown["pending"]) == (2, 2, 0)
    assert [(one.state, one.state_reason) for one in await deliveries(sessions)] == [
        ("cancelled", "recovery_cancelled")
    ] * 2
    again = await seoul.post(path_of(endpoint, recovery["id"], "cancellation"))
    assert again.json()["type"] == "/problems/webhook-recovery-over"
    await begun(seoul, endpoint)
    await work_off(sessions)
    assert [one.state for one in await deliveries(sessions)] == ["pending"] * 5


async def test_what_is_all_queued_can_be_cancelled_while_it_waits_and_not_after(
    seoul: AsyncClient, ears: Ears, sessions: Sessions
) -> None:
    endpoint = await make_endpoint(sessions, status="paused")
    await ears.hear(project(HARBOUR), only="webhooks")
    await change(sessions, endpoint, status="active")
    recovery = await begun(seoul, endpoint)
    await work_off(sessions)
    shown = (await seoul.get(path_of(endpoint, recovery["id"]))).json()
    await end_all(sessions, "delivered")

    refused = await seoul.post(path_of(endpoint, recovery["id"], "cancellation"))

    assert (shown["state"], shown["allowed_actions"]) == ("completed", ["cancel"])
    assert (refused.status_code, refused.json()["type"]) == (
        409,
        "/problems/webhook-recovery-over",
    )
    assert [one.state for one in await deliveries(sessions)] == ["delivered"]


async def test_what_is_new_goes_first(seoul: AsyncClient, ears: Ears, sessions: Sessions) -> None:
    endpoint = await make_endpoint(sessions)
    old, new = project(HARBOUR), project(BRIDGE)
    await ears.hear(old, only="webhooks")
    await end_all(sessions, "failed")
    await begun(seoul, endpoint)
    await work_off(sessions)

    await ears.hear(new, only="webhooks")

    async with sessions.begin() as session:
        [lane] = await claim(session)
    assert [one.event_id for one in lane.deliveries] == [new.id, old.id]


async def test_the_order_of_an_entity_holds_for_what_is_brought_and_what_is_new(
    seoul: AsyncClient, ears: Ears, sessions: Sessions, settings: NotificationsSettings
) -> None:
    async with receiving(answering(503), answering(204)) as receiver:
        endpoint = await make_endpoint(sessions, receiver.url, ordering="entity")
        facts = [project(HARBOUR, version=version) for version in range(1, 8)]
        await ears.hear(facts[0], only="webhooks")
        await end_all(sessions, "failed")
        await change(sessions, endpoint, status="paused")
        await ears.hear(facts[1], facts[2], only="webhooks")
        await change(sessions, endpoint, status="active")
        await ears.hear(facts[3], only="webhooks")
        async with sessions.begin() as session:
            await session.execute(
                update(WebhookDelivery)
                .where(WebhookDelivery.event_id == facts[3].id)
                .values(due_at=utc_now() + timedelta(hours=1))
            )
        await begun(seoul, endpoint)
        await work_off(sessions)
        await ears.hear(facts[4], facts[5], facts[6], only="webhooks")

        async with sending(sessions, settings, ahead=timedelta(hours=2)):
            found = await until_settled(sessions, attempts_made=2)

    assert {one.state for one in found} == {"delivered"}
    names = [request.message_id for request in receiver.received]
    assert names == [f"msg_{fact.id}" for fact in (facts[0], *facts)]


async def test_several_workers_bring_each_fact_once(
    seoul: AsyncClient, ears: Ears, sessions: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(working_off, "CHUNK", 3)
    endpoints = [await make_endpoint(sessions, status="paused") for _ in range(3)]
    await ears.hear(*(project(HARBOUR, version=v) for v in range(1, 11)), only="webhooks")
    for endpoint in endpoints:
        await change(sessions, endpoint, status="active")
        await begun(seoul, endpoint)

    async def work() -> None:
        """Work off without the lock of the timer, as if there were two of them."""
        is_more = True
        while is_more:
            async with sessions.begin() as session:
                is_more = await working_off.work_off_recoveries(session, now=utc_now())

    async with asyncio.timeout(20):
        await asyncio.gather(work(), work(), work())
        await work()

    found = await deliveries(sessions)
    assert len(found) == len({(one.endpoint_id, one.event_id) for one in found}) == 30
    for endpoint in endpoints:
        [shown] = (await seoul.get(path_of(endpoint))).json()["items"]
        assert (shown["state"], shown["queued"], shown["pending"]) == ("completed", 10, 10)


async def test_recoveries_take_turns(
    seoul: AsyncClient, ears: Ears, sessions: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(working_off, "CHUNK", 1)
    endpoints = [await make_endpoint(sessions, status="paused") for _ in range(2)]
    await ears.hear(*(project(HARBOUR, version=v) for v in range(1, 6)), only="webhooks")
    for endpoint in endpoints:
        await change(sessions, endpoint, status="active")
        await begun(seoul, endpoint)

    for _ in range(6):
        await tick(TIMER, sessions)

    brought = [one.endpoint_id for one in await deliveries(sessions)]
    assert [brought.count(endpoint.id) for endpoint in endpoints] == [2, 2]


@pytest.mark.parametrize(("status", "state"), [("disabled", "cancelled"), ("paused", "running")])
async def test_a_recovery_ends_with_its_endpoint_and_waits_while_it_is_paused(
    seoul: AsyncClient, ears: Ears, sessions: Sessions, status: str, state: str
) -> None:
    endpoint = await make_endpoint(sessions, status="paused")
    await ears.hear(project(HARBOUR), only="webhooks")
    await change(sessions, endpoint, status="active")
    recovery = await begun(seoul, endpoint)
    await change(sessions, endpoint, status=status)

    await work_off(sessions)

    shown = (await seoul.get(path_of(endpoint, recovery["id"]))).json()
    assert shown["state"] == state
    assert shown["state_reason"] == ("endpoint_disabled" if state == "cancelled" else None)
    assert await deliveries(sessions) == []


async def test_what_stands_in_no_feed_any_more_is_brought_first(
    seoul: AsyncClient, ears: Ears, sessions: Sessions
) -> None:
    endpoint = await make_endpoint(sessions)
    await ears.hear(*(project(HARBOUR, version=v) for v in (1, 2, 3)), only="webhooks")
    await end_all(sessions, "failed")
    async with sessions.begin() as session:
        await session.execute(text("DELETE FROM feed_entry WHERE sequence < 3"))

    await begun(seoul, endpoint, kind="failed")
    await tick(TIMER, sessions)
    first = [state for _, state in await told(sessions)]
    await work_off(sessions)

    assert first == ["pending", "pending", "failed"]
    assert [state for _, state in await told(sessions)] == ["pending"] * 3
