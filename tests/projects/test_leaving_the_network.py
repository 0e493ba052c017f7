"""A member that leaves the network takes part in nothing any more, whatever came first."""

import asyncio
from datetime import date
from itertools import permutations
from typing import Any
from unittest.mock import AsyncMock

import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg

from services.projects.consumers.members import SUBSCRIPTIONS
from services.projects.model.known import KnownMember
from services.projects.model.participation import Participation
from services.projects.settings import ProjectsSettings
from shared.contracts.event import Event
from shared.contracts.members import MemberChanged, MemberReinstated, MemberSuspended
from shared.contracts.members import MemberWithdrawn as MemberLeft
from shared.database import Sessions
from shared.messaging.consumer import Consumer, Subscription
from tests.conftest import Database
from tests.projects.conftest import Cities, announced
from tests.projects.scenes import NOON, Scene, working
from tests.projects.test_copies import about
from tests.web import environment

COPY, REACTION = (
    next(each for each in SUBSCRIPTIONS if each.durable == durable)
    for durable in ("projects-members", "projects-withdrawn-members")
)


async def hear(
    database: Database, subscription: Subscription[Any], *events: Event[Any]
) -> list[tuple[bytes, ...]]:
    """Deliver as the broker does; answers what it was told."""
    broker = AsyncMock(spec=Client)
    reply = f"$JS.ACK.{subscription.stream}.{subscription.durable}.1.1.1.0.0"
    settings = ProjectsSettings(**environment(database))
    await Consumer(subscription, database.sessions, settings, broker).receive(
        [Msg(broker, event.nats_subject, reply, event.wire_form()) for event in events]
    )
    return [call.args[1:] for call in broker.publish.await_args_list]


async def statuses(sessions: Sessions, scene: Scene) -> dict[str, str]:
    async with sessions() as session:
        return {
            member: (await session.get_one(Participation, each.id)).status
            for member, each in sorted(scene.participations.items())
        }


async def test_its_places_end_answered_or_not(database: Database, sessions: Sessions) -> None:
    scene = working()
    other = Scene(reference="other").propose()
    other.invite("seoul")
    for each in (scene, other):
        await each.store(sessions)

    answers = await hear(database, REACTION, about(MemberLeft, "seoul", 2, "withdrawn"))

    assert answers == [()]  # done
    assert await statuses(sessions, scene) == {
        "berlin": "declined",
        "paris": "invited",
        "seoul": "withdrawn",
    }
    assert await statuses(sessions, other) == {"seoul": "withdrawn"}
    told = await announced(sessions)
    assert [event.type for event in told] == ["renkei.participation.withdrawn.v1"] * 2
    assert {event.audience for event in told} == {("paris", "seoul", "tokyo"), ("seoul", "tokyo")}
    for event in told:
        assert event.actor is None
        assert event.data.state.withdrawn_by == "network"
        assert event.data.state.withdrawn_on >= date(2026, 5, 4)


@pytest.mark.parametrize("repeats", sorted(set(permutations([0, 0, 1, 1]))), ids=str)
async def test_repeats_and_order_do_not_matter(
    database: Database, sessions: Sessions, repeats: tuple[int, ...]
) -> None:
    scene = await working().store(sessions)
    left = about(MemberLeft, "seoul", 3, "withdrawn")

    for consumer in repeats:
        await hear(database, (COPY, REACTION)[consumer], left)
    await hear(database, COPY, about(MemberChanged, "seoul", 2, "active"))

    assert len(await announced(sessions)) == 1
    assert (await statuses(sessions, scene))["seoul"] == "withdrawn"
    async with sessions() as session:
        assert (await session.get_one(KnownMember, "seoul")).status == "withdrawn"


async def test_one_batch_may_bring_several_members(database: Database, sessions: Sessions) -> None:
    scene = await working().store(sessions)

    await hear(
        database,
        REACTION,
        about(MemberLeft, "seoul", 2, "withdrawn"),
        about(MemberLeft, "paris", 2, "withdrawn"),
    )

    assert set((await statuses(sessions, scene)).values()) == {
        "declined",
        "withdrawn",
    }
    audiences = sorted(event.audience for event in await announced(sessions))
    assert audiences in (
        [("paris", "seoul", "tokyo"), ("paris", "tokyo")],
        [("paris", "seoul", "tokyo"), ("seoul", "tokyo")],
    )


async def test_whoever_invites_meanwhile_is_found_or_refused(
    database: Database, cities: Cities, sessions: Sessions
) -> None:
    scene = await working().store(sessions)
    path = f"/projects/{scene.project.id}/participations"

    invited, _ = await asyncio.gather(
        cities.call("tokyo", "POST", path, {"member": "delhi"}),
        hear(database, REACTION, about(MemberLeft, "delhi", 2, "withdrawn")),
    )
    later = await cities.call("tokyo", "POST", path, {"member": "delhi"})

    assert later.status_code == 409
    assert later.json()["type"] == "/problems/invited-member-not-active"
    found = await cities.get("tokyo", f"{path}?status=invited")
    assert [each["member"] for each in found["items"]] == ["paris"]
    types = [event.type.split(".")[2] for event in await announced(sessions)]
    assert types == (["invited", "withdrawn"] if invited.status_code == 201 else [])


async def test_a_suspended_member_keeps_its_places(
    database: Database, cities: Cities, sessions: Sessions
) -> None:
    scene = await working().store(sessions)

    await hear(database, COPY, about(MemberSuspended, "seoul", 2, "suspended"))
    await hear(database, COPY, about(MemberReinstated, "seoul", 3, "active"))

    assert REACTION.event.nats_filter() == "evt.members.member.*.withdrawn.v1"
    assert (await statuses(sessions, scene))["seoul"] == "accepted"
    assert await announced(sessions) == []
    shown = await cities.get("seoul", f"/participations/{scene.participations['seoul'].id}")
    assert shown["allowed_actions"] == ["withdraw"]


async def test_what_is_over_stays_as_it_was(database: Database, sessions: Sessions) -> None:
    scene = working()
    scene.project.cancel("No", by=scene.as_("tokyo"), at=NOON)
    await scene.store(sessions)

    await hear(database, REACTION, about(MemberLeft, "seoul", 2, "withdrawn"))

    assert (await statuses(sessions, scene))["seoul"] == "accepted"
    assert await announced(sessions) == []


async def test_a_project_whose_lead_leaves_waits_for_who_takes_over(
    database: Database, cities: Cities, sessions: Sessions
) -> None:
    scene = await working().store(sessions)

    await hear(database, REACTION, about(MemberLeft, "tokyo", 2, "withdrawn"))

    project = await cities.get("seoul", f"/projects/{scene.project.id}")
    refused = await cities.call(
        "tokyo", "PATCH", f"/projects/{scene.project.id}", {"title": {"en": "Air"}}
    )
    assert project["lead"] == "tokyo"
    assert project["status"] == "active"
    assert refused.status_code == 403
    assert refused.json()["type"] == "/problems/member-not-active"
    assert await announced(sessions) == []
