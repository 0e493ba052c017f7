"""Twenty thousand deliveries arrive, in order where that is asked for, whatever is killed."""

import json
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from random import Random
from typing import Final
from uuid import UUID

import pytest
from aiohttp import web
from standardwebhooks import Webhook

from services.notifications.settings import NotificationsSettings
from shared.clock import utc_now
from shared.identifiers import new_id
from tests.faults.load import side_by_side
from tests.faults.network import Network
from tests.faults.striking import kill_at_random, until

pytestmark = pytest.mark.faults

DELIVERIES: Final = 20_000
HOOKS: Final = 10
ENTITIES: Final = 50
"""Of each hook, with so many facts each that every delivery belongs to one of them."""

FACTS: Final = DELIVERIES // HOOKS // ENTITIES
KILLED: Final = ("notifications-sender", "postgres", "nats")
ARRIVE_SECONDS: Final = 180


@dataclass
class Town:
    """Receives at several hooks, and notes what arrived, in its order.

    Attributes:
        secrets: by hook.
        arrived: by hook, entity and number of the fact about it.
    """

    secrets: dict[str, str] = field(default_factory=dict)
    arrived: dict[str, list[tuple[str, int]]] = field(default_factory=lambda: defaultdict(list))
    url: str = ""

    async def take(self, request: web.Request) -> web.Response:
        hook, body = request.match_info["hook"], await request.read()
        said = Webhook(self.secrets[hook]).verify(body, dict(request.headers))
        self.arrived[hook].append((said["subject"], said["entityversion"]))
        return web.Response(status=204)

    async def agree(self, request: web.Request) -> web.Response:
        return web.Response(
            headers={"WebHook-Allowed-Origin": request.headers["WebHook-Request-Origin"]}
        )

    @property
    def different(self) -> int:
        return sum(len(set(arrived)) for arrived in self.arrived.values())


@asynccontextmanager
async def receiving() -> AsyncIterator[Town]:
    town = Town()
    app = web.Application()
    app.router.add_post("/{hook}", town.take)
    app.router.add_route("OPTIONS", "/{hook}", town.agree)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    town.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield town
    finally:
        await runner.cleanup()


async def endpoints(network: Network, town: Town) -> list[UUID]:
    """Make an endpoint for each hook, and wait until all agree; the even ones want order."""
    made = []
    for number in range(HOOKS):
        city = network.cities[number % len(network.cities)]
        endpoint = await city.write(
            "POST",
            "/api/v1/webhook-endpoints",
            {
                "url": f"{town.url}/{number}",
                "event_types": ["renkei.theme.*"],
                "ordering": "none" if number % 2 else "entity",
            },
            key=f"burst-{number}",
        )
        town.secrets[str(number)] = endpoint["secret"]
        made.append(UUID(endpoint["id"]))
    await network.until_quiet()
    return made


async def queue(network: Network, made: Sequence[UUID]) -> None:
    """Queue for every endpoint so many facts about each entity, in their order."""
    now = utc_now()
    messages, deliveries = [], []
    for fact in range(FACTS):
        for entity in range(ENTITIES):
            event_id = new_id()
            said = {"type": "renkei.theme.changed.v1", "subject": str(entity)}
            body = json.dumps(said | {"id": str(event_id), "entityversion": fact})
            messages.append((event_id, body.encode(), now))
            deliveries += [
                (
                    *(new_id(), endpoint, event_id, "renkei.theme.changed.v1", now, "pending", 0),
                    *(0, now, now, f"theme:{entity}" if number % 2 == 0 else None),
                )
                for number, endpoint in enumerate(made)
            ]
    async with network.database("notifications") as database, database.transaction():
        await database.copy_records_to_table(
            "webhook_message", columns=("event_id", "body", "queued_at"), records=messages
        )
        await database.copy_records_to_table(
            "webhook_delivery",
            columns=(
                *("id", "endpoint_id", "event_id", "event_type", "occurred_at", "state"),
                *("attempts", "step", "due_at", "created_at", "entity"),
            ),
            records=deliveries,
        )
        await database.execute(
            "INSERT INTO webhook_lane (endpoint_id, member, next_due_at)"
            " SELECT id, member, now() FROM webhook_endpoint WHERE id = ANY ($1)"
            " ON CONFLICT (endpoint_id) DO UPDATE SET next_due_at = now()",
            list(made),
        )


async def test_twenty_thousand_deliveries_arrive_whatever_is_killed(network: Network) -> None:
    async with receiving() as town:
        made = await endpoints(network, town)
        await queue(network, made)

        async def all_arrive() -> None:
            async def there() -> bool:
                return town.different == DELIVERIES

            await until(there, seconds=ARRIVE_SECONDS, what="the last delivery")

        await side_by_side(
            [all_arrive(), kill_at_random(network, KILLED, times=3, seconds=8, random=Random(3))]
        )
        await network.until_quiet()

    repeated = sum(len(arrived) for arrived in town.arrived.values()) - DELIVERIES
    # What was under way when the sender died, and what was not written down when the database did.
    places = NotificationsSettings.model_fields["webhook_parallel"].default
    assert repeated <= 6 * places
    for number in range(0, HOOKS, 2):
        facts = town.arrived[str(number)]
        for entity in range(ENTITIES):
            seen = [fact for subject, fact in facts if subject == str(entity)]
            assert list(dict.fromkeys(seen)) == list(range(FACTS))
    [settled] = await network.fetch(
        "notifications",
        "SELECT count(*) FILTER (WHERE state = 'delivered') AS delivered, count(*) AS all"
        " FROM webhook_delivery WHERE endpoint_id = ANY ($1)",
        made,
    )
    assert Counter(dict(settled)) == Counter({"delivered": DELIVERIES, "all": DELIVERIES})
