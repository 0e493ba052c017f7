"""One supervised process: started, watched, restarted with growing pauses, and ended for certain.

Each child leads a process group of its own, so that nothing it started outlives it, and the kernel
signals it when the supervisor dies. Output goes straight to its log file, so it is kept whatever
happens to the supervisor.
"""

import asyncio
import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from pathlib import Path

from deploy.embedded.layout import REPOSITORY
from deploy.embedded.probes import Probe
from deploy.embedded.unprivileged import BeforeExec, die_with_parent

FIRST_PAUSE_SECONDS = 0.2
LONGEST_PAUSE_SECONDS = 10.0
HEALTHY_AFTER_SECONDS = 30.0
START_SECONDS = 120.0
LIVENESS_SECONDS = 2.0
LIVENESS_MISSES = 3
KEPT_LOG_BYTES = 20_000_000


class Stage(IntEnum):
    """Order of stopping is from the last to the first."""

    POSTGRES = 0
    NATS = 1
    WORKER = 2
    WEB = 3
    EDGE = 4


class Status(StrEnum):
    """What a process is doing, as far as its supervisor knows."""

    STARTING = "starting"
    RUNNING = "running"
    RESTARTING = "restarting"
    PAUSED = "paused"
    STOPPED = "stopped"


@dataclass(frozen=True, kw_only=True)
class Program:
    """What to run and how to tell that it works.

    Attributes:
        address: host and port where it listens.
        ready: it can do its work. Needed once, at the first start of the platform.
        alive: it answers at all. Three misses in a row and it is killed and started again.
        death_signal: what the kernel sends it when the supervisor dies.
        grace_seconds: how long it may take to end after `stop_signal` before it is killed.
        before_exec: changes its identity.
    """

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    address: str
    stage: Stage
    ready: Probe
    alive: Probe
    stop_signal: signal.Signals = signal.SIGTERM
    death_signal: signal.Signals = signal.SIGTERM
    grace_seconds: float = 15.0
    before_exec: BeforeExec | None = None
    directory: Path = field(default=REPOSITORY)


class StartFailed(Exception):
    """A process did not come up at the first start of the platform."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"{name} {reason}")
        self.name = name


def spawn(
    command: tuple[str, ...],
    *,
    environment: Mapping[str, str],
    log: Path,
    output: Path | None = None,
    death_signal: signal.Signals = signal.SIGTERM,
    before_exec: BeforeExec | None = None,
    directory: Path = REPOSITORY,
) -> subprocess.Popen[bytes]:
    """Start a process that leads its own group, dies with us and writes to its log.

    Standard output goes to `output` if that is given. To be called from the main thread only: the
    death signal follows the thread, not the process.
    """
    with log.open("ab") as errors, (output or log).open("ab") as printed:
        # We have no other thread that could hold a lock at the fork.
        return subprocess.Popen(
            command,
            env=dict(environment),
            cwd=directory,
            stdin=subprocess.DEVNULL,
            stdout=printed,
            stderr=errors,
            process_group=0,
            preexec_fn=die_with_parent(death_signal, before_exec),  # noqa: PLW1509
        )


async def ended(process: subprocess.Popen[bytes]) -> int:
    """Wait for the end of a process without blocking and without a thread."""
    if hasattr(os, "pidfd_open"):
        with contextlib.suppress(OSError):
            await _readable(os.pidfd_open(process.pid))
    while (code := process.poll()) is None:
        await asyncio.sleep(0.05)
    return code


async def _readable(descriptor: int) -> None:
    loop = asyncio.get_running_loop()
    done = loop.create_future()

    def finish() -> None:
        if not done.done():
            done.set_result(None)

    loop.add_reader(descriptor, finish)
    try:
        await done
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)


async def run_to_end(
    command: tuple[str, ...],
    *,
    environment: Mapping[str, str],
    log: Path,
    output: Path | None = None,
    before_exec: BeforeExec | None = None,
) -> int:
    """Run a program that ends by itself; it is killed when we are cancelled."""
    process = spawn(
        command, environment=environment, log=log, output=output, before_exec=before_exec
    )
    try:
        return await ended(process)
    finally:
        kill_group(process.pid)
        process.wait()


def kill_group(pid: int) -> None:
    """Kill what is left of the group that this process leads or led."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def rotate(log: Path, *, limit_bytes: int = KEPT_LOG_BYTES) -> None:
    """Put a log that has grown too long aside, in place of the one put aside before.

    The file is emptied, not renamed: a running process goes on writing to it.
    """
    if log.exists() and log.stat().st_size > limit_bytes:
        log.with_suffix(".log.1").write_bytes(log.read_bytes())
        os.truncate(log, 0)


class Child:
    """Keeps one program running until it is told to stop."""

    def __init__(self, program: Program, *, log: Path, changed: Callable[[], None]) -> None:
        self.program = program
        self.log = log
        self.status = Status.STARTING
        self.restarts = 0
        self.started_at = 0.0
        self._changed = changed
        self._process: subprocess.Popen[bytes] | None = None
        self._wanted = asyncio.Event()
        self._wanted.set()
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        """None while it does not run."""
        process = self._process
        return process.pid if process is not None and process.returncode is None else None

    async def start(self) -> None:
        """Start the program for the first time and wait until it is ready.

        Raises:
            StartFailed: it ended, or was not ready in time. It is not tried again.
        """
        rotate(self.log)
        process = self._spawn()
        end = asyncio.ensure_future(ended(process))
        ready = asyncio.ensure_future(_until(self.program.ready))
        try:
            async with asyncio.timeout(START_SECONDS):
                await asyncio.wait((end, ready), return_when=asyncio.FIRST_COMPLETED)
        except TimeoutError:
            await self._end_now()
            raise StartFailed(
                self.program.name, f"was not ready in {START_SECONDS:.0f} s"
            ) from None
        finally:
            end.cancel()
            ready.cancel()
        code = process.poll()
        if code is not None:
            await self._end_now()
            raise StartFailed(self.program.name, f"ended with {_describe(code)}")
        self._set(Status.RUNNING)
        self._task = asyncio.create_task(self._keep_running(process), name=self.program.name)

    async def stop(self) -> None:
        """End the program, with force when its grace is over, and do not start it again."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._end_gently()
        self._set(Status.STOPPED)

    async def pause(self) -> None:
        """End the program and keep it ended until `resume`."""
        self._wanted.clear()
        self._wake.set()
        await self._end_gently()

    def resume(self) -> None:
        if not self._wanted.is_set():
            self._wanted.set()
            self._wake.set()

    def _set(self, status: Status) -> None:
        if status is not self.status:
            self.status = status
            self._changed()

    def _spawn(self) -> subprocess.Popen[bytes]:
        program = self.program
        process = self._process = spawn(
            program.command,
            environment=program.environment,
            log=self.log,
            death_signal=program.death_signal,
            before_exec=program.before_exec,
            directory=program.directory,
        )
        self.started_at = time.time()
        self._changed()
        return process

    async def _keep_running(self, process: subprocess.Popen[bytes]) -> None:
        """Start the program again whenever it ends; `stop` cancels this."""
        pause = FIRST_PAUSE_SECONDS
        while True:
            running_since = time.monotonic()
            watch = asyncio.create_task(self._watch(process))
            try:
                code = await ended(process)
            finally:
                watch.cancel()
            await self._end_now()
            if time.monotonic() - running_since >= HEALTHY_AFTER_SECONDS:
                pause = FIRST_PAUSE_SECONDS
            if self._wanted.is_set():
                self._note(f"ended with {_describe(code)}; starts again in {pause:.1f} s")
                self._set(Status.RESTARTING)
                await self._sleep(pause)
                pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
            if not self._wanted.is_set():
                self._set(Status.PAUSED)
                await self._wanted.wait()
                pause = FIRST_PAUSE_SECONDS
            self.restarts += 1
            self._set(Status.STARTING)
            rotate(self.log)
            process = self._spawn()

    async def _watch(self, process: subprocess.Popen[bytes]) -> None:
        """Say when the program answers again; kill it when it stops answering."""
        if self.status is not Status.RUNNING:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(START_SECONDS):
                    await _until(self.program.alive)
                    self._set(Status.RUNNING)
        misses = 0
        while misses < LIVENESS_MISSES:
            await asyncio.sleep(LIVENESS_SECONDS)
            misses = 0 if await self.program.alive() else misses + 1
        self._note(f"did not answer {LIVENESS_MISSES} times and is killed")
        kill_group(process.pid)

    async def _sleep(self, seconds: float) -> None:
        """Pause before a restart; a stop or resume cuts it short."""
        self._wake.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._wake.wait()

    async def _end_gently(self) -> None:
        process = self._process
        if process is not None and process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(self.program.stop_signal)
            try:
                async with asyncio.timeout(self.program.grace_seconds):
                    await ended(process)
            except TimeoutError:
                self._note(f"did not stop in {self.program.grace_seconds:.0f} s and is killed")
        await self._end_now()

    async def _end_now(self) -> None:
        if self._process is not None:
            kill_group(self._process.pid)
            await ended(self._process)

    def _note(self, text: str) -> None:
        with self.log.open("a") as log:
            log.write(f"supervisor: {self.program.name} {text}\n")


async def _until(probe: Probe) -> None:
    pause = 0.02
    while not await probe():
        await asyncio.sleep(pause)
        pause = min(pause * 1.5, 0.25)


def _describe(code: int) -> str:
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
