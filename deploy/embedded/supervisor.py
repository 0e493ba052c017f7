"""Starts a platform in order, keeps it running, and ends it in the opposite order.

The supervisor is told what to do by signals and by files in the state directory, and tells what it
knows in `state.json`; it listens on no port. SIGTERM, SIGINT and SIGHUP end it. SIGUSR1 makes it
look at the directory `paused` again: a process named there is kept stopped.
"""

import asyncio
import json
import os
import signal
import time
from collections.abc import Coroutine, Mapping, Sequence
from typing import Any

import psutil

from deploy.embedded.child import Child, Program, Stage, kill_group
from deploy.embedded.console import Console
from deploy.embedded.layout import StateDirectory, write_private

_LEFTOVER_SECONDS = 15.0


class StopAsked(Exception):
    """Somebody ended the platform before it had started."""


class Supervisor:
    """Runs the programs of one platform in one state directory, which the caller has locked.

    Attributes:
        facts: what else `state.json` says, as long as we run.
    """

    def __init__(
        self, state: StateDirectory, *, url: str, console: Console, facts: Mapping[str, Any]
    ) -> None:
        self.state = state
        self.url = url
        self.facts = facts
        self.console = console
        self.children: dict[str, Child] = {}
        self.phase = "starting"
        self._stop_asked = asyncio.Event()
        self._started_at = time.time()
        self._pausing: set[asyncio.Task[None]] = set()

    def listen_to_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            # Started by nohup, it stays when its terminal is closed.
            if signal.getsignal(number) is not signal.SIG_IGN:
                loop.add_signal_handler(number, self._stop_asked.set)
        loop.add_signal_handler(signal.SIGUSR1, self.obey_pauses)

    async def until_stop_asked(self) -> None:
        await self._stop_asked.wait()

    async def start(self, programs: Sequence[Program]) -> None:
        """Start programs side by side and wait until all are ready.

        Raises:
            StartFailed: of the first that did not come up.
        """
        children = [
            Child(program, log=self.state.log(program.name), changed=self.write_state)
            for program in programs
        ]
        for child in children:
            self.children[child.program.name] = child
            self.console.follow(child.program.name, child.log)
        await asyncio.gather(*(child.start() for child in children))
        self.obey_pauses()

    async def unless_stopped(self, work: Coroutine[None, None, None]) -> None:
        """Wait for work, or give it up when we are asked to stop.

        Raises:
            StopAsked: we were asked to stop.
        """
        task = asyncio.create_task(work)
        asked = asyncio.create_task(self.until_stop_asked())
        await asyncio.wait((task, asked), return_when=asyncio.FIRST_COMPLETED)
        asked.cancel()
        if not task.done():
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            raise StopAsked
        await task

    async def stop(self) -> None:
        """End every process: the edge first, PostgreSQL last."""
        self.set_phase("stopping")
        for stage in sorted(Stage, reverse=True):
            stage_children = [c for c in self.children.values() if c.program.stage is stage]
            await asyncio.gather(*(child.stop() for child in stage_children))
        self.set_phase("stopped")

    def obey_pauses(self) -> None:
        """Stop what is named in the directory of pauses, start again what no longer is."""
        for name, child in self.children.items():
            if (self.state.paused / name).exists():
                task = asyncio.get_running_loop().create_task(child.pause())
                self._pausing.add(task)
                task.add_done_callback(self._pausing.discard)
            else:
                child.resume()

    def set_phase(self, phase: str) -> None:
        self.phase = phase
        self.write_state()

    def write_state(self) -> None:
        """Tell other processes what runs where."""
        processes = [
            {
                "name": name,
                "pid": child.pid,
                "address": child.program.address,
                "status": child.status.value,
                "restarts": child.restarts,
                "started_at": child.started_at,
            }
            for name, child in self.children.items()
        ]
        supervisor = {"pid": os.getpid(), "started_at": self._started_at}
        state = {
            "phase": self.phase,
            "url": self.url,
            **self.facts,
            "supervisor": supervisor,
            "processes": processes,
        }
        write_private(self.state.state, json.dumps(state, indent=2) + "\n")


async def end_leftovers(state: StateDirectory) -> None:
    """End what an earlier supervisor of this directory left, if it was killed.

    Its children were signalled by the kernel and are on their way out; what does not go is killed.
    """
    leftovers = [
        entry["pid"]
        for entry in state.read_state().get("processes", [])
        if entry["pid"] and _is_same(entry["pid"], entry["started_at"])
    ]
    deadline = time.monotonic() + _LEFTOVER_SECONDS
    while any(map(is_running, leftovers)) and time.monotonic() < deadline:
        await asyncio.sleep(0.05)
    for pid in filter(is_running, leftovers):
        kill_group(pid)


def is_running(pid: int) -> bool:
    """Whether a process runs; one that has ended and waits to be noticed does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _is_same(pid: int, started_at: float) -> bool:
    """Whether this process is the one we started and not a later one with its number."""
    try:
        return bool(abs(psutil.Process(pid).create_time() - started_at) < 2)
    except psutil.NoSuchProcess:
        return False
