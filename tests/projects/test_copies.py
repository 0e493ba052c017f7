"""What this service knows of members follows their facts, and takes effect at once."""

from itertools import permutations
from typing import Any
from unittest.mock import AsyncMock
from uuid import uuid4

import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg
from sqlalchemy import select

from services.projects.consumers.members import SUBSCRIPTIONS
from services.projects.model.known import KnownMember, KnownOfficial
from services.projects.settings import ProjectsSettings
from shared.actor import Actor
from shared.contracts.event import EVERYONE, Event
from shared.contracts.members import (
    ClientRevoked,
    ClientState,
    MemberChanged,
    MemberEvent,
    MemberReinstated,
    MembershipStatus,
    MemberState,
    MemberSuspended,
    OfficialAppointed,
    OfficialState,
)
from shared.database import Sessions
from shared.messaging.consumer import Consumer, Copy
from tests.conftest import Database
from tests.projects.conftest import Cities, announced
from tests.projects.scenes import NOON, ZONES, working
from tests.web import environment

NEW_PROJECT = {
    "reference": "quiet-nights",
    "title": {"en": "Quiet nights"},
    "summary": {"en": "What cities do against noise."},
}
COPIES = {
    subscription.event.entity: subscription
    for subscription in SUBSCRIPTIONS
    if isinstance(subscription, Copy)
}


def member_state(slug: str, version: int, status: MembershipStatus) -> MemberState:
    return MemberState(
        version=version,
        slug=slug,
        kind="city",
        name={"en": f"{slug.title()} {version}"},
        local_name=None,
        country="KR",
        subdivision="11",
        time_zone=ZONES[slug],
        latitude=0.0,
        longitude=0.0,
        is_host=False,
        status=status,
        status_since=NOON.date(),
        created_at=NOON,
        updated_at=NOON,
    )


def about(
    kind: type[MemberEvent], slug: str, version: int, status: MembershipStatus
) -> MemberEvent:
    state = member_state(slug, version, status)
    return kind.about(state, by=Actor.CLOCK, at=NOON, audience=EVERYONE)


async def deliver(database: Database, event: Event[Any]) -> None:
    """Deliver as the broker does, which must be told that it is done."""
    broker = AsyncMock(spec=Client)
    subscription = COPIES[event.entity]
    reply = f"$JS.ACK.{subscription.stream}.{subscription.durable}.1.1.1.0.0"
    message = Msg(broker, event.nats_subject, reply, event.wire_form())
    settings = ProjectsSettings(**environment(database))

    await Consumer(subscription, database.sessions, settings, broker).receive([message])

    broker.publish.assert_awaited_once_with(reply)


@pytest.mark.parametrize("order", sorted(permutations([2, 3, 3, 4])), ids=str)
async def test_the_newest_version_wins_in_any_order(
    database: Database, order: tuple[int, ...]
) -> None:
    for version in order:
        await deliver(database, about(MemberChanged, "seoul", version, "active"))

    async with database.sessions() as session:
        copy = await session.get_one(KnownMember, "seoul")
    assert copy.version == 4
    assert copy.name == {"en": "Seoul 4"}
    assert (copy.country, copy.subdivision) == ("KR", "11")


async def test_an_official_is_known_without_name_and_address(
    database: Database, sessions: Sessions
) -> None:
    official = OfficialState(
        version=1,
        id=uuid4(),
        member="seoul",
        function={"en": "Coordinator, Seoul"},
        name="A name",
        email="coordinator@seoul.example",
        language="ko",
        roles=("coordinator", "contributor"),
        status="active",
        created_at=NOON,
        updated_at=NOON,
    )

    await deliver(
        database,
        OfficialAppointed.about(official, by=Actor.CLOCK, at=NOON, audience=["seoul"]),
    )

    async with sessions() as session:
        [copy] = await session.scalars(select(KnownOfficial))
    assert copy.id == official.id
    assert copy.roles == ("coordinator", "contributor")
    assert copy.function == {"en": "Coordinator, Seoul"}
    assert {"name", "email"}.isdisjoint(KnownOfficial.__table__.columns.keys())


async def test_a_revoked_client_can_do_nothing_with_the_tokens_it_holds(
    database: Database, cities: Cities, sessions: Sessions
) -> None:
    scene = working()
    scene.plan()
    await scene.store(sessions)
    here = f"/projects/{scene.project.id}"
    revoked = ClientState(
        id="tokyo-main",
        version=2,
        member="tokyo",
        name="Main",
        scopes=("projects:write",),
        status="revoked",
        created_at=NOON,
        updated_at=NOON,
    )

    await deliver(
        database, ClientRevoked.about(revoked, by=Actor.CLOCK, at=NOON, audience=["tokyo"])
    )
    answers = [
        await cities.call("tokyo", "GET", here),
        await cities.call("tokyo", "GET", "/projects"),
        await cities.call("tokyo", "GET", f"{here}/milestones"),
        await cities.call("tokyo", "GET", f"/milestones/{scene.milestones[0].id}"),
        await cities.call("tokyo", "PATCH", here, {"title": {"en": "Air"}}),
        await cities.call("tokyo", "POST", f"/milestones/{scene.milestones[0].id}/start"),
        await cities.call("tokyo", "POST", "/projects", NEW_PROJECT),
    ]
    others = await cities.call("seoul", "GET", here)

    assert [answer.status_code for answer in answers] == [401] * 7
    assert {answer.json()["type"] for answer in answers} == {"/problems/unauthenticated"}
    assert others.status_code == 200
    assert await announced(sessions) == []


async def test_a_suspended_member_is_refused_until_it_is_reinstated(
    database: Database, cities: Cities, sessions: Sessions
) -> None:
    scene = await working().store(sessions)
    acceptance = f"/participations/{scene.participations['paris'].id}/acceptance"

    await deliver(database, about(MemberSuspended, "paris", 2, "suspended"))
    refused = await cities.call("paris", "POST", acceptance, {})
    sees = await cities.get("paris", f"/participations/{scene.participations['paris'].id}")
    unchanged = await announced(sessions)
    await deliver(database, about(MemberReinstated, "paris", 3, "active"))
    accepted = await cities.call("paris", "POST", acceptance, {})

    assert refused.status_code == 403
    assert refused.json()["type"] == "/problems/member-not-active"
    assert sees["allowed_actions"] == []
    assert unchanged == []
    assert accepted.status_code == 200


async def test_a_member_that_nobody_knows_begins_no_project(
    cities: Cities, sessions: Sessions
) -> None:
    response = await cities.call(
        "atlantis",
        "POST",
        "/projects",
        {"reference": "deep-sea", "title": {"en": "Deep"}, "summary": {"en": "Sea"}},
    )

    assert response.status_code == 403
    assert response.json()["type"] == "/problems/member-not-active"
    assert await announced(sessions) == []
