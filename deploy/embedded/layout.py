"""Where an embedded platform keeps its things: files, ports and generated secrets.

Everything lives below one state directory, so two platforms on one machine need only two
directories and two base ports, and removing the directory removes the platform.
"""

import base64
import errno
import fcntl
import json
import os
import secrets
import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[2]

SERVICES = ("members", "projects", "notifications")
"""Those that tell and hear facts; each has a database, a worker and a name at the broker."""
PORTAL = "portal"
"""The web pages: a client of the others, with a database and nothing else of its own."""
DATABASES = (*SERVICES, PORTAL)

WORKER_PARTS = {
    "members": ("relay", "timers", "logout"),
    "projects": ("relay", "consumers", "timers"),
    "notifications": ("relay", "consumers", "timers", "sender"),
}

# Cities of the demo that have an identity provider, and one that shares another's
# (deploy/demo/providers).
DEMO_ISSUERS = ("bangkok", "seoul", "singapore", "tokyo")
DEMO_LOGINS = (*DEMO_ISSUERS, "hanoi")

NATS_USERS = (*SERVICES, "operator", "partner")

HOST = "127.0.0.1"
DEFAULT_BASE_PORT = 8400
# Above this Linux hands out ports to outgoing connections, which could take ours while we restart.
FIRST_EPHEMERAL_PORT = 32768
PORTS_PER_PLATFORM = 100


class CannotStart(Exception):
    """Something outside the platform prevents its start; the message says what, in one line."""


@dataclass(frozen=True)
class StateDirectory:
    """The files of one platform."""

    root: Path

    @property
    def lock(self) -> Path:
        return self.root / "lock"

    @property
    def state(self) -> Path:
        return self.root / "state.json"

    @property
    def secrets(self) -> Path:
        return self.root / "secrets.json"

    @property
    def paused(self) -> Path:
        """A process whose name is a file in here is kept stopped."""
        return self.root / "paused"

    @property
    def postgres(self) -> Path:
        return self.root / "postgres"

    @property
    def nats(self) -> Path:
        return self.root / "nats"

    @property
    def edge(self) -> Path:
        return self.root / "edge"

    @property
    def credentials(self) -> Path:
        """The host member's first client, as `renkei init` printed it."""
        return self.root / "credentials.json"

    @property
    def application(self) -> Path:
        """What the demo's people log in to, as `renkei register-application` printed it."""
        return self.root / "application.json"

    @property
    def portal_registered(self) -> Path:
        """For which public address the portal has been registered."""
        return self.root / "portal.registered"

    @property
    def demo(self) -> Path:
        """What the demo loader created: accounts, projects, addresses."""
        return self.root / "demo.json"

    @property
    def demo_loaded(self) -> Path:
        return self.root / "demo.loaded"

    @property
    def receiver(self) -> Path:
        return self.root / "receiver"

    @property
    def providers(self) -> Path:
        """What the demo's identity providers are: addresses, secrets and people."""
        return self.root / "providers.json"

    def log(self, name: str) -> Path:
        return self.root / "logs" / f"{name}.log"

    def create(self) -> None:
        """Make the directories.

        Raises:
            CannotStart: the directory cannot be written.
        """
        try:
            self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
            for directory in (self.log("x").parent, self.paused, self.nats, self.edge):
                directory.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise CannotStart(f"Cannot write to {self.root}: {error.strerror}.") from error

    def remove(self) -> None:
        """Remove the platform with all its data."""
        if self.postgres.is_symlink():
            shutil.rmtree(self.postgres.resolve().parent, ignore_errors=True)
        shutil.rmtree(self.root)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the directory for this process; the kernel lets go of it when the process ends.

        Raises:
            CannotStart: another platform runs in this directory.
        """
        with self.lock.open("a") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                running = self.read_state()
                pid = running.get("supervisor", {}).get("pid", "unknown")
                raise CannotStart(
                    f"Renkei already runs in {self.root}: {running.get('url', 'starting')}, "
                    f"process {pid}. Stop it with `./run stop`."
                ) from error
            yield

    def is_locked(self) -> bool:
        """Whether a platform runs in this directory."""
        try:
            with self.lock.open("r") as file:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except FileNotFoundError:
            return False
        return False

    def read_state(self) -> dict[str, Any]:
        """What the supervisor last wrote, or nothing if it never did."""
        try:
            state: dict[str, Any] = json.loads(self.state.read_text())
        except (FileNotFoundError, ValueError):
            return {}
        return state


def write_private(path: Path, text: str) -> None:
    """Replace a file in one step, readable by its owner only."""
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    Path(temporary).replace(path)


@dataclass(frozen=True, kw_only=True)
class Secrets:
    """Passwords and keys of one platform, made at its first start."""

    postgres: dict[str, str]
    nats: dict[str, str]
    master_keys: str
    projects_master_keys: str
    portal: dict[str, str]
    demo_logins: dict[str, str]

    @classmethod
    def load_or_create(cls, path: Path) -> "Secrets":
        """Read the secrets; what is missing (all, or a newer service's) is made and kept."""
        kept: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
        made = cls(
            postgres=_passwords(("postgres", *DATABASES), kept.get("postgres", {})),
            nats=_passwords(NATS_USERS, kept.get("nats", {})),
            master_keys=kept.get("master_keys") or f"k1:{_key()}",
            # Its own: it has nothing to do with what the others seal, such as signing keys.
            projects_master_keys=kept.get("projects_master_keys") or f"j1:{_key()}",
            portal=kept.get("portal") or _new_portal(),
            demo_logins=_passwords(DEMO_LOGINS, kept.get("demo_logins", {})),
        )
        if kept != vars(made):
            write_private(path, json.dumps(vars(made), indent=2) + "\n")
        return made


def _passwords(names: tuple[str, ...], kept: dict[str, str]) -> dict[str, str]:
    return {name: kept.get(name) or secrets.token_urlsafe(24) for name in names}


def _key() -> str:
    return base64.b64encode(secrets.token_bytes(32)).decode()


def _new_portal() -> dict[str, str]:
    """Who the portal is at the authorization server, and what it seals with: nobody else's keys."""
    from joserfc.jwk import ECKey  # noqa: PLC0415 -- slow, and needed once

    key = ECKey.generate_key("P-256")
    return {
        "client_id": f"{PORTAL}-{secrets.token_hex(4)}",
        "client_key": json.dumps(key.as_dict(private=True) | {"kid": key.thumbprint()}),
        "master_keys": f"p1:{_key()}",
    }


@dataclass(frozen=True)
class Ports:
    """All ports of a platform follow from its base port."""

    base: int

    @property
    def edge(self) -> int:
        return self.base

    @property
    def postgres(self) -> int:
        return self.base + 1

    @property
    def nats(self) -> int:
        return self.base + 2

    @property
    def nats_monitor(self) -> int:
        return self.base + 3

    @property
    def demo_receiver(self) -> int:
        return self.base + 4

    @property
    def demo_node(self) -> int:
        """Of the identity providers that one program serves, each below its own path."""
        return self.base + 5

    @property
    def demo_mocks(self) -> tuple[int, ...]:
        """Of the identity providers that have a port each."""
        return tuple(self.base + 6 + index for index in range(len(DEMO_ISSUERS)))

    @property
    def demo_dns(self) -> int:
        """Of the demo's names; by UDP, so it shares its number with a server of another kind."""
        return self.demo_node

    def service(self, index: int) -> int:
        """The port of the service process at this place of the process table."""
        return self.base + 10 + index


def is_free(port: int) -> bool:
    """Whether a server could listen on this port of the loopback address now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            if error.errno in (errno.EADDRINUSE, errno.EACCES):
                return False
            raise
    return True


def _is_still(path: Path, descriptor: int) -> bool:
    """Whether an open file has not been removed meanwhile."""
    try:
        return path.stat().st_ino == os.fstat(descriptor).st_ino
    except FileNotFoundError:
        return False


@contextmanager
def reserved_base_port() -> Iterator[int]:
    """A base port with a whole block of free ports behind it.

    The block stays ours against other platforms on this machine until the context ends, also before
    the first server listens in it.
    """
    blocks = range(10_000, FIRST_EPHEMERAL_PORT - PORTS_PER_PLATFORM, PORTS_PER_PLATFORM)
    first = secrets.randbelow(len(blocks))
    for place in range(len(blocks)):
        base = blocks[(first + place) % len(blocks)]
        claim = Path(tempfile.gettempdir()) / f"renkei-{os.getuid()}-ports-{base}"
        with claim.open("a") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            if not _is_still(claim, file.fileno()):
                continue
            if all(is_free(port) for port in range(base, base + PORTS_PER_PLATFORM)):
                try:
                    yield base
                finally:
                    claim.unlink(missing_ok=True)
                return
    raise CannotStart(f"No {PORTS_PER_PLATFORM} free ports in a row below {FIRST_EPHEMERAL_PORT}.")
