"""A whole platform with cities on it, whose machines work and whose receivers listen."""

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, Final
from unittest.mock import patch

import asyncpg
from httpx2 import AsyncClient
from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js import JetStreamContext

from deploy.embedded.layout import REPOSITORY, SERVICES
from deploy.embedded.platform import Platform
from deploy.embedded.probes import http_status
from deploy.operations.services import Service, all_services
from shared.messaging.broker import connected, stream_of
from tests.faults.city import City, Journal, connection
from tests.faults.load import Load
from tests.faults.receiver import QUIET, Receiver

HOST_FILE: Final = REPOSITORY / "deploy" / "demo" / "host.json"
POLL_SECONDS: Final = 0.1
QUIET_SECONDS: Final = 60.0

# What a platform of several cities waits for half a minute or an hour, ours waits for seconds.
IMPATIENT: Final = {
    "RENKEI_CONSUMER_ACK_SECONDS": "4",
    "RENKEI_CONSUMER_ATTEMPTS": "3",
    "RENKEI_RETRY_SECONDS_MAX": "2",
    "RENKEI_TIMER_SECONDS": "1",
    "RENKEI_NOTIFICATIONS_WEBHOOK_SCHEDULE_SECONDS": ",".join(["0", *["1"] * 30]),
    "RENKEI_NOTIFICATIONS_WEBHOOK_TOTAL_SECONDS": "3",
    "RENKEI_NOTIFICATIONS_WEBHOOK_HOLD_SECONDS": "0.2",
    "RENKEI_NOTIFICATIONS_WEBHOOK_TURN_SECONDS": "0.8",
    "RENKEI_NOTIFICATIONS_WEBHOOK_LEASE_SECONDS": "4",
}

WORKING_SCOPES: Final = [
    "members:read",
    "members:write",
    "projects:read",
    "projects:contribute",
    "projects:write",
    "notifications:read",
    "notifications:write",
]

PLACES: Final = {
    "seoul": ("KR", "Asia/Seoul"),
    "taipei": ("TW", "Asia/Taipei"),
    "delhi": ("IN", "Asia/Kolkata"),
    "berlin": ("DE", "Europe/Berlin"),
}
"""Cities besides the host."""


@dataclass
class Network:
    """A running platform with everything that a test needs to hurt it and to look at it.

    Attributes:
        secretariat: the host's office, which runs the network.
        cities: machines that work for each member, the host first.
        nats: a connection as the operator.
    """

    platform: Platform
    services: Sequence[Service]
    nats: Client
    http: AsyncClient
    receiver: Receiver
    journal: Journal
    secretariat: City
    cities: list[City] = field(default_factory=list)
    _loads: int = 0

    @property
    def jetstream(self) -> JetStreamContext:
        return self.nats.jetstream(timeout=5)

    def service(self, name: str) -> Service:
        return next(found for found in self.services if found.name == name)

    def load(self) -> Load:
        """Work that has not been done here before."""
        self._loads += 1
        return Load(self.cities, seed=self._loads, quiet_hook=f"{self.receiver.url}/{QUIET}")

    async def renkei(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the operator's command."""
        return await renkei(self.platform, *arguments)

    @asynccontextmanager
    async def database(self, service: str) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
        """Connect to a service's database as the service."""
        connection = await asyncpg.connect(self.platform.postgres_url(service), timeout=5)
        try:
            yield connection
        finally:
            await connection.close(timeout=5)

    async def fetch(self, service: str, query: str, *arguments: Any) -> list[asyncpg.Record]:
        async with self.database(service) as database:
            return list(await database.fetch(query, *arguments))

    async def until_quiet(self, *, seconds: float = QUIET_SECONDS) -> None:
        """Wait until everything that was said has been told, taken in and delivered.

        Raises:
            TimeoutError: it was not in time; the message says what still waits.
        """
        deadline = time.monotonic() + seconds
        quiet_looks = 0
        while quiet_looks < 2:
            try:
                waiting = await self.waiting()
            except (OSError, TimeoutError, NatsError, asyncpg.PostgresError) as error:
                waiting = [repr(error)]
            quiet_looks = 0 if waiting else quiet_looks + 1
            if time.monotonic() > deadline:
                raise TimeoutError(f"not quiet after {seconds} s: {'; '.join(waiting)}")
            await asyncio.sleep(POLL_SECONDS)

    async def waiting(self) -> list[str]:
        """Say what is still on its way, and where."""
        found = await asyncio.gather(
            *(self._waiting_in_outbox(name) for name in SERVICES),
            *(self._waiting_for_consumers(name) for name in SERVICES),
            self._waiting_for_the_clock(),
            self._waiting_for_the_sender(),
            self._waiting_for_their_project(),
        )
        return [line for lines in found for line in lines]

    async def _waiting_in_outbox(self, service: str) -> list[str]:
        [row] = await self.fetch(service, "SELECT count(*) FROM outbox")
        return [f"{row[0]} in the outbox of {service}"] if row[0] else []

    async def _waiting_for_consumers(self, publisher: str) -> list[str]:
        lines = []
        expected = {
            subscription.durable
            for service in self.services
            for subscription in service.subscriptions
            if subscription.event.publisher == publisher
        }
        for info in await self.jetstream.consumers_info(stream_of(publisher)):
            expected.discard(info.name)
            waiting = (info.num_pending or 0) + (info.num_ack_pending or 0)
            if waiting:
                lines.append(f"{waiting} for {info.name}")
        return lines + [f"{durable} is not there" for durable in sorted(expected)]

    async def _waiting_for_the_clock(self) -> list[str]:
        [row] = await self.fetch(
            "projects",
            "SELECT count(*) FROM milestone WHERE status IN ('planned', 'in_progress')"
            " AND NOT is_overdue AND due_at < now()",
        )
        return [f"{row[0]} milestones are overdue"] if row[0] else []

    async def _waiting_for_the_sender(self) -> list[str]:
        [row] = await self.fetch(
            "notifications",
            "SELECT count(*) FROM webhook_delivery d JOIN webhook_endpoint e ON e.id = endpoint_id"
            " WHERE state = 'pending' AND e.status <> 'paused'",
        )
        [asked] = await self.fetch(
            "notifications",
            "SELECT count(*) FROM webhook_endpoint"
            " WHERE status = 'active' AND verified_at IS NULL AND url NOT LIKE '%/quiet'",
        )
        lines = [f"{row[0]} webhooks"] if row[0] else []
        return lines + ([f"{asked[0]} receivers are to agree"] if asked[0] else [])

    async def _waiting_for_their_project(self) -> list[str]:
        [row] = await self.fetch("notifications", "SELECT count(*) FROM unplaced_fact")
        return [f"{row[0]} facts are not placed"] if row[0] else []


@asynccontextmanager
async def running_network(
    place: Path, *, replicas: int = 1, separate: bool = False
) -> AsyncIterator[Network]:
    """Start a platform, open a network on it and let every city join."""
    async with AsyncExitStack() as stack:
        receiver = Receiver(Random(0))
        await receiver.start()
        stack.push_async_callback(receiver.stop)
        platform = await stack.enter_async_context(
            Platform(place, replicas=replicas, separate=separate, settings=IMPATIENT)
        )
        services = services_of(platform)
        nats = await stack.enter_async_context(connected(services[0].settings, name="faults"))
        http = await stack.enter_async_context(connection(platform.url))
        journal = Journal()
        opening = await renkei(platform, "init", "--json", "--member-file", str(HOST_FILE))
        opened = json.loads(opening.stdout)
        secretariat = City(
            http,
            journal,
            member=opened["member"],
            client_id=opened["client_id"],
            secret=opened["client_secret"],
        )
        secretariat.coordinator = opened["administrator"]
        network = Network(platform, services, nats, http, receiver, journal, secretariat)
        await _populate(network)
        yield network


async def renkei(platform: Platform, *arguments: str) -> subprocess.CompletedProcess[str]:
    return await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "deploy.cli", *arguments],
        cwd=REPOSITORY,
        env=platform.environment("operator") | {"COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


async def status_of(platform: Platform, name: str, path: str) -> int:
    """Ask a process of the platform directly."""
    return await http_status(int(platform.address(name).rpartition(":")[2]), path)


def services_of(platform: Platform) -> list[Service]:
    """The services as the operator's command sees them."""
    with patch.dict(os.environ, platform.environment("operator"), clear=True):
        return all_services()


async def _populate(network: Network) -> None:
    host = network.secretariat
    network.cities.append(await _machine_of(network, host, host.member, WORKING_SCOPES))
    network.cities[0].coordinator = host.coordinator
    for slug in PLACES:
        network.cities.append(await _join(network, slug))
    await network.until_quiet()
    await network.cities[0].write(
        "POST",
        "/api/v1/objectives",
        {"slug": "common-issues", "title": {"en": "Solve common issues"}},
        key="objective",
    )
    # One after the other, and after everything else: each hears of all that comes later.
    for city in network.cities:
        endpoint = await city.write(
            "POST",
            "/api/v1/webhook-endpoints",
            {"url": f"{network.receiver.url}/{city.member}", "event_types": ["*"]},
            key="endpoint",
        )
        network.receiver.secrets[city.member] = endpoint["secret"]
    await network.until_quiet()


async def _machine_of(network: Network, by: City, member: str, scopes: list[str]) -> City:
    client = await by.write(
        "POST",
        f"/api/v1/members/{member}/clients",
        {"name": "Main", "scopes": scopes},
        key=f"client-{member}",
    )
    return City(
        network.http,
        network.journal,
        member=member,
        client_id=client["id"],
        secret=client["secret"],
    )


async def _join(network: Network, slug: str) -> City:
    """Invite a city and let it accept: only its first official and machine come from outside."""
    country, zone = PLACES[slug]
    here = f"/api/v1/members/{slug}"
    by = network.secretariat
    member = await by.write(
        "POST",
        "/api/v1/members",
        {
            "slug": slug,
            "kind": "city",
            "name": {"en": slug.title()},
            "country": country,
            "time_zone": zone,
            "latitude": 10.5,
            "longitude": 20.5,
            "invited_on": "2001-10-01",
        },
        key=f"member-{slug}",
    )
    administrator = official_as("administrator", slug)
    await by.write("POST", f"{here}/officials", administrator, key=f"administrator-{slug}")
    city = await _machine_of(network, by, slug, WORKING_SCOPES)
    await city.write(
        "POST",
        f"{here}/membership-transitions",
        {"status": "active"},
        key="accept",
        if_match=member["version"],
    )
    coordinator = official_as("coordinator", slug)
    appointed = await city.write("POST", f"{here}/officials", coordinator, key="coordinator")
    city.coordinator = appointed["id"]
    contributor = official_as("contributor", slug)
    await city.write("POST", f"{here}/officials", contributor, key="contributor")
    return city


def official_as(role: str, slug: str) -> dict[str, Any]:
    return {
        "function": {"en": f"{role.title()}, {slug.title()}"},
        "email": f"{role}@{slug}.example",
        "language": "en",
        "roles": [role],
    }
