"""Runs one platform from its first process to its last."""

import asyncio
import os
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import psutil

from deploy.embedded import demonstration
from deploy.embedded.child import Program, StartFailed, run_to_end
from deploy.embedded.console import Console, last_lines
from deploy.embedded.layout import (
    DATABASES,
    CannotStart,
    Ports,
    Secrets,
    StateDirectory,
    is_free,
    reserved_base_port,
)
from deploy.embedded.node import DEMO_PROVIDERS
from deploy.embedded.probes import http_status
from deploy.embedded.processes import Options, Processes
from deploy.embedded.supervisor import StopAsked, Supervisor, end_leftovers


@dataclass(frozen=True, kw_only=True)
class Request:
    """What somebody asked to run.

    Attributes:
        base_port: None chooses free ports.
        check: start, load the demo, try it and stop, in a place of its own.
    """

    state: StateDirectory
    base_port: int | None
    options: Options
    check: bool = False
    verbose: bool = False
    quiet: bool = False


def run(request: Request) -> int:
    """Run a platform until it is told to stop.

    Returns:
        The exit code: 0 after a clean stop.
    """
    console = Console(verbose=request.verbose, quiet=request.quiet)
    try:
        with ExitStack() as stack:
            state = request.state
            if request.check:
                state = StateDirectory(Path(tempfile.mkdtemp(prefix="renkei-check-")))
            base = request.base_port
            if base is None:
                base = stack.enter_context(reserved_base_port())
            state.create()
            with state.locked():
                if request.options.demo:
                    DEMO_PROVIDERS.install(console, os.environ)
                code = asyncio.run(_Run(request, state, Ports(base), console).run())
            if request.check and code == 1:
                console.complain(f"Its files are kept in {state.root}.")
            elif request.check:
                state.remove()
            return code
    except CannotStart as error:
        console.complain(str(error))
        return 1


class _Run:
    def __init__(
        self, request: Request, state: StateDirectory, ports: Ports, console: Console
    ) -> None:
        self.request = request
        self.state = state
        self.ports = ports
        self.console = console
        self.started_at = time.monotonic()
        self.processes = Processes(
            state=state,
            ports=ports,
            secrets=Secrets.load_or_create(state.secrets),
            options=request.options,
            caller=dict(os.environ),
        )
        facts = {
            "base_port": ports.base,
            "replicas": request.options.replicas,
            "separate": request.options.separate,
        }
        self.supervisor = Supervisor(
            state, url=self.processes.edge.url, console=console, facts=facts
        )

    async def run(self) -> int:
        await end_leftovers(self.state)
        for pause in self.state.paused.iterdir():
            pause.unlink()
        self.supervisor.listen_to_signals()
        self.supervisor.set_phase("starting")
        try:
            await self.supervisor.unless_stopped(self._start())
            if self.request.check:
                await self.supervisor.unless_stopped(self._check())
            else:
                self._announce()
                await self.supervisor.until_stop_asked()
                self.console.say("Stopping …")
        except StopAsked:
            self.console.say("Stopping …")
            return 130
        except StartFailed as error:
            self._explain(error)
            return 1
        finally:
            await self.supervisor.stop()
            await self.console.close()
        return 0

    async def _start(self) -> None:
        backbone, services = self.processes.backbone(), self.processes.services()
        beside = self.processes.beside()
        await self._require_free_ports([*backbone, *services, *beside])
        postgres, nats = backbone
        await asyncio.gather(self._start_postgres(postgres), self.supervisor.start([nats]))
        self._done("PostgreSQL and NATS are ready")
        await asyncio.gather(self._prepare_databases(), self.supervisor.start(beside))
        self._done("databases are up to date")
        await asyncio.gather(self.supervisor.start(services), self._register_portal())
        self._done(f"{len(services) + len(beside)} processes are ready")
        if self.request.options.demo:
            await demonstration.load(self.state, self.processes, self.console)
            # Here or just now by `renkei init`, if there was no network before.
            self._stamp_portal()
        self.supervisor.set_phase("running")

    async def _start_postgres(self, program: Program) -> None:
        await self.processes.postgres.initialise()
        await self.supervisor.start([program])

    async def _prepare_databases(self) -> None:
        passwords = {service: self.processes.secrets.postgres[service] for service in DATABASES}
        await self.processes.postgres.create_service_databases(passwords)
        code = await run_to_end(
            (sys.executable, "-m", "deploy.cli", "migrate"),
            environment=self.processes.environments.of_operator(),
            log=self.state.log("migrate"),
        )
        if code != 0:
            raise StartFailed("migrate", f"ended with exit code {code}")

    async def _register_portal(self) -> None:
        """Make the portal known under its address of today; `renkei init` does it the first time.

        Nothing is started for what is known to be done: whoever starts again shall not wait for it.
        """
        stamp = self.state.portal_registered
        if stamp.exists() and stamp.read_text() == self.processes.environments.issuer:
            return
        written = self.state.log("register-portal").with_suffix(".out")
        code = await run_to_end(
            (sys.executable, "-m", "deploy.cli", "register-portal", "--if-open"),
            environment=self.processes.environments.of_operator(),
            log=self.state.log("register-portal"),
            output=written,
        )
        if code != 0:
            raise StartFailed("register-portal", f"ended with exit code {code}")
        if written.read_text():
            self._stamp_portal()

    def _stamp_portal(self) -> None:
        self.state.portal_registered.write_text(self.processes.environments.issuer)

    async def _require_free_ports(self, programs: list[Program]) -> None:
        wanted = {int(program.address.rpartition(":")[2]): program.name for program in programs}
        wanted[self.ports.nats_monitor] = "nats monitoring"
        taken = {port: name for port, name in wanted.items() if not is_free(port)}
        if not taken:
            return
        other = self.ports.base + 100
        advice = f"Choose others: `--port {other}` or RENKEI_PORT={other}."
        if await _is_edge(self.ports.base):
            raise CannotStart(f"Another Renkei runs on port {self.ports.base}. {advice}")
        port, name = next(iter(sorted(taken.items())))
        raise CannotStart(f"Port {port} ({name}) is taken by another program. {advice}")

    async def _check(self) -> None:
        await demonstration.check(self.state, self.processes)
        memory = memory_of(os.getpid())
        self._done(f"the demo works; {memory / 2**20:.0f} MiB in use")

    def _announce(self) -> None:
        lines = ["", f"Renkei runs at {self.supervisor.url}"]
        if self.request.options.demo:
            lines += demonstration.accounts(self.state)
        self.console.say("\n".join([*lines, "Ctrl-C stops it.", ""]))

    def _explain(self, error: StartFailed) -> None:
        log = self.state.log(error.name)
        lines = [f"  {line}" for line in last_lines(log)]
        self.console.complain("\n".join([f"{error}. The end of {log}:", *lines]))

    def _done(self, what: str) -> None:
        self.console.say(f"{time.monotonic() - self.started_at:5.1f} s  {what}")


async def _is_edge(port: int) -> bool:
    try:
        async with asyncio.timeout(1):
            return await http_status(port, "/livez") == 200
    except (OSError, TimeoutError, ValueError):
        return False


def memory_of(pid: int) -> int:
    """Memory of a process and what it started, in bytes; shared pages counted in proportion."""
    try:
        process = psutil.Process(pid)
        return sum(_memory(each) for each in (process, *process.children(recursive=True)))
    except psutil.NoSuchProcess:
        return 0


def _memory(process: psutil.Process) -> int:
    try:
        full = process.memory_full_info()
        return int(getattr(full, "pss", full.rss))
    except psutil.AccessDenied:
        return int(process.memory_info().rss)
    except psutil.NoSuchProcess:
        return 0
