"""Measures the sender of webhooks: how many, how soon, and what others that hang cost.

Each figure is of one sender process that takes from the queue, signs twice, sends, and logs every
attempt.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import trustme
from sqlalchemy.ext.asyncio import create_async_engine

from deploy.embedded.layout import HOST
from services.notifications.use_cases.claim_lanes import claim_lanes
from shared.clock import utc_now
from shared.database import connect, sessions_of
from shared.messaging.broker import connected
from tests.benchmarks.findings import Finding, at_least, at_most, compared, percentile
from tests.benchmarks.rounds import Run
from tests.benchmarks.servers import Servers, durable_servers, listening, started
from tests.benchmarks.webhooks.town import Town, settle
from tests.conftest import upgrade

SERVICE: Final = "notifications"
SUBJECT: Final = "Webhooks"
RECEIVER_PLACE, TLS_PLACE, SENDER_PLACE = 10, 11, 12
HANGING_SHARE: Final = 0.15
TICK_SECONDS: Final = 0.01
_SECONDS: Final = 300.0


async def measure(state: Path, run: Run) -> AsyncIterator[Finding]:
    async with durable_servers(state, (SERVICE,)) as servers:
        await _migrate(servers)
        plain, tls = (servers.ports.service(place) for place in (RECEIVER_PLACE, TLS_PLACE))
        certificate = _certificate(state)
        receiver = ["-m", "tests.benchmarks.webhooks.receiver"]
        log = state / "receiver.log"
        with (
            started([*receiver, str(plain)], log=log) as first,
            started([*receiver, str(tls), str(certificate)], log=log) as second,
        ):
            await listening(first, plain, log)
            await listening(second, tls, log)
            place = Place(servers, state, f"http://{HOST}:{plain}", f"https://localhost:{tls}")
            for part in (place.rates, place.reach, place.beside_those_that_hang, place.claims):
                async for finding in part(run):
                    yield finding


@dataclass(frozen=True)
class Place:
    """Two receivers, and a database for the sender."""

    servers: Servers
    state: Path
    plain: str
    tls: str

    async def rates(self, run: Run) -> AsyncIterator[Finding]:
        """Deliveries a second, beside what the HTTP client alone can do."""
        count = run.count(8_000, 2_000)
        for what, url in (("", self.plain), (", with TLS", self.tls)):
            async with (
                self.town([f"{url}/{n}" for n in range(100)]) as town,
                self.sender() as wake,
            ):
                found = await run.by_turns(
                    f"Webhooks{what}",
                    run.count(4, 1),
                    {
                        "ours": lambda: deliver(town, wake, count // 100),
                        "signed": lambda: self.post("signed", url, count),  # noqa: B023
                        "raw": lambda: self.post("raw", url, count),  # noqa: B023
                    },
                )
            for way, is_called, target in (
                ("signed", f"signed and sent{what}", None),
                ("ours", f"taken from the queue, signed, sent and logged{what}", at_least(0.4)),
            ):
                yield compared(
                    SUBJECT,
                    is_called,
                    "deliveries/s",
                    found[way],
                    found["raw"],
                    "raw aiohttp POST",
                    target,
                )

    async def reach(self, run: Run) -> AsyncIterator[Finding]:
        """From the commit that queues to the first byte, at half of the rate."""
        urls = [f"{self.plain}/{n}" for n in range(100)]
        async with self.town(urls) as town, self.sender() as wake:
            rate = await deliver(town, wake, run.count(80, 20))
            run.begin("Webhooks at half of the rate", 1)
            at_once = max(1, int(rate / 2 * TICK_SECONDS))
            for tick in range(run.count(1_000, 200)):
                began = time.perf_counter()
                first = tick * at_once % (len(urls) - at_once)
                await town.queue(1, endpoints=town.endpoints[first : first + at_once])
                await wake()
                await asyncio.sleep(max(0.0, TICK_SECONDS - (time.perf_counter() - began)))
            await until_sent(town)
            waits = [
                1000 * seconds
                for (seconds,) in await town.database.fetch(
                    "SELECT extract(epoch FROM a.started_at - d.created_at)::float8"
                    " FROM webhook_attempt a JOIN webhook_delivery d ON d.id = a.delivery_id"
                )
            ]
            await town.forget()
            run.end()
        for percent, target in ((50, 50), (99, 500)):
            yield Finding(
                subject=SUBJECT,
                what=f"from commit to first byte at half of that rate, p{percent}",
                unit="ms",
                ours=percentile(waits, percent),
                target=at_most(target),
            )

    async def beside_those_that_hang(self, run: Run) -> AsyncIterator[Finding]:
        """What those get that answer, while others take ten seconds for each answer."""
        many, each = run.count(1_000, 200), 20
        slow = int(many * HANGING_SHARE)
        healthy = [f"{self.plain}/{n}" for n in range(many - slow)]
        results: dict[str, list[tuple[float, float]]] = {}
        found = await run.by_turns(
            "Webhooks beside receivers that hang",
            run.count(2, 1),
            {
                "all answer": lambda: self._healthy(
                    [*healthy, *(f"{self.plain}/{n}" for n in range(slow))], len(healthy), each
                ),
                "15 % hang": lambda: self._healthy(
                    [*healthy, *(f"{self.plain}/slow/{n}" for n in range(slow))],
                    len(healthy),
                    each,
                ),
            },
        )
        results.update(found)
        for index, what, unit, target in (
            (0, "deliveries to healthy endpoints", "deliveries/s", at_least(0.7)),
            (1, "their p99 from commit to answer", "s", at_most(2)),
        ):
            yield compared(
                SUBJECT,
                f"{many} endpoints of which 15 % hang 10 s: {what}",
                unit,
                [result[index] for result in results["15 % hang"]],
                [result[index] for result in results["all answer"]],
                "the same with none that hangs",
                target,
            )

    async def _healthy(self, urls: Sequence[str], healthy: int, each: int) -> tuple[float, float]:
        """Deliver to all, and look at the first `healthy` of them.

        Returns:
            Deliveries a second to those, and their p99 from commit to answer in seconds.
        """
        async with self.town(urls) as town, self.sender() as wake:
            look_at = town.endpoints[:healthy]
            began = time.perf_counter()
            await town.queue(each)
            await wake()
            await until_sent(town, look_at)
            seconds = time.perf_counter() - began
            waits = await town.database.fetch(
                "SELECT extract(epoch FROM finished_at - created_at)::float8"
                " FROM webhook_delivery WHERE endpoint_id = ANY ($1)",
                look_at,
            )
            return healthy * each / seconds, percentile([float(wait) for (wait,) in waits], 99)

    async def claims(self, run: Run) -> AsyncIterator[Finding]:
        """What taking lanes costs beside many that are idle, and sending one to each of them."""
        many = run.count(100_000, 5_000)
        few = await self._claim_ms(run, 100)
        async with self.town([f"{self.plain}/{n}" for n in range(many)]) as town:
            costs = await self._claim_ms_in(run, town)
            yield compared(
                SUBJECT,
                f"taking 16 lanes among {many:,} endpoints",
                "ms",
                costs,
                few,
                "among 100",
                at_most(1.5),
            )
            async with self.sender() as wake:
                run.begin(f"One webhook to each of {many:,} endpoints", 1)
                rate = await deliver(town, wake, 1)
                run.end()
            yield Finding(
                subject=SUBJECT,
                what=f"one delivery to each of {many:,} endpoints",
                unit="deliveries/s",
                ours=rate,
                target=at_least(1_000),
            )

    async def _claim_ms(self, run: Run, many: int) -> list[float]:
        async with self.town([f"{self.plain}/{n}" for n in range(many)]) as town:
            return await self._claim_ms_in(run, town)

    async def _claim_ms_in(self, run: Run, town: Town) -> list[float]:
        settings = self.servers.settings(SERVICE)
        engine = connect(settings, application="benchmark", pool_size=1)
        costs = []
        for _ in range(run.count(40, 10)):
            await town.queue(1, endpoints=town.endpoints[-16:])
            began = time.perf_counter()
            async with sessions_of(engine).begin() as session:
                claimed = await claim_lanes(
                    session, "fast", limit=16, lease_seconds=60, now=utc_now()
                )
            costs.append((time.perf_counter() - began) * 1000)
            if len(claimed) != 16:
                raise RuntimeError(f"{len(claimed)} lanes were taken")
            await town.forget()
        await engine.dispose()
        return costs

    @asynccontextmanager
    async def town(self, urls: Sequence[str]) -> AsyncIterator[Town]:
        database = await self.servers.connect(SERVICE)
        try:
            yield await settle(database, urls)
        finally:
            await database.execute(
                "TRUNCATE webhook_attempt, webhook_delivery, feed_entry, webhook_message,"
                " webhook_lane, webhook_secret, webhook_endpoint CASCADE"
            )
            await database.close()

    @asynccontextmanager
    async def sender(self) -> AsyncIterator[Callable[[], Awaitable[None]]]:
        """Run a sender; what is yielded wakes it."""
        async with (
            connected(self.servers.settings(SERVICE), name="benchmark") as nats,
            self.servers.process(
                SERVICE,
                "services.notifications.worker",
                "sender",
                place=SENDER_PLACE,
                **self._sending,
            ),
        ):
            yield lambda: nats.publish(f"wake.{SERVICE}")

    @property
    def _sending(self) -> dict[str, Any]:
        return {
            "webhook_allowed_networks": "127.0.0.0/8,::1/128",
            "webhook_ca_file": self.state / "authority.pem",
        }

    async def post(self, way: str, url: str, count: int) -> float:
        """Let a process of its own make requests.

        Returns:
            Requests a second.
        """
        authority = str(self.state / "authority.pem")
        command = ["-m", "tests.benchmarks.webhooks.posting", way, url, str(count), authority]
        with started(command, log=self.state / "posting.log") as process:
            answer, _ = await asyncio.to_thread(process.communicate)
        return float(answer)


async def deliver(town: Town, wake: Callable[[], Awaitable[None]], each: int) -> float:
    """Queue deliveries, due at once, and wait until the sender has logged the last one.

    Returns:
        Deliveries a second.
    """
    count = await town.queue(each)
    began = time.perf_counter()
    await wake()
    await until_sent(town)
    seconds = time.perf_counter() - began
    failed = await town.database.fetchval(
        "SELECT count(*) FROM webhook_delivery WHERE state <> 'delivered' OR attempts <> 1"
    )
    if failed:
        raise RuntimeError(f"{failed} deliveries were not made at the first attempt")
    await town.forget()
    return count / seconds


async def until_sent(town: Town, endpoints: Sequence[Any] | None = None) -> None:
    async with asyncio.timeout(_SECONDS):
        while await town.pending(town.endpoints if endpoints is None else endpoints):  # noqa: ASYNC110 -- another process
            await asyncio.sleep(0.02)


def _certificate(state: Path) -> Path:
    """Make an authority, `authority.pem`, and a receiver's certificate with its key."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(state / "authority.pem")
    found = state / "receiver.pem"
    authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(found)
    return found


async def _migrate(servers: Servers) -> None:
    engine = create_async_engine(servers.settings(SERVICE).database_url.get_secret_value())
    async with engine.begin() as connection:
        await connection.run_sync(upgrade, SERVICE)
    await engine.dispose()
