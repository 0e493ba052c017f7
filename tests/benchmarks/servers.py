"""The servers that everything is measured on: durable, as in earnest, and of our own."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import asyncpg
import psutil
from pydantic import SecretStr

from deploy.embedded.child import Child
from deploy.embedded.console import last_lines
from deploy.embedded.layout import HOST, NATS_USERS, REPOSITORY, Ports, is_free, reserved_base_port
from deploy.embedded.nats import Nats
from deploy.embedded.postgres import Postgres
from deploy.embedded.probes import Probe, http_probe
from deploy.embedded.unprivileged import die_with_parent
from shared.database import PlainConnection, asyncpg_dsn
from shared.settings import Settings
from tests.web import ISSUER, MASTER_KEYS

_PASSWORD: Final = "for-benchmarks-only"
_READY_SECONDS: Final = 60.0


@dataclass(frozen=True)
class Servers:
    """A PostgreSQL with an empty database for each service, and a NATS."""

    state: Path
    ports: Ports
    postgres: Postgres
    nats: Nats

    def settings(self, service: str, **changes: Any) -> Settings:
        """What a process of this service would read from its environment."""
        return Settings(**(self._settings(service) | changes))

    async def connect(self, service: str) -> PlainConnection:
        return await asyncpg.connect(asyncpg_dsn(self.settings(service)))

    @asynccontextmanager
    async def process(
        self, service: str, module: str, *arguments: str, place: int, **changes: Any
    ) -> AsyncIterator[int]:
        """Run a process of this service, which listens at the port of this place.

        Yields:
            Its process id, once it is ready.
        """
        port = self.ports.service(place)
        settings = self._settings(service) | {"listen_port": port} | changes
        environment = {
            f"RENKEI_{name.upper()}": value.get_secret_value()
            if isinstance(value, SecretStr)
            else str(value)
            for name, value in settings.items()
        }
        log = self.state / f"{service}-{place}.log"
        with started(["-m", module, *arguments], log=log, environment=environment) as process:
            await ready(process, port, log)
            yield process.pid

    def _settings(self, service: str) -> dict[str, Any]:
        database = self.postgres.url(service, _PASSWORD, f"renkei_{service}")
        return {
            "database_url": SecretStr(database.replace("postgresql", "postgresql+asyncpg", 1)),
            "nats_url": SecretStr(self.nats.url(service)),
            "issuer": ISSUER,
            "jwks_url": f"http://{HOST}:{self.ports.service(0)}/jwks",
            "master_keys": SecretStr(MASTER_KEYS),
        }


@asynccontextmanager
async def durable_servers(state: Path, services: Sequence[str]) -> AsyncIterator[Servers]:
    """Start PostgreSQL and NATS with the settings of a platform, not with those of the tests."""
    with reserved_base_port() as base:
        ports = Ports(base)
        postgres = Postgres(
            data=state / "postgres", port=ports.postgres, password=_PASSWORD, log=state / "pg.log"
        )
        nats = Nats(
            directory=state / "nats",
            port=ports.nats,
            monitor_port=ports.nats_monitor,
            passwords=dict.fromkeys(NATS_USERS, _PASSWORD),
        )
        await postgres.initialise()
        children = [
            Child(postgres.program(), log=postgres.log, changed=lambda: None),
            Child(nats.program(), log=state / "nats.log", changed=lambda: None),
        ]
        try:
            await asyncio.gather(*(child.start() for child in children))
            await postgres.create_service_databases(dict.fromkeys(services, _PASSWORD))
            yield Servers(state, ports, postgres, nats)
        finally:
            await asyncio.gather(*(child.stop() for child in children))


class started:  # noqa: N801 -- reads like the function that it is used as
    """A Python process of ours that ends with the context."""

    def __init__(
        self, arguments: Sequence[str], *, log: Path, environment: dict[str, str] | None = None
    ) -> None:
        self.command = [sys.executable, *arguments]
        self.log = log
        self.environment = {**os.environ, **(environment or {}), "PYTHONPATH": str(REPOSITORY)}

    def __enter__(self) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command,
                cwd=REPOSITORY,
                env=self.environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                preexec_fn=die_with_parent(signal.SIGTERM),  # noqa: PLW1509
            )
        return self.process

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.communicate()


async def ready(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    """Wait until a process says that it can work.

    Raises:
        RuntimeError: it ended instead.
    """
    await _until(http_probe(port, "/readyz"), process, log)


async def listening(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    """Wait until a process that says nothing of itself accepts connections.

    Raises:
        RuntimeError: it ended instead.
    """

    async def accepts() -> bool:
        return not is_free(port)

    await _until(accepts, process, log)


async def _until(probe: Probe, process: subprocess.Popen[bytes], log: Path) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(_READY_SECONDS):
            while process.poll() is None:
                if await probe():
                    return
                await asyncio.sleep(0.05)
    raise RuntimeError("\n".join((f"{process.args!r} did not start:", *last_lines(log, 40))))


def cpu_seconds(*pids: int) -> float:
    """Processor time that processes have used so far."""
    found = [psutil.Process(pid).cpu_times() for pid in pids]
    return float(sum(times.user + times.system for times in found))
