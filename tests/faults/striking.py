"""Ways to hurt a platform. Each one sees to it that it really struck."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from random import Random
from typing import Final

from deploy.embedded.layout import SERVICES, WORKER_PARTS
from tests.faults.network import Network

POLL_SECONDS: Final = 0.02
BACK_SECONDS: Final = 90.0
"""For a machine that has much else to do; a free one needs two."""
WEBS: Final = tuple(f"{service}-web" for service in SERVICES)
WORKERS: Final = tuple(
    f"{service}-{part}" for service in SERVICES for part in WORKER_PARTS[service]
)


async def until(
    true: Callable[[], Awaitable[bool]], *, seconds: float = 20, what: str = "it"
) -> None:
    """Wait until something is so.

    Raises:
        TimeoutError: it was not in time.
    """
    deadline = time.monotonic() + seconds
    while not await true():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what} did not happen within {seconds} s")
        await asyncio.sleep(POLL_SECONDS)


async def kill_at_random(
    network: Network, names: Sequence[str], *, times: int, seconds: float, random: Random
) -> None:
    """Kill each process so many times, at random moments, and see each come back.

    Args:
        network: where.
        names: of processes.
        times: how often each.
        seconds: over which the kills are spread.
        random: chooses order and moments.
    """
    platform = network.platform
    restarts = {name: platform.restarts(name) for name in names}
    killed: dict[str, int] = {}
    victims = list(names) * times
    random.shuffle(victims)
    for name in victims:
        await asyncio.sleep(random.uniform(0, 2 * seconds / len(victims)))
        await until(
            _runs(network, name, other_than=killed.get(name)),
            seconds=BACK_SECONDS,
            what=f"a new {name}",
        )
        killed[name] = platform.kill(name)
    await until_back(network, killed)
    struck = {name: platform.restarts(name) - before for name, before in restarts.items()}
    assert struck == dict.fromkeys(names, times)


async def until_back(network: Network, killed: Mapping[str, int]) -> None:
    """Wait until each of these processes has a successor that answers.

    Args:
        network: where.
        killed: process numbers by name.
    """
    for name, pid in killed.items():
        await network.platform.wait_restarted(name, pid, seconds=BACK_SECONDS)


def _runs(network: Network, name: str, *, other_than: int | None) -> Callable[[], Awaitable[bool]]:
    async def runs() -> bool:
        return network.platform.pid(name) not in {None, other_than}

    return runs


@asynccontextmanager
async def without(network: Network, name: str) -> AsyncIterator[None]:
    """Stop a process for the length of the context."""
    before = network.platform.restarts(name)
    await network.platform.pause(name)
    try:
        assert network.platform.pid(name) is None
        yield
    finally:
        await network.platform.resume(name)
    assert network.platform.restarts(name) == before + 1


@asynccontextmanager
async def writes_held_up(network: Network, service: str, *tables: str) -> AsyncIterator[None]:
    """Let whoever writes to these tables wait, in the middle of its transaction."""
    async with network.database(service) as database:
        transaction = database.transaction()
        await transaction.start()
        await database.execute(
            f"SET LOCAL idle_in_transaction_session_timeout = 0;"
            f" LOCK TABLE {', '.join(tables)} IN SHARE ROW EXCLUSIVE MODE"
        )
        try:
            yield
        finally:
            await transaction.rollback()


async def until_held_up(network: Network, service: str, application: str, relation: str) -> None:
    """Wait until a process of the service waits for a table, in the middle of its transaction."""

    async def waits() -> bool:
        rows = await network.fetch(
            service,
            "SELECT 1 FROM pg_stat_activity a JOIN pg_locks l USING (pid)"
            " WHERE a.application_name = $1 AND NOT l.granted AND l.relation = $2::regclass",
            application,
            relation,
        )
        return bool(rows)

    await until(waits, what=f"{application} waiting for {relation}")
