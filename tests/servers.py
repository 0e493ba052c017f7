"""One real PostgreSQL and one real NATS for a whole test run, however many workers it has.

The first worker that needs them starts a host process, which starts the servers. Every worker holds
a shared lock while it lives; when nobody holds it any more the host ends the servers and removes
their data. The kernel drops the lock of a killed worker and ends the servers of a killed host, so
nothing is ever left behind.
"""

import asyncio
import contextlib
import fcntl
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO
from uuid import uuid4

import asyncpg
import pytest

from deploy.embedded.child import Child
from deploy.embedded.layout import (
    NATS_USERS,
    REPOSITORY,
    SERVICES,
    Ports,
    reserved_base_port,
    write_private,
)
from deploy.embedded.nats import Nats
from deploy.embedded.postgres import Postgres

_START_SECONDS = 60.0
_PASSWORD = "for-tests-only"


@dataclass(frozen=True)
class Servers:
    """Where the servers of this test run are.

    Attributes:
        postgres_admin_url: DSN for asyncpg of a superuser.
        nats_url: of the user `operator`, who may say and hear everything.
    """

    postgres_port: int
    nats_port: int
    nats_monitor_port: int

    @property
    def postgres_admin_url(self) -> str:
        return self.postgres_url("postgres").replace("postgresql+asyncpg", "postgresql", 1)

    def postgres_url(self, database: str, *, user: str = "postgres") -> str:
        """Address for SQLAlchemy; users are `postgres` and the services."""
        return f"postgresql+asyncpg://{user}:{_PASSWORD}@127.0.0.1:{self.postgres_port}/{database}"

    @property
    def nats_url(self) -> str:
        return self.nats_url_of("operator")

    def nats_url_of(self, user: str) -> str:
        """Address for a user with its real permissions: a service, `operator` or `partner`."""
        return f"nats://{user}:{_PASSWORD}@127.0.0.1:{self.nats_port}"


async def create_database(
    servers: Servers, template: str | None = None, *, name: str | None = None
) -> str:
    """Make a database, empty or as a copy of another one that nobody is connected to.

    Returns:
        Its address for SQLAlchemy; the name is the part after the last slash.
    """
    name = name or f"test_{uuid4().hex}"
    connection = await asyncpg.connect(servers.postgres_admin_url)
    try:
        await connection.execute(f'create database "{name}" template "{template or "template0"}"')
    finally:
        await connection.close()
    return servers.postgres_url(name)


async def drop_database(servers: Servers, url: str) -> None:
    """Remove a database, with whoever is still connected to it."""
    connection = await asyncpg.connect(servers.postgres_admin_url)
    try:
        await connection.execute(f'drop database if exists "{url.rpartition("/")[2]}" with (force)')
    finally:
        await connection.close()


@pytest.fixture(scope="session")
def servers() -> Iterator[Servers]:
    """The servers of this run; started by the first who asks."""
    with running_servers() as running:
        yield running


@contextlib.contextmanager
def running_servers() -> Iterator[Servers]:
    """Use the servers of this run until the context ends."""
    place = _place_of_this_run()
    place.mkdir(mode=0o700, exist_ok=True)
    # Held for reading while we use the servers. The host waits until it can hold it for writing.
    with (place / "users").open("a") as users:
        with _locked(place / "starting"):
            fcntl.flock(users, fcntl.LOCK_SH)
            running = _running(place) or _start_host(place)
        yield running


def _place_of_this_run() -> Path:
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID") or str(os.getpid())
    memory = Path("/dev/shm")  # noqa: S108 - the directory below it is private
    parent = memory if os.access(memory, os.W_OK) else Path(tempfile.gettempdir())
    return parent / f"renkei-tests-{os.getuid()}-{run}"


def _running(place: Path) -> Servers | None:
    try:
        with (place / "host").open() as host:
            fcntl.flock(host, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return _read(place / "servers.json")
    except FileNotFoundError:
        pass
    return None


def _read(path: Path) -> Servers | None:
    return Servers(**json.loads(path.read_text())) if path.exists() else None


def _start_host(place: Path) -> Servers:
    for leftover in place.glob("*/"):
        shutil.rmtree(leftover)
    (place / "servers.json").unlink(missing_ok=True)
    with (place / "host.log").open("ab") as log:
        host = subprocess.Popen(
            [sys.executable, "-m", "tests.servers", str(place)],
            cwd=REPOSITORY,
            env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    deadline = time.monotonic() + _START_SECONDS
    while (running := _read(place / "servers.json")) is None:
        if host.poll() is not None or time.monotonic() > deadline:
            host.kill()
            raise RuntimeError(f"The servers did not start:\n{(place / 'host.log').read_text()}")
        time.sleep(0.02)
    # It outlives us on purpose, and is nobody's to wait for.
    host.returncode = 0
    return running


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[IO[str]]:
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield file


async def _host(place: Path, base: int) -> None:
    """Run the servers until nobody uses them."""
    ports = Ports(base)
    postgres = Postgres(
        data=place / "postgres",
        port=ports.postgres,
        password=_PASSWORD,
        log=place / "postgres.log",
        for_tests=True,
    )
    nats = Nats(
        directory=place / "nats",
        port=ports.nats,
        monitor_port=ports.nats_monitor,
        passwords=dict.fromkeys(NATS_USERS, _PASSWORD),
        for_tests=True,
    )
    children: list[Child] = []

    async def start_postgres() -> None:
        await postgres.initialise()
        await start(Child(postgres.program(), log=postgres.log, changed=lambda: None))
        await postgres.create_service_databases(dict.fromkeys(SERVICES, _PASSWORD))

    async def start(child: Child) -> None:
        children.append(child)
        await child.start()

    try:
        await asyncio.gather(
            start_postgres(),
            start(Child(nats.program(), log=place / "nats.log", changed=lambda: None)),
        )
        running = Servers(ports.postgres, ports.nats, ports.nats_monitor)
        write_private(place / "servers.json", json.dumps(vars(running)))
        while not _unused(place):  # noqa: ASYNC110 - locks of files raise no event
            await asyncio.sleep(0.3)
    finally:
        await asyncio.gather(*(child.stop() for child in children))


def _unused(place: Path) -> bool:
    """Whether every user has gone, and none is about to come."""
    with (place / "starting").open("a") as starting, (place / "users").open("a") as users:
        try:
            fcntl.flock(starting, fcntl.LOCK_EX | fcntl.LOCK_NB)
            fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        # Whoever comes from here on finds no servers and starts its own.
        (place / "servers.json").unlink()
    return True


def _main(place: Path) -> None:
    with _locked(place / "host"), reserved_base_port() as base:
        asyncio.run(_host(place, base))
        shutil.rmtree(place, ignore_errors=True)


if __name__ == "__main__":
    _main(Path(sys.argv[1]))
