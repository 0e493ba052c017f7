"""Systems whose answer to a webhook makes the next: one member's loop ends, others slow down."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
from fastapi import FastAPI
from sqlalchemy import select

from services.notifications.model.event_feed import FeedEntry
from services.notifications.model.webhook_delivery import WebhookDelivery, WebhookMessage
from services.notifications.model.webhook_endpoint import WebhookEndpoint
from services.notifications.settings import NotificationsSettings
from services.notifications.use_cases.tell_members import CHAIN_MAX
from shared.actor import Actor
from shared.causation import because_of, read_cause
from shared.contracts.event import CATALOGUE, Event
from shared.contracts.projects import ProjectChanged
from shared.database import Sessions
from shared.identifiers import new_id
from shared.messaging.outbox import announce
from shared.messaging.tables import OutboxMessage
from tests.notifications.endpoints import deliveries, led_to, make_endpoint, sending, until_settled
from tests.notifications.hearing import Ears, at, member, project
from tests.notifications.receiver import Received, Receiver, answering, receiving
from tests.web import api

HARBOUR = new_id()


@asynccontextmanager
async def answered_by(
    receiver: Receiver, call: Callable[[Received, int], Awaitable[None]]
) -> AsyncIterator[None]:
    """Let a system call the platform because of each webhook; `call` gets its number, too."""

    async def play() -> None:
        answered: list[Received] = []
        while True:
            async with receiver.arrived:
                await receiver.arrived.wait_for(lambda: len(receiver.received) > len(answered))
            answered.append(receiver.received[len(answered)])
            await call(answered[-1], len(answered))

    playing = asyncio.create_task(play())
    try:
        yield
        assert not playing.done() or playing.exception() is None
    finally:
        playing.cancel()
        await asyncio.gather(playing, return_exceptions=True)


@asynccontextmanager
async def relayed(sessions: Sessions, ears: Ears) -> AsyncIterator[None]:
    """Let the service hear what it has announced, as through the broker."""

    async def relay() -> None:
        position = 0
        while True:
            async with sessions() as session:
                waiting = list(
                    await session.scalars(
                        select(OutboxMessage)
                        .where(OutboxMessage.position > position)
                        .order_by(OutboxMessage.position)
                    )
                )
            for message in waiting:
                position = message.position
                await ears.hear(_read(message), only="webhooks")
            await asyncio.sleep(0.01)

    running = asyncio.create_task(relay())
    try:
        yield
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


def _read(message: OutboxMessage) -> Event[Any]:
    _, _, entity, _, happened, revision = message.subject.split(".")
    return CATALOGUE[f"renkei.{entity}.{happened}.{revision}"].received(message.body)


async def until(sessions: Sessions, is_meant: Callable[[WebhookDelivery], bool]) -> WebhookDelivery:
    """Wait until there is such a delivery."""
    async with asyncio.timeout(10):
        while True:
            for one in await deliveries(sessions):
                if is_meant(one):
                    return one
            await asyncio.sleep(0.02)


async def test_a_loop_of_one_member_ends_after_a_few_rounds(
    ears: Ears, app: FastAPI, sessions: Sessions, settings: NotificationsSettings
) -> None:
    await ears.hear(member("seoul"), only="members")
    async with receiving(answering(204)) as receiver, api(app, "seoul") as seoul:
        endpoint = await make_endpoint(
            sessions, receiver.url, event_types=("renkei.webhook_endpoint.*",)
        )
        address = f"/api/v1/webhook-endpoints/{endpoint.id}"

        async def change(because: Received | None, number: int) -> None:
            passed_on = (
                {} if because is None else {"webhook-cause": because.headers["webhook-cause"]}
            )
            answer = await seoul.patch(
                address,
                json={"description": f"Round {number}"},
                headers={"If-Match": "*", **passed_on},
            )
            assert answer.status_code == 200

        async with (
            sending(sessions, settings),
            relayed(sessions, ears),
            answered_by(receiver, change),
        ):
            await change(None, 0)
            await until(sessions, lambda one: one.state == "cancelled")

    found = await deliveries(sessions)
    assert [(one.state, one.state_reason) for one in found] == [
        *[("delivered", None)] * 4,
        ("cancelled", "loop"),
    ]
    assert [one.headers["webhook-cause"].split(";")[1] for one in receiver.received] == [
        "hops=0",
        "hops=1",
        "hops=2",
        "hops=3",
    ]
    async with sessions() as session:
        told = list(await session.scalars(select(FeedEntry).order_by(FeedEntry.sequence)))
    assert [entry.event_id for entry in told] == [one.event_id for one in found]


async def test_a_loop_of_two_members_slows_down(
    ears: Ears, sessions: Sessions, settings: NotificationsSettings
) -> None:
    await ears.hear(member("seoul"), member("tokyo"), only="members")
    async with receiving(answering(204)) as seoul, receiving(answering(204)) as tokyo:
        for slug, receiver in (("seoul", seoul), ("tokyo", tokyo)):
            await make_endpoint(
                sessions, receiver.url, member=slug, event_types=("renkei.project.*",)
            )
        versions = iter(range(2, 1_000))

        def answering_for(slug: str) -> Callable[[Received, int], Awaitable[None]]:
            other = "tokyo" if slug == "seoul" else "seoul"

            async def call(because: Received, _: int) -> None:
                """Change the project as its API would, and let the other member hear of it."""
                fact = project(
                    HARBOUR,
                    version=next(versions),
                    audience=[other],
                    by=Actor(member=slug, client_id=f"{slug}-main"),
                    kind=ProjectChanged,
                )
                with because_of(read_cause(because.headers["webhook-cause"])):
                    async with sessions.begin() as session:
                        announce(session, fact)

            return call

        async with (
            sending(sessions, settings),
            relayed(sessions, ears),
            answered_by(seoul, answering_for("seoul")),
            answered_by(tokyo, answering_for("tokyo")),
        ):
            await ears.hear(project(HARBOUR, audience=["seoul"]), only="webhooks")
            slowed = await until(
                sessions, lambda one: one.state == "pending" and one.due_at > one.created_at
            )

    assert (slowed.state, slowed.due_at - slowed.created_at) == ("pending", timedelta(seconds=2))
    assert len(seoul.received) + len(tokyo.received) == 9


@pytest.mark.parametrize(
    ("rounds", "later"), [(1, 0), (4, 0), (5, 2), (6, 4), (15, 2048), (16, 3600), (100, 3600)]
)
async def test_the_more_facts_of_a_member_led_to_another_the_later_it_is_sent_that(
    ears: Ears, sessions: Sessions, rounds: int, later: int
) -> None:
    for slug in ("seoul", "tokyo"):
        await make_endpoint(sessions, member=slug)
    fact = await caused(ears, sessions, rounds, of="seoul")

    found = [one for one in await deliveries(sessions) if one.event_id == fact.id]

    async with sessions() as session:
        endpoints = await session.scalars(select(WebhookEndpoint))
        member_of = {endpoint.id: endpoint.member for endpoint in endpoints}
        message = await session.get_one(WebhookMessage, fact.id)
    assert {member_of[one.endpoint_id]: one.due_at - one.created_at for one in found} == {
        "seoul": timedelta(seconds=later),
        "tokyo": timedelta(),
    }
    assert message.hops == min(rounds, CHAIN_MAX)


async def caused(
    ears: Ears, sessions: Sessions, rounds: int, *others: Event[Any], of: str
) -> Event[Any]:
    """Hear a fact of Tokyo to which so many of another member led, and others after it."""
    cause = project(HARBOUR, by=Actor(member=of, client_id=f"{of}-main"))
    fact = project(HARBOUR, version=2).model_copy(update={"causationid": cause.id, "hops": 1})
    await ears.hear(cause, only="webhooks")
    await led_to(sessions, cause.id, *[of] * (rounds - 1))
    await ears.hear(fact, *others, only="webhooks")
    return fact


@pytest.mark.parametrize("acting", ["seoul", "tokyo"])
async def test_a_made_up_cause_changes_nothing(
    ears: Ears, sessions: Sessions, settings: NotificationsSettings, acting: str
) -> None:
    forged = project(HARBOUR, by=Actor(member=acting, client_id=f"{acting}-main")).model_copy(
        update={"hops": 9_999, "causationid": new_id()}
    )
    async with receiving() as receiver:
        await make_endpoint(sessions, receiver.url, member="seoul")
        await ears.hear(forged, only="webhooks")

        async with sending(sessions, settings):
            [delivery] = await until_settled(sessions)

    assert (delivery.state, delivery.due_at) == ("delivered", delivery.created_at)
    assert receiver.received[0].headers["webhook-cause"] == f"{forged.id};hops=0"


async def test_who_names_its_own_facts_as_causes_hurts_nobody_else(
    ears: Ears, sessions: Sessions, settings: NotificationsSettings
) -> None:
    """Neither what it says itself, nor what Seoul's system does because of that."""
    tokyo, seoul = (Actor(member=slug, client_id=f"{slug}-main") for slug in ("tokyo", "seoul"))
    facts = [project(HARBOUR, by=tokyo)]
    for version, actor in enumerate([*[tokyo] * 20, seoul], start=2):
        named = {"causationid": facts[-1].id, "hops": 9_999}
        facts.append(project(HARBOUR, version=version, by=actor).model_copy(update=named))
    async with receiving() as receiver:
        await make_endpoint(sessions, receiver.url, member="seoul", ordering="entity")
        await ears.hear(*facts, only="webhooks")

        async with sending(sessions, settings):
            found = await until_settled(sessions)

    assert {one.state for one in found} == {"delivered"}
    assert {one.due_at - one.created_at < timedelta(seconds=1) for one in found} == {True}
    assert len(receiver.received) == len(facts)


async def test_order_is_kept_when_a_loop_slows_down(ears: Ears, sessions: Sessions) -> None:
    await make_endpoint(sessions, ordering="entity")

    slowed = await caused(ears, sessions, 8, project(HARBOUR, version=3), of="seoul")

    _, first, second = await deliveries(sessions)
    assert (first.event_id, first.occurred_at, second.occurred_at) == (slowed.id, at(2), at(3))
    assert first.due_at == first.created_at + timedelta(seconds=16)
    assert second.due_at > first.due_at
