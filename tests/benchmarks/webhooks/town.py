"""Endpoints of many cities, and what is queued for them, written straight into the tables."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from services.notifications.model.signing import new_secret
from services.notifications.use_cases.create_webhook_endpoint import sealed_keys
from shared.clock import utc_now
from shared.database import PlainConnection
from shared.identifiers import new_id
from shared.sealing import Seals
from tests.benchmarks.backbone.events import wire_forms
from tests.web import MASTER_KEYS

EVENT_TYPE = "renkei.milestone.rescheduled.v1"


@dataclass(frozen=True)
class Town:
    """The database of a service of notifications with endpoints in it."""

    database: PlainConnection
    endpoints: Sequence[UUID]

    async def queue(self, each: int, *, endpoints: Sequence[UUID] | None = None) -> int:
        """Queue so many deliveries for each endpoint, due at once.

        Returns:
            How many there are in all.
        """
        endpoints = self.endpoints if endpoints is None else endpoints
        now = utc_now()
        events = [(event_id, body, now) for event_id, _, body in wire_forms(1, each)]
        async with self.database.transaction():
            await self.database.copy_records_to_table(
                "webhook_message", columns=("event_id", "body", "queued_at"), records=events
            )
            await self.database.copy_records_to_table(
                "webhook_delivery",
                columns=(
                    *("id", "endpoint_id", "event_id", "event_type", "occurred_at", "state"),
                    *("attempts", "step", "due_at", "created_at"),
                ),
                records=(
                    (
                        *(new_id(), endpoint, event_id, EVENT_TYPE, now, "pending"),
                        *(0, 0, now, now),
                    )
                    for event_id, _, _ in events
                    for endpoint in endpoints
                ),
            )
            await self.wake(endpoints, now)
        return each * len(endpoints)

    async def wake(self, endpoints: Sequence[UUID], now: datetime) -> None:
        """Do to lanes what queueing does."""
        await self.database.execute(
            "UPDATE webhook_lane SET next_due_at ="
            " least(next_due_at, greatest($1, held_until, leased_until))"
            " WHERE endpoint_id = ANY ($2)",
            now,
            endpoints,
        )

    async def pending(self, endpoints: Sequence[UUID]) -> int:
        found: int = await self.database.fetchval(
            "SELECT count(*) FROM webhook_delivery"
            " WHERE state = 'pending' AND endpoint_id = ANY ($1)",
            endpoints,
        )
        return found

    async def forget(self) -> None:
        """Leave no trace of deliveries, and of what is known of receivers."""
        await self.database.execute(
            "TRUNCATE webhook_attempt, webhook_delivery, feed_entry, webhook_message"
        )
        await self.database.execute(
            "UPDATE webhook_lane SET next_due_at = NULL, leased_until = NULL, fence = fence + 1,"
            " pace = 'fast', parallel = 1, mean_ms = 0, quick = 0"
        )


async def settle(database: PlainConnection, urls: Sequence[str]) -> Town:
    """Make an endpoint of a city of its own for each address."""
    seals = Seals.read(MASTER_KEYS)
    endpoints = [new_id() for _ in urls]
    now = utc_now()
    await database.copy_records_to_table(
        "webhook_endpoint",
        columns=(
            *("id", "member", "url", "event_types", "status", "created_at", "updated_at"),
            *("verified_at", "version"),
        ),
        records=(
            (endpoint, f"city-{n}", urls[n], ["*"], "active", now, now, now, 1)
            for n, endpoint in enumerate(endpoints)
        ),
    )
    await database.copy_records_to_table(
        "webhook_secret",
        columns=("id", "endpoint_id", "kind", "sealed", "public_key", "created_at"),
        records=(
            (key.id, endpoint, key.kind, key.sealed, key.public_key, now)
            for endpoint in endpoints
            for key in sealed_keys(
                endpoint, {"v1": new_secret(), "v1a": new_secret()}, seals=seals, now=now
            )
        ),
    )
    await database.copy_records_to_table(
        "webhook_lane",
        columns=("endpoint_id", "member"),
        records=((endpoint, f"city-{n}") for n, endpoint in enumerate(endpoints)),
    )
    await database.execute("ANALYZE")
    return Town(database, endpoints)
