"""A platform of one's own, for tests and measurements: start it, hurt it, watch it recover.

The supervisor runs as a process of its own, exactly as `./run up` starts it, so that it can be
killed like any other part.
"""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from deploy.embedded.console import last_lines
from deploy.embedded.environment import PREFIX
from deploy.embedded.layout import REPOSITORY, CannotStart, Ports, Secrets, StateDirectory
from deploy.embedded.probes import http_probe
from deploy.embedded.processes import Options, Processes
from deploy.embedded.unprivileged import die_with_parent

START_SECONDS = 240.0
RECOVERY_SECONDS = 90.0
_POLL_SECONDS = 0.05


class Platform:
    """Runs from entering the context until leaving it.

    Args:
        state_dir: an empty directory, or one that an earlier platform left.
        replicas: processes of each kind and service.
        separate: run the parts of each worker as processes of their own.
        demo: load the demo's data.
        base_port: first of its ports; None chooses free ones.
        settings: further `RENKEI_…` variables, for all processes or for one service.
        command: what to start in place of `./run up`; gets the same arguments.
    """

    def __init__(
        self,
        state_dir: Path,
        *,
        replicas: int = 1,
        separate: bool = False,
        demo: bool = False,
        base_port: int | None = None,
        settings: Mapping[str, str] | None = None,
        command: Sequence[str] | None = None,
    ) -> None:
        self.state = StateDirectory(state_dir.resolve())
        self.options = Options(replicas=replicas, separate=separate, demo=demo)
        self.settings = dict(settings or {})
        self._command = [
            *(command or (sys.executable, "-m", "deploy.embedded", "demo" if demo else "up")),
            f"--state={self.state.root}",
            f"--port={base_port or 0}",
            f"--replicas={replicas}",
            *(["--separate"] if separate else []),
        ]
        self._supervisor: subprocess.Popen[bytes] | None = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        """Start the platform and wait until every process is ready.

        Raises:
            CannotStart: it did not start; the message holds what it said.
        """
        self.state.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        output = self.state.root / "supervisor.log"
        with output.open("ab") as log:
            self._supervisor = subprocess.Popen(
                self._command,
                cwd=REPOSITORY,
                env=self._caller(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                process_group=0,
                preexec_fn=die_with_parent(signal.SIGTERM),  # noqa: PLW1509
            )
        deadline = time.monotonic() + START_SECONDS
        while not self._is_running():
            if self._supervisor.poll() is not None or time.monotonic() > deadline:
                await self.stop()
                raise CannotStart("\n".join(last_lines(output, 60)))
            await asyncio.sleep(_POLL_SECONDS)

    async def stop(self) -> None:
        """Stop everything, in order, and wait for its end."""
        if self._supervisor is not None:
            self._supervisor.send_signal(signal.SIGTERM)
            await asyncio.to_thread(self._supervisor.wait)
            self._supervisor = None

    @property
    def url(self) -> str:
        """Base URL of the edge."""
        return str(self.state.read_state()["url"])

    @property
    def supervisor_pid(self) -> int:
        return int(self.state.read_state()["supervisor"]["pid"])

    def names(self) -> list[str]:
        """Names of all processes."""
        return list(self._processes())

    def pid(self, name: str) -> int | None:
        """The process now; None while it does not run."""
        pid = self._processes()[name]["pid"]
        return None if pid is None else int(pid)

    def address(self, name: str) -> str:
        """Host and port where a process listens."""
        return str(self._processes()[name]["address"])

    def restarts(self, name: str) -> int:
        return int(self._processes()[name]["restarts"])

    def environment(self, service: str) -> dict[str, str]:
        """Environment for a process of this service, or of the `operator`; it listens nowhere."""
        environments = self._table().environments
        if service == "operator":
            return environments.of_operator()
        return environments.of_service(service, port=0)

    def postgres_url(self, service: str) -> str:
        """Address for asyncpg of a service's database, or of the superuser `postgres`."""
        table = self._table()
        if service == "postgres":
            return table.postgres.admin_url
        return table.environments.database_url(service).replace("+asyncpg", "", 1)

    def nats_url(self, user: str = "operator") -> str:
        return self._table().environments.nats_url(user)

    def kill(self, name: str) -> int:
        """Kill a process without warning; it comes back by itself.

        Returns:
            The process that was killed.
        """
        pid = self.pid(name)
        if pid is None:
            raise LookupError(f"{name} does not run")
        os.kill(pid, signal.SIGKILL)
        return pid

    def kill_supervisor(self) -> None:
        """Kill the supervisor without warning; everything it started ends with it."""
        os.kill(self.supervisor_pid, signal.SIGKILL)

    async def pause(self, name: str) -> None:
        """Stop a process in good order and keep it stopped until `resume`."""
        self._processes()[name]
        (self.state.paused / name).touch()
        os.kill(self.supervisor_pid, signal.SIGUSR1)
        await self._until_status(name, "paused")

    async def resume(self, name: str) -> None:
        """Start a paused process again and wait until it answers."""
        (self.state.paused / name).unlink(missing_ok=True)
        os.kill(self.supervisor_pid, signal.SIGUSR1)
        await self._until_status(name, "running")

    async def wait_restarted(
        self, name: str, killed: int, *, seconds: float = RECOVERY_SECONDS
    ) -> None:
        """Wait until another process than the killed one answers.

        Raises:
            TimeoutError: it did not in time.
        """
        async with asyncio.timeout(seconds):
            while self.pid(name) in (None, killed):
                await asyncio.sleep(_POLL_SECONDS)
        await self._until_status(name, "running", seconds=seconds)

    async def wait_healthy(self, *, seconds: float = RECOVERY_SECONDS) -> None:
        """Wait until every process runs and can do its work.

        Raises:
            TimeoutError: some could not in time; the message names them.
        """
        deadline = time.monotonic() + seconds
        while unready := await self._unready():
            if time.monotonic() > deadline:
                raise TimeoutError(f"not healthy after {seconds:.0f} s: {', '.join(unready)}")
            await asyncio.sleep(_POLL_SECONDS)

    def log(self, name: str) -> Path:
        return self.state.log(name)

    async def _unready(self) -> list[str]:
        unready = []
        for name, process in self._processes().items():
            ready = process["status"] == "running" and await self._is_ready(name, process)
            if not ready:
                unready.append(name)
        return unready

    async def _is_ready(self, name: str, process: Mapping[str, Any]) -> bool:
        if name == "postgres":
            return await self._table().postgres.program().ready()
        port = int(process["address"].rpartition(":")[2])
        if name == "nats":
            return await http_probe(self._ports().nats_monitor, "/healthz")()
        return await http_probe(port, "/readyz")()

    async def _until_status(
        self, name: str, status: str, *, seconds: float = RECOVERY_SECONDS
    ) -> None:
        async with asyncio.timeout(seconds):
            while self._processes()[name]["status"] != status:
                await asyncio.sleep(_POLL_SECONDS)

    def _is_running(self) -> bool:
        state = self.state.read_state()
        supervisor = self._supervisor
        return (
            supervisor is not None
            and state.get("supervisor", {}).get("pid") == supervisor.pid
            and state["phase"] == "running"
        )

    def _processes(self) -> dict[str, dict[str, Any]]:
        return {entry["name"]: entry for entry in self.state.read_state()["processes"]}

    def _ports(self) -> Ports:
        return Ports(int(self.state.read_state()["base_port"]))

    def _table(self) -> Processes:
        return Processes(
            state=self.state,
            ports=self._ports(),
            secrets=Secrets.load_or_create(self.state.secrets),
            options=self.options,
            caller=self._caller(),
        )

    def _caller(self) -> dict[str, str]:
        """Nothing of the tests' own settings reaches the platform, only what was asked for."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
        return kept | {"PYTHONPATH": str(REPOSITORY)} | self.settings
