"""Questions that tell whether a process works. A probe answers True or False and never raises."""

import asyncio
from collections.abc import Awaitable, Callable

import asyncpg

from deploy.embedded.layout import HOST

Probe = Callable[[], Awaitable[bool]]

# It is alive and says so: it is starting, has no free connection, or is being stopped.
_POSTGRES_IS_ALIVE = (
    asyncpg.CannotConnectNowError,
    asyncpg.TooManyConnectionsError,
)


def http_probe(port: int, path: str, *, timeout_seconds: float = 2) -> Probe:
    """Ask a server on the loopback address; only a 2xx answer in time is a yes."""

    async def answers() -> bool:
        try:
            async with asyncio.timeout(timeout_seconds):
                return 200 <= await http_status(port, path) < 300
        except (OSError, TimeoutError, ValueError):
            return False

    return answers


async def http_status(port: int, path: str) -> int:
    """Send the smallest request that is valid and read nothing but the status.

    Raises:
        OSError: nobody listens.
        ValueError: the answer is not HTTP.
    """
    reader, writer = await asyncio.open_connection(HOST, port)
    try:
        writer.write(
            f"GET {path} HTTP/1.1\r\nHost: {HOST}:{port}\r\nConnection: close\r\n\r\n".encode()
        )
        line = await reader.readline()
        version, status, *_ = line.decode("ascii", "replace").split() or ("", "")
        if not version.startswith("HTTP/"):
            raise ValueError("not an HTTP answer")
        return int(status)
    finally:
        writer.close()


def postgres_probe(url: str, *, timeout_seconds: float = 3) -> Probe:
    """Ask PostgreSQL a real question."""

    async def answers() -> bool:
        try:
            async with asyncio.timeout(timeout_seconds):
                connection = await asyncpg.connect(url)
                try:
                    await connection.fetchval("select 1")
                finally:
                    connection.terminate()
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
            return False
        return True

    return answers


def postgres_alive_probe(url: str, *, timeout_seconds: float = 3) -> Probe:
    """Ask whether PostgreSQL answers at all, be it with "not now"."""

    async def answers() -> bool:
        try:
            async with asyncio.timeout(timeout_seconds):
                connection = await asyncpg.connect(url)
                connection.terminate()
        except _POSTGRES_IS_ALIVE:
            return True
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
            return False
        return True

    return answers
