"""Which facts are queued for which endpoints."""

import json

import pytest
from sqlalchemy import select

from services.notifications.model.webhook_delivery import WebhookMessage
from services.notifications.worker import WORKER
from shared.contracts.event import CATALOGUE
from shared.contracts.members import MemberSuspended
from shared.contracts.projects import MilestoneCompleted, ProjectDrafted
from shared.identifiers import new_id
from tests.conftest import Database
from tests.notifications.endpoints import deliveries, make_endpoint
from tests.notifications.hearing import Ears, at, member, milestone, official, project

HARBOUR, READINGS = new_id(), new_id()


async def test_a_fact_is_queued_once_however_often_it_comes(ears: Ears, database: Database) -> None:
    endpoint = await make_endpoint(database.sessions)
    fact = project(HARBOUR)

    await ears.hear(fact, fact, only="webhooks")
    await ears.hear(fact, only="webhooks")

    [delivery] = await deliveries(database.sessions)
    assert (delivery.endpoint_id, delivery.event_id) == (endpoint.id, fact.id)
    assert (delivery.event_type, delivery.occurred_at) == ("renkei.project.proposed.v1", at(1))
    assert (delivery.state, delivery.attempts) == ("pending", 0)
    assert delivery.message_id == f"msg_{fact.id}"


async def test_the_body_is_kept_once_for_all_endpoints(ears: Ears, database: Database) -> None:
    for slug in ("seoul", "delhi"):
        await make_endpoint(database.sessions, member=slug)
    fact = project(HARBOUR)

    await ears.hear(fact, only="webhooks")

    assert len(await deliveries(database.sessions)) == 2
    async with database.sessions() as session:
        [message] = await session.scalars(select(WebhookMessage))
    assert message.body == fact.wire_form()


async def test_a_field_that_we_do_not_know_is_handed_on(ears: Ears, database: Database) -> None:
    await make_endpoint(database.sessions)
    fact = project(HARBOUR)
    wire = json.loads(fact.wire_form())
    wire["data"]["state"]["from_the_future"] = "kept"
    newer = type(fact).received(json.dumps(wire).encode())

    await ears.hear(newer, only="webhooks")

    async with database.sessions() as session:
        [message] = await session.scalars(select(WebhookMessage))
    assert json.loads(message.body)["data"]["state"]["from_the_future"] == "kept"


@pytest.mark.parametrize(
    ("audience", "heard"), [(["tokyo"], []), (["seoul", "tokyo"], ["seoul"]), (["*"], ["seoul"])]
)
async def test_only_the_audience_hears_of_a_fact(
    ears: Ears, database: Database, audience: list[str], heard: list[str]
) -> None:
    await make_endpoint(database.sessions, member="seoul")

    await ears.hear(project(HARBOUR, audience=audience, kind=ProjectDrafted), only="webhooks")

    assert len(await deliveries(database.sessions)) == len(heard)


@pytest.mark.parametrize(
    ("wanted", "count"),
    [
        (("*",), 2),
        (("renkei.milestone.*",), 1),
        (("renkei.milestone.completed.v1",), 1),
        (("renkei.milestone.completed.v1", "renkei.milestone.*", "*"), 2),
        (("renkei.milestone.planned.v1",), 0),
        (("renkei.participation.*",), 0),
    ],
)
async def test_an_endpoint_hears_of_the_types_it_wants(
    ears: Ears, database: Database, wanted: tuple[str, ...], count: int
) -> None:
    await make_endpoint(database.sessions, event_types=wanted)

    await ears.hear(
        project(HARBOUR), milestone(HARBOUR, READINGS, kind=MilestoneCompleted), only="webhooks"
    )

    assert len(await deliveries(database.sessions)) == count


@pytest.mark.parametrize("status", ["paused", "disabled", "deleted"])
async def test_an_endpoint_that_is_not_active_gets_nothing(
    ears: Ears, database: Database, status: str
) -> None:
    await make_endpoint(database.sessions, status=status)

    await ears.hear(project(HARBOUR), only="webhooks")

    assert await deliveries(database.sessions) == []


async def test_an_endpoint_gets_nothing_before_its_receiver_has_agreed(
    ears: Ears, database: Database
) -> None:
    await make_endpoint(database.sessions, is_verified=False)

    await ears.hear(project(HARBOUR), only="webhooks")

    assert await deliveries(database.sessions) == []


async def test_an_endpoint_hears_of_the_projects_it_wants(ears: Ears, database: Database) -> None:
    await make_endpoint(database.sessions, project_ids=(HARBOUR,))
    others = new_id()

    await ears.hear(
        project(HARBOUR),
        project(others),
        milestone(HARBOUR, READINGS),
        member("delhi"),
        only="webhooks",
    )

    told = [one.event_type for one in await deliveries(database.sessions)]
    assert told == ["renkei.project.proposed.v1", "renkei.milestone.planned.v1"]


@pytest.mark.parametrize("status", ["suspended", "withdrawn"])
async def test_a_member_that_does_not_take_part_gets_nothing(
    ears: Ears, database: Database, status: str
) -> None:
    await make_endpoint(database.sessions)
    await ears.hear(
        member("seoul", status=status, kind=MemberSuspended),  # type: ignore[arg-type]
        only="members",
    )

    await ears.hear(project(HARBOUR), only="webhooks")

    assert await deliveries(database.sessions) == []


async def test_an_endpoint_hears_of_nothing_from_before_it_was_made(
    ears: Ears, database: Database
) -> None:
    await make_endpoint(database.sessions, made_at_minute=2)

    await ears.hear(project(HARBOUR, version=1), project(HARBOUR, version=2), only="webhooks")

    assert [one.occurred_at for one in await deliveries(database.sessions)] == [at(2)]


async def test_what_is_older_than_our_memory_is_not_queued(ears: Ears, database: Database) -> None:
    month = 60 * 24 * 31
    await make_endpoint(database.sessions, made_at_minute=-2 * month)
    old = project(HARBOUR).model_copy(update={"time": at(-month)})

    await ears.hear(old, only="webhooks")

    assert await deliveries(database.sessions) == []


async def test_an_official_is_told_about_only_to_its_own_member(
    ears: Ears, database: Database
) -> None:
    for slug in ("seoul", "delhi"):
        await make_endpoint(database.sessions, member=slug)

    await ears.hear(official(new_id(), "delhi", "observer"), only="webhooks")

    assert len(await deliveries(database.sessions)) == 1


def test_every_published_event_reaches_the_webhooks() -> None:
    heard = tuple(
        subscription.event
        for subscription in WORKER.subscriptions
        if subscription.durable.startswith("notifications-webhooks-")
    )

    assert [kind for kind in CATALOGUE.values() if not issubclass(kind, heard)] == []
