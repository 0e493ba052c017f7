"""Consumers that one process of a service runs at a time, so that facts take effect in order.

With several replicas at work a batch may commit before the one that the broker delivered earlier.
Where that must not be, the replicas wait for a lock, as relays do, and who has it begins only when
nothing is left that another one may still be at: what a dead one had not acknowledged comes again,
before what is new. A fact that cannot be handled does not hold up those that follow it.
"""

import asyncio
import time
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Final, NoReturn

import asyncpg
import structlog

from shared.database import PlainConnection, asyncpg_dsn
from shared.messaging.patience import Patience, stop_if_cancelled
from shared.settings import Settings

log = structlog.get_logger(__name__)

LOCK: Final = "SELECT pg_try_advisory_lock(hashtext('renkei.in-order'))"
HOLDS: Final = "SELECT 1"
KEEPALIVE: Final = {
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
}
TROUBLE: Final = (
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    OSError,
    TimeoutError,
)

Work = Callable[[], Coroutine[Any, Any, None]]


async def run_alone(
    work: Sequence[Work],
    *,
    service: str,
    settings: Settings,
    on_active: Callable[[], None] = lambda: None,
) -> NoReturn:
    """Run work in this process while no other one of the service does; for ever.

    Args:
        work: runs until it is cancelled, and may be begun again.
        service: whose database holds the lock.
        settings: where it is.
        on_active: called whenever this process begins.
    """
    patience = Patience(settings)
    while True:
        try:
            connection = await asyncpg.connect(
                asyncpg_dsn(settings),
                timeout=settings.publish_seconds,
                server_settings={"application_name": f"{service}-in-order", **KEEPALIVE},
            )
            try:
                while not await connection.fetchval(LOCK):
                    stop_if_cancelled()
                    await asyncio.sleep(settings.relay_poll_seconds)
                on_active()
                patience.worked()
                await _while_held(connection, work, settings)
            finally:
                # Closing politely could wait for a server that is gone.
                connection.terminate()
        except TROUBLE as error:
            log.warning("in_order.interrupted", service=service, error=repr(error)[:300])
            await patience.pause()


async def _while_held(
    connection: PlainConnection, work: Sequence[Work], settings: Settings
) -> None:
    """Work until the lock is lost with its connection.

    Raises:
        OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError: it is.
    """
    tasks = [asyncio.ensure_future(each()) for each in work]
    try:
        while True:
            await connection.fetchval(HOLDS, timeout=settings.publish_seconds)
            done, _ = await asyncio.wait(
                tasks,
                timeout=settings.relay_poll_seconds,
                return_when=asyncio.FIRST_COMPLETED,
            )
            for task in done:
                task.result()
                raise RuntimeError("work that should run for ever has ended")
    finally:
        for task in tasks:
            task.cancel()
        # Given up only when nothing of it goes on.
        await asyncio.gather(*tasks, return_exceptions=True)


async def until_settled(pending: Callable[[], Coroutine[Any, Any, int]], *, seconds: float) -> None:
    """Wait until another process has acknowledged what it was at, or can no longer be at it.

    Args:
        pending: tells how many messages nobody has acknowledged.
        seconds: after which the broker delivers them again, before what is new.
    """
    ends = time.monotonic() + seconds
    while time.monotonic() < ends and await pending():
        stop_if_cancelled()
        await asyncio.sleep(0.1)
