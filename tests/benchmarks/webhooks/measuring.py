"""Measures the sender of webhooks, with and without the log that it keeps in the database."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from uuid import UUID

from nats.aio.client import Client
from sqlalchemy.ext.asyncio import create_async_engine

from deploy.embedded.layout import HOST
from services.notifications.model.signing import new_secret
from services.notifications.use_cases.create_webhook_endpoint import sealed_keys
from shared.clock import utc_now
from shared.identifiers import new_id
from shared.messaging.broker import connected
from shared.sealing import Seals
from tests.benchmarks.backbone.events import wire_forms
from tests.benchmarks.findings import Finding, at_least, compared
from tests.benchmarks.rounds import Run
from tests.benchmarks.servers import Servers, durable_servers, listening, started
from tests.conftest import upgrade
from tests.web import MASTER_KEYS

SERVICE: Final = "notifications"
SUBJECT: Final = "Webhooks"
ENDPOINTS: Final = 100
RECEIVER_PLACE, SENDER_PLACE = 10, 11
_DELIVERY_SECONDS: Final = 60.0


async def measure(state: Path, run: Run) -> AsyncIterator[Finding]:
    async with durable_servers(state, (SERVICE,)) as servers:
        port = servers.ports.service(RECEIVER_PLACE)
        receiver = ["-m", "tests.benchmarks.webhooks.receiver", str(port)]
        log = state / "receiver.log"
        with started(receiver, log=log) as process:
            await listening(process, port, log)
            await _migrate(servers)
            place = Place(
                servers, f"http://{HOST}:{port}/webhooks", await _endpoints(servers, port)
            )
            for finding in await place.measure(run):
                yield finding


@dataclass(frozen=True)
class Place:
    servers: Servers
    url: str
    endpoints: Sequence[UUID]

    async def measure(self, run: Run) -> list[Finding]:
        count = run.count(6_000, 1_500)
        settings = self.servers.settings(SERVICE)
        async with (
            connected(settings, name="benchmark") as nats,
            self.servers.process(
                SERVICE,
                "services.notifications.worker",
                "sender",
                place=SENDER_PLACE,
                webhook_allow_private=True,
            ),
        ):
            found = await run.by_turns(
                "Webhooks",
                run.count(4, 1),
                {
                    "ours": lambda: self.deliver(nats, count),
                    "signed": lambda: self.post("signed", count),
                    "raw": lambda: self.post("raw", count),
                },
            )
        return [
            compared(
                SUBJECT,
                f"{what}, one process",
                "deliveries/s",
                found[way],
                found["raw"],
                "raw aiohttp POST",
                at_least(target),
                on_ratio=False,
            )
            for way, what, target in (
                ("signed", "signed and sent", 5_000),
                ("ours", "taken from the queue, signed, sent and logged", 1_000),
            )
        ]

    async def deliver(self, nats: Client, count: int) -> float:
        """Queue deliveries, due at once, and wait until the sender has logged the last one.

        Returns:
            Deliveries a second.
        """
        connection = await self.servers.connect(SERVICE)
        now = utc_now()
        events = list(wire_forms(count // 10, 10))
        async with connection.transaction():
            await connection.copy_records_to_table(
                "webhook_message",
                columns=("event_id", "body", "queued_at"),
                records=[(event_id, body, now) for event_id, _, body in events],
            )
            await connection.copy_records_to_table(
                "webhook_delivery",
                columns=(
                    *("id", "endpoint_id", "event_id", "event_type", "occurred_at", "state"),
                    *("attempts", "step", "due_at", "created_at"),
                ),
                records=[
                    (
                        *(new_id(), self.endpoints[number % ENDPOINTS], event_id),
                        *("renkei.milestone.rescheduled.v1", now, "pending", 0, 0, now, now),
                    )
                    for number, (event_id, _, _) in enumerate(events)
                ],
            )
            await connection.execute("UPDATE webhook_lane SET next_due_at = $1", now)
        began = time.perf_counter()
        await nats.publish(f"wake.{SERVICE}")
        pending = "SELECT count(*) FROM webhook_delivery WHERE state = 'pending'"
        async with asyncio.timeout(_DELIVERY_SECONDS):
            while await connection.fetchval(pending):  # noqa: ASYNC110 -- another process
                await asyncio.sleep(0.02)
        seconds = time.perf_counter() - began
        failed = await connection.fetchval(
            "SELECT count(*) FROM webhook_delivery WHERE state <> 'delivered' OR attempts <> 1"
        )
        if failed:
            raise RuntimeError(f"{failed} deliveries were not made at the first attempt")
        await connection.execute(
            "TRUNCATE webhook_attempt, webhook_delivery, feed_entry, webhook_message"
        )
        await connection.close()
        return count / seconds

    async def post(self, way: str, count: int) -> float:
        """Let a process of its own make requests.

        Returns:
            Requests a second.
        """
        command = ["-m", "tests.benchmarks.webhooks.posting", way, self.url, str(count)]
        with started(command, log=self.servers.state / "posting.log") as process:
            answer, _ = await asyncio.to_thread(process.communicate)
        return float(answer)


async def _migrate(servers: Servers) -> None:
    engine = create_async_engine(servers.settings(SERVICE).database_url.get_secret_value())
    async with engine.begin() as connection:
        await connection.run_sync(upgrade, SERVICE)
    await engine.dispose()


async def _endpoints(servers: Servers, port: int) -> list[UUID]:
    """Endpoints of many members, each with a secret."""
    seals = Seals.read(MASTER_KEYS)
    endpoints = [new_id() for _ in range(ENDPOINTS)]
    now = utc_now()
    connection = await servers.connect(SERVICE)
    await connection.copy_records_to_table(
        "webhook_endpoint",
        columns=(
            *("id", "member", "url", "event_types", "status", "created_at", "updated_at"),
            *("verified_at", "version"),
        ),
        records=[
            (
                *(endpoint, f"city-{n}", f"http://{HOST}:{port}/{n}", ["*"], "active"),
                *(now, now, now, 1),
            )
            for n, endpoint in enumerate(endpoints)
        ],
    )
    await connection.copy_records_to_table(
        "webhook_secret",
        columns=("id", "endpoint_id", "kind", "sealed", "public_key", "created_at"),
        records=[
            (key.id, endpoint, key.kind, key.sealed, key.public_key, now)
            for endpoint in endpoints
            for key in sealed_keys(endpoint, new_secret(), seals=seals, now=now)
        ],
    )
    await connection.copy_records_to_table(
        "webhook_lane",
        columns=("endpoint_id", "member"),
        records=[(endpoint, f"city-{n}") for n, endpoint in enumerate(endpoints)],
    )
    await connection.close()
    return endpoints
